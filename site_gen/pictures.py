"""The sizes of pictures, so that a page leaves room for them before they are there."""

import re
from pathlib import Path

PNG = re.compile(rb"\x89PNG\r\n\x1a\n.{4}IHDR(.{4})(.{4})", re.S)
SVG = re.compile(r"<svg\b[^>]*>", re.S)
LENGTH = re.compile(r'\s(width|height)="(\d+(?:\.\d+)?)(?:px)?"')


def picture_size(path: Path) -> tuple[int, int] | None:
    """Return width and height of a PNG or SVG file, None where it does not say them."""
    if path.suffix == ".png" and (head := PNG.match(path.read_bytes()[:24])):
        return int.from_bytes(head[1], "big"), int.from_bytes(head[2], "big")
    if path.suffix == ".svg" and (tag := SVG.search(path.read_text(encoding="utf-8"))):
        lengths = {name: round(float(value)) for name, value in LENGTH.findall(tag[0])}
        if lengths.keys() >= {"width", "height"}:
            return lengths["width"], lengths["height"]
    return None
