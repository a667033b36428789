"""Every chapter of the library as a notebook, as a program, and as a text to be read from top to bottom."""
