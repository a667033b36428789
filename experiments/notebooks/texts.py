"""Programs as texts to be read from top to bottom, made by PyLit.

PyLit turns comments in the first column into paragraphs, and code into paragraphs that are indented. It has the licence GPLv3+, so
it is called as a program of its own, and nothing of it is imported. It is called once for all chapters: to
start it a hundred times would take ten times as long.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Mapping

TOOL = "pylit"
INDENT = 4
"""Code is indented by four, which makes it code for readers of Markdown, too."""

BORDER = "-- here ends one chapter, and another one begins --"


class TextError(Exception):
    """PyLit could not be run, told in one line."""


def is_installed() -> bool:
    """Whether PyLit is there to be called."""
    return importlib.util.find_spec(TOOL) is not None


def texts(programs: Mapping[str, str]) -> dict[str, str]:
    """Return the texts of some programs, by the same names. Raises `TextError`."""
    if not programs:
        return {}
    text = _pylit(f"\n# {BORDER}\n\n".join(programs.values()))
    return dict(zip(programs, text.split(f"\n{BORDER}\n\n"), strict=True))


def _pylit(given: str) -> str:
    command = [sys.executable, "-m", TOOL, "--code2txt", "--language", "python"]
    done = subprocess.run(
        [*command, "--codeindent", str(INDENT), "-", "-"],
        input=given,
        capture_output=True,
        encoding="utf-8",
        env=os.environ | {"PYTHONUTF8": "1"},
        check=False,
    )
    if done.returncode:
        reason = (done.stderr.strip() or "no reason given").splitlines()[-1]
        raise TextError(f"PyLit failed: {reason}")
    return done.stdout
