"""YAML mappings that know the file and line of every value, for errors that point at it."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import yaml

from site_gen.errors import SiteError

TEXT = "tag:yaml.org,2002:str"
INTEGER = "tag:yaml.org,2002:int"
BOOLEAN = "tag:yaml.org,2002:bool"
NULL = "tag:yaml.org,2002:null"


@dataclass(frozen=True)
class Text:
    """A scalar as it is written, and its line."""

    value: str
    line: int


class Fields:
    """One YAML mapping, read key by key.

    `offset` is the number of lines that stand before the YAML text in the file at `path`.
    """

    def __init__(self, node: yaml.MappingNode, path: Path, offset: int) -> None:
        self.path = path
        self.offset = offset
        self.line = node.start_mark.line + 1 + offset
        self.nodes: dict[str, yaml.Node] = {}
        self.key_lines: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1 + offset
            if not isinstance(key, yaml.ScalarNode):
                raise SiteError(path, line, "a key must be a plain word")
            if key.value in self.nodes:
                raise SiteError(path, line, f"key {key.value!r} stands twice")
            self.nodes[key.value] = value
            self.key_lines[key.value] = line

    def error(self, key: str, message: str) -> SiteError:
        """Return an error that points at `key`, or at the mapping where the key is missing."""
        return SiteError(self.path, self.key_lines.get(key, self.line), message)

    def allow(self, keys: Iterable[str], name: str) -> None:
        """Raise SiteError for the first key that is not in `keys`."""
        known = list(keys)
        for key in self.nodes:
            if key not in known:
                raise self.error(key, f"unknown key {key!r} in {name}; known: {', '.join(known)}")

    def text(self, key: str) -> str | None:
        """Return the text under `key`, None where the key is missing."""
        node = self.nodes.get(key)
        if node is None:
            return None
        if not isinstance(node, yaml.ScalarNode) or node.tag != TEXT or not node.value.strip():
            raise self.error(key, f"{key!r} must be a text")
        return str(node.value).strip()

    def scalar(self, key: str) -> str | None:
        """Return a text or number as it is written (`2.10` stays `2.10`)."""
        node = self.nodes.get(key)
        if node is None:
            return None
        if not isinstance(node, yaml.ScalarNode) or node.tag in (NULL, BOOLEAN):
            raise self.error(key, f"{key!r} must be a text or a number")
        return str(node.value)

    def integer(self, key: str) -> int | None:
        """Return the whole number under `key`, None where the key is missing."""
        node = self.nodes.get(key)
        if node is None:
            return None
        if not isinstance(node, yaml.ScalarNode) or node.tag != INTEGER:
            raise self.error(key, f"{key!r} must be a whole number")
        return int(node.value)

    def boolean(self, key: str, default: bool) -> bool:
        """Return the truth value under `key`, `default` where the key is missing."""
        node = self.nodes.get(key)
        if node is None:
            return default
        if not isinstance(node, yaml.ScalarNode) or node.tag != BOOLEAN:
            raise self.error(key, f"{key!r} must be true or false")
        return bool(yaml.safe_load(node.value))

    def texts(self, key: str) -> list[Text]:
        """Return the list of texts under `key`, empty where the key is missing."""
        return [Text(node.value, self._line(node)) for node in self._items(key, yaml.ScalarNode)]

    def tables(self, key: str) -> list["Fields"]:
        """Return the mapping, or list of mappings, under `key`."""
        node = self.nodes.get(key)
        if isinstance(node, yaml.MappingNode):
            return [Fields(node, self.path, self.offset)]
        items = self._items(key, yaml.MappingNode)
        return [
            Fields(item, self.path, self.offset)
            for item in items
            if isinstance(item, yaml.MappingNode)
        ]

    def table(self, key: str) -> "Fields | None":
        """Return the mapping under `key`, None where the key is missing."""
        node = self.nodes.get(key)
        if node is None:
            return None
        if not isinstance(node, yaml.MappingNode):
            raise self.error(key, f"{key!r} must be a mapping")
        return Fields(node, self.path, self.offset)

    def _items(self, key: str, kind: type[yaml.Node]) -> list[yaml.Node]:
        node = self.nodes.get(key)
        if node is None:
            return []
        what = "texts" if kind is yaml.ScalarNode else "mappings"
        if not isinstance(node, yaml.SequenceNode):
            raise self.error(key, f"{key!r} must be a list of {what}")
        for item in node.value:
            if not isinstance(item, kind) or item.tag == NULL:
                raise SiteError(self.path, self._line(item), f"{key!r} must be a list of {what}")
        return list(node.value)

    def _line(self, node: yaml.Node) -> int:
        return node.start_mark.line + 1 + self.offset


def read_fields(text: str, path: Path, offset: int = 0) -> Fields:
    """Read the YAML mapping `text`, which starts after `offset` lines of the file at `path`.

    Raises SiteError when it is no YAML or no mapping. Tags of programs (`!ENV`) are left alone.
    """
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = (mark.line + 1 if mark else 1) + offset
        raise SiteError(path, line, f"no valid YAML: {error.problem}") from None
    except yaml.YAMLError as error:
        raise SiteError(path, 1 + offset, f"no valid YAML: {error}") from None
    if node is None:
        node = yaml.compose("{}", Loader=yaml.SafeLoader)
    if not isinstance(node, yaml.MappingNode):
        raise SiteError(path, 1 + offset, "must be a mapping of keys to values")
    return Fields(node, path, offset)
