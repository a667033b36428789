"""The command line: `python -m labml_nn_optim copy | list | new-chapter`."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

from labml_nn_optim.export import ExportError, Library, find, single_file
from labml_nn_optim.registry import optimizer_names, summary
from labml_nn_optim.skeleton import Chapter, SkeletonError, write_chapter
from labml_nn_optim.skeleton.kinds import KINDS

GAP = "  "


class Parser(argparse.ArgumentParser):
    """A parser that tells what is wrong in one line, without the usage."""

    def error(self, message: str) -> None:  # type: ignore[override]
        """Print the message and stop with exit status 2."""
        self.exit(2, f"{message}\n")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command; what goes wrong is one line on standard error and exit status 2."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        options.run(options)
    except (ExportError, SkeletonError) as error:
        parser.error(str(error))
    except BrokenPipeError:
        # Whoever reads has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        parser.error(f"{error.filename}: {error.strerror}")


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="python -m labml_nn_optim", description="Chapters to take along.")
    commands = parser.add_subparsers(
        required=True, metavar="copy | list | new-chapter", title="commands"
    )
    copy = commands.add_parser("copy", help="write a chapter, and all it uses, into one file")
    copy.add_argument(
        "names",
        nargs="+",
        metavar="NAME",
        help="a chapter such as radam or schedules/wsd, or a class such as CosineAnnealingLR; "
        "several share one file",
    )
    copy.add_argument("--to", type=Path, default=Path(), metavar="FOLDER", help="where to write")
    copy.add_argument("--bare", action="store_true", help="without prose but short docstrings")
    copy.add_argument("--force", action="store_true", help="overwrite a file that is there")
    copy.set_defaults(run=_copy)
    listing = commands.add_parser("list", help="print the optimizers and what each is about")
    listing.set_defaults(run=_list)
    new = commands.add_parser("new-chapter", help="write a chapter to begin with, in a checkout")
    new.add_argument("name", metavar="NAME", help="that of its file, such as my_rule")
    new.add_argument("--kind", choices=[*KINDS], default="optimizer", help="what it is about")
    new.add_argument(
        "--class", dest="class_name", metavar="CLASS", help="that of its class; MyRule if not given"
    )
    new.set_defaults(run=_new_chapter)
    return parser


def _copy(options: argparse.Namespace) -> None:
    library = Library()
    entries = [find(library, name) for name in options.names]
    if not options.to.is_dir():
        raise ExportError(f"--to must be a folder that is there, got {str(options.to)!r}")
    target = options.to / f"{'_'.join(entry.file for entry in entries)}.py"
    if target.exists() and not options.force:
        raise ExportError(f"{target} is already there; --force overwrites it")
    text = single_file(library, entries, options.bare)
    target.write_text(text, encoding="utf-8", newline="\n")
    print(f"{target}: {text.count(chr(10))} lines")


def _list(_: argparse.Namespace) -> None:
    names = optimizer_names()
    room = max(map(len, names))
    width = max(40, shutil.get_terminal_size().columns - room - len(GAP))
    for name in names:
        first, *others = textwrap.wrap(summary(name), width)
        print(f"{name:{room}}{GAP}{first}")
        for line in others:
            print(f"{'':{room}}{GAP}{line}")


def _new_chapter(options: argparse.Namespace) -> None:
    chapter = Chapter.named(options.name, options.kind, options.class_name)
    written = write_chapter(Path(__file__).parents[1], chapter)
    for path in written.new:
        print(f"new      {path}")
    for path in written.changed:
        print(f"changed  {path}")
    print("\nLeft to do, all of it from the root of the checkout:\n")
    for number, text in enumerate(written.left, start=1):
        print(f"{number}. {text}")


if __name__ == "__main__":
    main()
