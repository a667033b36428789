"""The settings under `extra: site_gen:` of `mkdocs.yml`."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml
from yaml_env_tag import construct_env_tag  # type: ignore[import-untyped]

from site_gen.chapters import MARKUPS, Markup
from site_gen.errors import SiteError
from site_gen.fields import Fields, read_fields
from site_gen.inventory import Inventory, read_inventory
from site_gen.repository import Repository

KEYS = (
    "sources",
    "docs",
    "build",
    "parts",
    "plugins",
    "require_front_matter",
    "repository",
    "branch",
    "picture",
    "changelog",
    "inventories",
)
SOURCE_KEYS = ("path", "under", "include", "exclude", "order", "prose")
INVENTORY_KEYS = ("file", "url", "page", "methods", "in_index")


@dataclass(frozen=True)
class SourceFolder:
    """A package, or one module, whose files become pages.

    `under` is put before the names of the pages; `include`, `exclude` and `order` are glob patterns
    relative to `path`. Files that match the first pattern of `order` come first, and so on; the
    others follow. `markup` is what prose without front matter is, None for what it looks like.
    """

    path: Path
    under: str
    include: tuple[str, ...] = ("**/*.py",)
    exclude: tuple[str, ...] = ()
    order: tuple[str, ...] = ()
    markup: Markup | None = None

    def files(self) -> Iterator[tuple[Path, str]]:
        """Yield every file that is to be a page, and the name of that page."""
        if self.path.is_file():
            yield self.path, f"{self.under}/{self.path.stem}".lstrip("/")
            return
        excluded = set(self._matching(self.exclude))
        ordered = [*self._matching(self.order), *sorted(self._matching(self.include))]
        included = set(self._matching(self.include)) - excluded
        for path in dict.fromkeys(path for path in ordered if path in included):
            parts = list(path.relative_to(self.path).with_suffix("").parts)
            if parts[-1] == "__init__":
                parts[-1] = "index"
            yield path, "/".join([*filter(None, [self.under]), *parts])

    def _matching(self, patterns: Iterable[str]) -> Iterator[Path]:
        return (path for pattern in patterns for path in sorted(self.path.glob(pattern)))


@dataclass(frozen=True)
class Settings:
    """What the generator is told. All paths are absolute.

    `options` is the whole of `mkdocs.yml`, with tags such as `!!python/name:` left out.
    """

    file: Path
    sources: tuple[SourceFolder, ...]
    docs: Path | None
    build: Path
    parts: dict[int, str]
    plugins: tuple[str, ...]
    require_front_matter: bool
    repository: Repository | None
    picture: str | None
    changelog: str | None
    inventories: tuple[Inventory, ...]
    options: dict[str, Any]

    @property
    def root(self) -> Path:
        """The folder that `mkdocs.yml` stands in."""
        return self.file.parent

    @property
    def pages(self) -> Path:
        """The folder that MkDocs reads."""
        return self.build / "pages"

    @property
    def resolved(self) -> Path:
        """The configuration that MkDocs runs on."""
        return self.build / "mkdocs.yml"

    @property
    def site(self) -> Path:
        """The folder that the finished site goes to."""
        return self.root / str(self.options.get("site_dir", "site"))

    @property
    def site_url(self) -> str | None:
        """The address that the site will have, with a slash at its end, if it is known."""
        url = str(self.options.get("site_url") or "").rstrip("/")
        return f"{url}/" if url else None

    @property
    def strict(self) -> bool:
        """Whether prose stops the build at what it cannot mean (see `prose`)."""
        return bool(self.options.get("strict", False))

    @property
    def directory_urls(self) -> bool:
        """Whether a page is `name/` (True) or `name.html`."""
        return bool(self.options.get("use_directory_urls", True))

    @property
    def watched(self) -> list[Path]:
        """Files and folders whose changes change the site."""
        docs = [self.docs] if self.docs else []
        inventories = [inventory.file for inventory in self.inventories]
        return [self.file, *(source.path for source in self.sources), *docs, *inventories]


class _Loader(yaml.SafeLoader):
    """Reads plain values and `!ENV`, and leaves out what needs a program (`!!python/name:`)."""


_Loader.add_constructor("!ENV", construct_env_tag)
_Loader.add_multi_constructor("!", lambda *_: None)
_Loader.add_multi_constructor("tag:yaml.org,2002:python/", lambda *_: None)


def read_settings(file: Path) -> Settings:
    """Read and check the settings in the `mkdocs.yml` at `file`.

    Raises SiteError for a missing file, an unknown key, or a value of the wrong kind.
    """
    file = file.absolute()
    if not file.is_file():
        raise SiteError(file, 1, "no such file")
    text = file.read_text(encoding="utf-8")
    extra = read_fields(text, file).table("extra")
    fields = extra.table("site_gen") if extra else None
    if fields is None:
        raise SiteError(file, 1, "has no settings under 'extra: site_gen:'")
    fields.allow(KEYS, "site_gen")
    root = file.parent
    docs = fields.text("docs")
    return Settings(
        file=file,
        sources=tuple(_source(item, root) for item in fields.tables("sources")),
        docs=_existing(fields, "docs", root, docs) if docs else None,
        build=(root / (fields.text("build") or "build")).absolute(),
        parts=_parts(fields),
        plugins=tuple(item.value for item in fields.texts("plugins")),
        require_front_matter=fields.boolean("require_front_matter", False),
        repository=_repository(fields),
        picture=fields.text("picture"),
        changelog=fields.text("changelog"),
        inventories=tuple(_inventory(item, root) for item in fields.tables("inventories")),
        options=yaml.load(text, Loader=_Loader),
    )


def _existing(fields: Fields, key: str, root: Path, name: str) -> Path:
    path = (root / name).absolute()
    if not path.exists():
        raise fields.error(key, f"{key!r}: there is no {name!r}")
    return path


def _source(fields: Fields, root: Path) -> SourceFolder:
    fields.allow(SOURCE_KEYS, "sources")
    name = fields.text("path")
    if name is None:
        raise fields.error("path", "a source needs a 'path'")
    path = _existing(fields, "path", root, name)
    under = fields.scalar("under")
    if under is None:
        under = path.name if path.is_dir() else ""
    include, exclude, order = (
        tuple(item.value for item in fields.texts(key)) for key in ("include", "exclude", "order")
    )
    include = include or SourceFolder.include
    return SourceFolder(path, under.strip("/"), include, exclude, order, _markup(fields))


def _markup(fields: Fields) -> Markup | None:
    text = fields.text("prose")
    if text is not None and text not in MARKUPS:
        raise fields.error("prose", f"'prose' must be {' or '.join(MARKUPS)}, not {text!r}")
    return cast(Markup | None, text)


def _parts(fields: Fields) -> dict[int, str]:
    table = fields.table("parts")
    if table is None:
        return {}
    for key in table.nodes:
        if not key.isdigit():
            raise table.error(key, f"the number of a part must be a whole number, not {key!r}")
    return {int(key): table.text(key) or "" for key in table.nodes}


def _repository(fields: Fields) -> Repository | None:
    url = _url(fields, "repository")
    return Repository(url, fields.text("branch") or Repository.branch) if url else None


def _inventory(fields: Fields, root: Path) -> Inventory:
    fields.allow(INVENTORY_KEYS, "inventories")
    name, url = fields.text("file"), _url(fields, "url")
    if name is None or url is None:
        raise fields.error("file", "an inventory needs a 'file' and a 'url'")
    file = _existing(fields, "file", root, name)
    page = fields.text("page") or "{name}.html"
    in_index = fields.boolean("in_index", False)
    return read_inventory(file, url, page, fields.text("methods"), in_index)


def _url(fields: Fields, key: str) -> str | None:
    url = fields.text(key)
    if url is not None and not url.startswith(("https://", "http://")):
        raise fields.error(key, f"{key!r} must start with https://, not {url!r}")
    return url.rstrip("/") if url else None
