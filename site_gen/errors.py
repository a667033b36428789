"""The one error that a reader of the terminal sees."""

from pathlib import Path


class SiteError(Exception):
    """Something in a source that stops the build, told as `file:line: what`."""

    def __init__(self, path: Path, line: int, message: str) -> None:
        super().__init__(f"{shown(path)}:{line}: {message}")
        self.path = path
        self.line = line
        self.message = message

    def __reduce__(self) -> tuple[type["SiteError"], tuple[Path, int, str]]:
        # A process that renders pages sends its errors to the one that has asked.
        return type(self), (self.path, self.line, self.message)


def shown(path: Path) -> Path:
    """`path` as seen from the working directory, where it lies below it."""
    try:
        return path.resolve().relative_to(Path.cwd())
    except ValueError:
        return path
