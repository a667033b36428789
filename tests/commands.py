"""Programs in processes of their own."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]


def run(*command: object, folder: Path = ROOT) -> str:
    """Run a program that has to succeed, and return what it prints."""
    words = [str(word) for word in command]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
