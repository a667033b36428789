"""The experiments of the course: real runs whose records the pages draw."""
