"""Names that other documentation explains, and their addresses there.

An inventory is a text file, one dotted name a line, with `#` before a remark:

    torch.Tensor.lerp_
    torch.Tensor  tensors.html#torch.Tensor
    torch.nn.init.*  nn.init.html#{name}

A name is followed by its page, where that is not the page of the whole inventory (`page` in
`mkdocs.yml`). In a page `{name}` is the name. `*` stands for what lies below a name.
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

from site_gen.errors import SiteError

NAME = re.compile(r"\w+(\.\w+)*(\.\*)?")
BELOW = ".*"


@dataclass(frozen=True)
class Inventory:
    """The names of one documentation.

    `in_index` says whether the course's index of identifiers lists them. `methods` is the class whose methods are known by their names alone where these end in an
    underscore and belong to no other class of the inventory, as torch's in-place methods do.
    """

    file: Path
    url: str
    names: dict[str, str]
    methods: str | None = None
    in_index: bool = False

    def address(self, name: str) -> str | None:
        """Return the address of what explains the dotted `name`, if anything does."""
        page = self.names.get(name)
        owner = name
        while page is None and "." in owner:
            owner = owner.rpartition(".")[0]
            page = self.names.get(owner + BELOW)
        return None if page is None else f"{self.url}{page.replace('{name}', name)}"

    def method(self, name: str) -> str | None:
        """Return the dotted name of the method that is called `name`, if that is certain."""
        full = f"{self.methods}.{name}"
        certain = self.methods and name.endswith("_") and full in self.names
        return full if certain and self._owners[name] == 1 else None

    @cached_property
    def _owners(self) -> Counter[str]:
        """How many classes of the inventory have a method of that name."""
        pairs = (name.rpartition(".") for name in self.names)
        return Counter(last for owner, _, last in pairs if _is_class(owner))


def _is_class(name: str) -> bool:
    return name.rpartition(".")[2][:1].isupper()


def read_inventory(
    file: Path, url: str, page: str, methods: str | None, in_index: bool
) -> Inventory:
    """Read the inventory at `file`, whose names without a page are explained on `page`.

    Raises SiteError for a line that is no name, or stands twice.
    """
    return _read(file, file.read_text(encoding="utf-8"), url, page, methods, in_index)


@lru_cache(maxsize=16)
def _read(
    file: Path, text: str, url: str, page: str, methods: str | None, in_index: bool
) -> Inventory:
    names: dict[str, str] = {}
    for number, line in enumerate(text.split("\n"), 1):
        words = line.partition("#" if line.startswith("#") else " #")[0].split()
        if not words:
            continue
        if len(words) > 2 or not NAME.fullmatch(words[0]):
            raise SiteError(file, number, f"must be a dotted name and perhaps a page, not {line!r}")
        if words[0] in names:
            raise SiteError(file, number, f"{words[0]!r} stands twice")
        names[words[0]] = words[1] if len(words) == 2 else page
    return Inventory(file, url.rstrip("/") + "/", names, methods, in_index)


def find(inventories: Iterable[Inventory], name: str) -> tuple[Inventory, str] | None:
    """Return the first inventory that explains `name`, and the address."""
    for inventory in inventories:
        if address := inventory.address(name):
            return inventory, address
    return None
