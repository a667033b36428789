"""An annotated course on optimization for deep learning: every file is a chapter."""
