"""Text files that are made for the site, and left alone while they stay the same."""

from __future__ import annotations

from pathlib import Path


def differs(path: Path, text: str) -> bool:
    """Whether a file is not there or holds another text."""
    return not path.is_file() or path.read_bytes() != text.encode()


def write_changed(path: Path, text: str) -> Path:
    """Write a file unless it holds the text already, and return its path."""
    if differs(path, text):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
    return path
