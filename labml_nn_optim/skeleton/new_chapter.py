"""A skeleton becomes a chapter: its names are replaced, and it is entered where the course lists its kind."""

from __future__ import annotations

import keyword
import re
from dataclasses import dataclass
from pathlib import Path

from labml_nn_optim.skeleton.entries import UnknownLayoutError
from labml_nn_optim.skeleton.kinds import KINDS, NAME, STEM, Kind

__all__ = ["Chapter", "SkeletonError", "Written", "write_chapter"]

TEMPLATES = Path(__file__).parent
PLACE = re.compile(r'^chapter: "(\d+)\.(\d+)"$', re.MULTILINE)
SNAKE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
# So that no line of a skeleton outgrows what the formatter leaves as it is.
LONGEST = 24


class SkeletonError(Exception):
    """What keeps a chapter from being written, in one line."""


@dataclass(frozen=True)
class Chapter:
    """What is to be written.

    - `kind`: a key of `KINDS`
    - `stem`: the name of the file
    - `name`: the name of the class, without what all of the kind have at the end
    """

    kind: str
    stem: str
    name: str

    @classmethod
    def named(cls, stem: str, kind: str, name: str | None = None) -> Chapter:
        """Return a chapter; raises `SkeletonError` for names that cannot be.

        - `name`: as `stem` in another case, `MyRule` for `my_rule` if not given
        """
        if not SNAKE.fullmatch(stem) or len(stem) > LONGEST:
            raise SkeletonError(
                f"NAME must be lower-case words with _ between them, at most {LONGEST} letters, got {stem!r}"
            )
        if keyword.iskeyword(stem):
            raise SkeletonError(f"NAME must be no word of Python's, got {stem!r}")
        ending = KINDS[kind].class_name.removeprefix(NAME).lower()
        if ending and stem.endswith(ending):
            raise SkeletonError(
                f"NAME must not end in {ending}, which its class does, got {stem!r}"
            )
        name = name or "".join(word.capitalize() for word in stem.split("_"))
        if name.lower() != stem.replace("_", "") or not name[0].isupper():
            raise SkeletonError(
                f"--class must be {stem.replace('_', '')} with a capital at its start, got {name!r}"
            )
        return cls(kind, stem, name)

    @property
    def paths(self) -> dict[str, str]:
        """The templates, and the files that they become, below the checkout."""
        folder = KINDS[self.kind].folder
        return {
            f"{self.kind}.py.txt": f"labml_nn_optim/{folder}/{self.stem}.py",
            f"test_{self.kind}.py.txt": f"tests/labml_nn_optim/{folder}/test_{self.stem}.py",
        }

    def fill(self, text: str) -> str:
        """Return a text with the names of this chapter."""
        return text.replace(NAME, self.name).replace(STEM, self.stem)


@dataclass(frozen=True)
class Written:
    """What has been done, and what is left.

    - `new`: the files that are new
    - `changed`: those that got an entry
    - `left`: what a person has to do, in order
    """

    new: tuple[str, ...]
    changed: tuple[str, ...]
    left: tuple[str, ...]


def write_chapter(root: Path, chapter: Chapter) -> Written:
    """Write a chapter and its tests into the checkout at `root`, and enter it where its kind is listed.

    Raises `SkeletonError`, before anything is written, if `root` is no checkout or a name is taken.
    """
    if not (root / "tests" / "labml_nn_optim").is_dir():
        raise SkeletonError(
            f"new-chapter needs a checkout, and there is no tests/labml_nn_optim in {root}"
        )
    kind = KINDS[chapter.kind]
    _require_free(root, kind, chapter)
    made = {
        path: _numbered(root, kind, chapter.fill((TEMPLATES / name).read_text(encoding="utf-8")))
        for name, path in chapter.paths.items()
    }
    changed, by_hand = _entered(root, kind, chapter)
    for path, text in (made | changed).items():
        (root / path).write_text(text, encoding="utf-8", newline="\n")
    left = [*by_hand, *map(chapter.fill, kind.left)]
    return Written(tuple(made), tuple(changed), tuple(left))


def _require_free(root: Path, kind: Kind, chapter: Chapter) -> None:
    folder = root / "labml_nn_optim" / kind.folder
    plain = chapter.stem.replace("_", "")
    for path in folder.glob("*.py"):
        if path.stem.replace("_", "") == plain:
            raise SkeletonError(f"NAME is taken: {path.relative_to(root)} is there")
    for file in chapter.paths.values():
        if (root / file).exists():
            raise SkeletonError(f"NAME is taken: {file} is there")
    name = chapter.fill(kind.class_name)
    exported = (root / kind.exports).read_text(encoding="utf-8")
    if re.search(rf'^    "{name}",$', exported, re.MULTILINE | re.IGNORECASE):
        raise SkeletonError(f"NAME is taken: {kind.exports} exports a {name}")


def _numbered(root: Path, kind: Kind, text: str) -> str:
    """Return a chapter as the last one of the part that its kind belongs to."""
    files = [
        *(root / "labml_nn_optim").rglob("*.py"),
        *(root / "experiments").glob("*.py"),
        *(root / "docs_src").rglob("*.md"),
    ]
    places = [match for file in files for match in PLACE.findall(file.read_text(encoding="utf-8"))]
    last = max((int(number) for part, number in places if part == kind.part), default=0)
    return PLACE.sub(f'chapter: "{kind.part}.{last + 1}"', text)


def _entered(root: Path, kind: Kind, chapter: Chapter) -> tuple[dict[str, str], list[str]]:
    """Return the new texts of the files that list the kind, and what could not be entered."""
    texts: dict[str, str] = {}
    by_hand = []
    for path, entries in kind.entries(chapter.stem, chapter.name).items():
        for entry in entries:
            text = texts.get(path) or (root / path).read_text(encoding="utf-8")
            try:
                texts[path] = entry.put(text)
            except UnknownLayoutError as error:
                lines = " ".join(entry.lines.split())
                by_hand.append(f"{path}, {entry.place}: add `{lines}` ({error}).")
    return texts, by_hand
