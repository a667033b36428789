"""Chapters as single files: `python -m labml_nn_optim copy radam --to my_project/`."""

from __future__ import annotations

from labml_nn_optim.export.catalog import Entry, find
from labml_nn_optim.export.modules import ExportError, Library
from labml_nn_optim.export.single_file import single_file

__all__ = ["Entry", "ExportError", "Library", "find", "single_file"]
