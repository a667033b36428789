"""One optimizer a file, one class a file, one update rule a class."""
