"""Write the pages into the build folder, and run MkDocs on it."""

import logging
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, FileSystemBytecodeCache
from mkdocs.commands.build import build as build_site
from mkdocs.config import load_config
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import Abort, MkDocsException
from mkdocs.plugins import BasePlugin
from mkdocs.utils import clean_directory

from site_gen import bibliography, hover_cards, passthrough, search
from site_gen.chapters import Chapter, Reading, load, markdown_chapter
from site_gen.config import Settings
from site_gen.course import LANDING, Course
from site_gen.errors import shown
from site_gen.feed import FEED, changes_page, feed
from site_gen.finish import finish
from site_gen.llms import LLMS, llms_txt
from site_gen.plugins import Plugin, files_of_all, load_plugins
from site_gen.rendering import rendered
from site_gen.unchanged import Rendered, unchanged

ASSETS = Path(__file__).parent / "assets"
ASSET_FOLDER = "assets/site_gen"
# A browser shows nothing before it has all styles, and has one file sooner than a dozen.
STYLES = f"{ASSET_FOLDER}/styles.css"
# What scripts load when it is needed.
ON_DEMAND = "/on_demand/"
MARKER = ".site_gen"


class BuildError(Exception):
    """A build that stopped, told in one line."""


@dataclass(frozen=True)
class Generated:
    """What MkDocs needs to know of the build folder, and what is new in it."""

    navigation: list[Any]
    scripts: list[str]
    changed: frozenset[str]
    configuration_changed: bool
    rendered: Rendered


def generate(
    settings: Settings, before: Rendered | None = None, *, processes: int = 1
) -> Generated:
    """Write every page, and the configuration for MkDocs, into the build folder.

    Everything is made before anything is written, and a file whose contents stay the same is
    left alone. Pages that are those of the build `before` are not rendered again.

    * `processes`: how many render pages side by side (see `site_gen.rendering`)

    Raises SiteError, PluginError or BuildError.
    """
    if str(settings.root) not in sys.path:
        sys.path.insert(0, str(settings.root))
    plugins = load_plugins(settings.plugins)
    course = Course(read_chapters(settings), settings)
    known = unchanged(before, course) if before else {}
    chapters = [chapter for name, chapter in course.chapters.items() if name not in known]
    texts = rendered(chapters, course, plugins, processes) | known
    if before and known:
        course.assets = {**before.course.assets, **course.assets}
        made = before.made
    else:
        made = files_of_all(course, plugins)
    files = {f"{name}.md": text for name, text in texts.items()} | shared_files(course)
    assets = _assets(settings, plugins)
    styles = [assets.pop(path) for path in list(assets) if path.endswith(".css")]
    files[STYLES] = b"\n".join(path.read_bytes() for path in styles)
    for path, source in _together(_docs(settings), course.assets, assets, made).items():
        files[path] = source.read_bytes()
    _prepare(settings.pages)
    changed = {path for path in files if _write(settings.pages / path, files[path])}
    changed |= _remove_others(settings.pages, set(files))
    done = Rendered(course, texts, made)
    navigation = course.navigation()
    scripts = [path for path in assets if path.endswith(".js") and ON_DEMAND not in path]
    configuration = resolved_configuration(settings, navigation, scripts).encode()
    changed_too = _write(settings.resolved, configuration)
    return Generated(navigation, scripts, frozenset(changed), changed_too, done)


def resolved_configuration(settings: Settings, navigation: list[Any], scripts: list[str]) -> str:
    """Return the `mkdocs.yml` for the build folder: the course's own, with what was generated."""
    options = settings.options
    build = settings.build
    resolved: dict[str, Any] = {
        "INHERIT": os.path.relpath(settings.file, build),
        "docs_dir": settings.pages.name,
        "site_dir": "site",
        "hooks": [],
        "nav": navigation,
        # Without a word about plugins MkDocs takes its own search.
        "plugins": options.get("plugins", []),
        "markdown_extensions": [*options.get("markdown_extensions", []), passthrough.NAME],
        "extra_css": [STYLES, *options.get("extra_css", [])],
        "extra_javascript": [*scripts, *options.get("extra_javascript", [])],
    }
    theme = options.get("theme")
    if isinstance(theme, Mapping) and theme.get("custom_dir"):
        folder = os.path.relpath(settings.root / str(theme["custom_dir"]), build)
        resolved["theme"] = {"custom_dir": folder}
    return yaml.safe_dump(resolved, allow_unicode=True, sort_keys=False, width=1000)


def build(settings: Settings, *, processes: int = 1) -> None:
    """Generate the pages and build the site, as `generate` does and with its errors."""
    generate(settings, processes=processes)
    run_mkdocs(settings)


def run_mkdocs(settings: Settings) -> None:
    """Build the site from the build folder; the old site stays until the new one is complete."""
    fresh = settings.build / "site"
    with mkdocs_errors():
        build_site(load_resolved(settings, fresh))
    finish(fresh, settings)
    settings.site.mkdir(parents=True, exist_ok=True)
    clean_directory(str(settings.site))
    shutil.copytree(fresh, settings.site, dirs_exist_ok=True)


def load_resolved(settings: Settings, site: Path, **options: Any) -> MkDocsConfig:
    """Load the configuration in the build folder, for a site in the folder `site`."""
    # Material prints a banner on import unless it is told not to.
    os.environ.setdefault("NO_MKDOCS_2_WARNING", "1")
    config = load_config(config_file=str(settings.resolved), site_dir=str(site), **options)
    config.plugins[KeptTemplates.__name__] = KeptTemplates(settings.build / "templates")
    return config


class KeptTemplates(BasePlugin):  # type: ignore[no-untyped-call, type-arg]
    """Keep the theme's templates as compiled in `folder`: MkDocs compiles them for every build."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.cache = FileSystemBytecodeCache(str(folder))

    def on_env(self, env: Environment, /, **_: object) -> Environment:
        """Give the environment of MkDocs the compiled templates."""
        env.bytecode_cache = self.cache
        return env


@contextmanager
def mkdocs_errors(level: int = logging.WARNING) -> Iterator[None]:
    """Show what MkDocs logs from `level` on, and turn its errors into BuildError."""
    handler = logging.StreamHandler()
    handler.setLevel(level)
    logger = logging.getLogger("mkdocs")
    logger.addHandler(handler)
    try:
        yield
    except (Abort, MkDocsException) as error:
        raise BuildError(f"MkDocs: {error}") from None
    finally:
        logger.removeHandler(handler)


def read_chapters(settings: Settings) -> list[Chapter]:
    """Read every chapter of the course. Raises SiteError."""
    reading = Reading(settings.require_front_matter, settings.strict)
    chapters = [
        load(path, name, _module(path, source.path), replace(reading, markup=source.markup))
        for source in settings.sources
        for path, name in source.files()
    ]
    if settings.docs:
        for path in sorted(settings.docs.rglob("*.md")):
            name = path.relative_to(settings.docs).with_suffix("").as_posix()
            chapters.append(load(path, name, name, reading))
    if all(chapter.name != LANDING for chapter in chapters):
        chapters.append(_landing(settings))
    return chapters


def _landing(settings: Settings) -> Chapter:
    """Return the page that leads to all others, for a site without one of its own."""
    title = str(settings.options.get("site_name") or "Contents")
    text = f"---\n{yaml.safe_dump({'title': title}, allow_unicode=True)}---\n\n::: contents\n:::\n"
    return markdown_chapter(settings.file, text, LANDING, Reading())


def _module(path: Path, source: Path) -> str:
    """Return the dotted name of the module at `path`."""
    parts = path.relative_to(source.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _docs(settings: Settings) -> dict[str, Path]:
    """Return the files beside the prose-only chapters, such as styles and pictures."""
    if settings.docs is None:
        return {}
    return {
        path.relative_to(settings.docs).as_posix(): path
        for path in sorted(settings.docs.rglob("*"))
        if path.is_file() and path.suffix != ".md"
    }


def _assets(settings: Settings, plugins: tuple[Plugin, ...]) -> dict[str, Path]:
    """Return the styles, scripts and fonts of the pages."""
    files = sorted(path for path in ASSETS.rglob("*") if path.is_file())
    own = {f"{ASSET_FOLDER}/{path.relative_to(ASSETS).as_posix()}": path for path in files}
    added = [path for plugin in plugins for path in plugin.assets()]
    return own | {f"assets/plugins/{path.name}": path for path in added}


def shared_files(course: Course) -> dict[str, bytes]:
    """Return the files that are made from all chapters together. Raises SiteError."""
    files = {f"{ASSET_FOLDER}/{hover_cards.FILE}": hover_cards.cards_script(course).encode()}
    if any(chapter.lists_papers for chapter in course.chapters.values()):
        files[bibliography.FILE] = bibliography.bibtex_file(course).encode()
    files[f"{ASSET_FOLDER}/{search.FILE}"] = search.index_script(course).encode()
    files[LLMS] = llms_txt(course).encode()
    changes = changes_page(course)
    if changes and course.settings.site_url:
        files[FEED] = feed(changes, course, course.settings.site_url)
    return files


def _together(*groups: Mapping[str, Path]) -> dict[str, Path]:
    """Return the files of all groups by their paths in the site.

    Raises BuildError where two that differ want the same path.
    """
    files: dict[str, Path] = {}
    for path, source in (item for group in groups for item in group.items()):
        other = files.setdefault(path, source)
        if other != source and other.read_bytes() != source.read_bytes():
            both = f"{shown(other)} and {shown(source)}"
            raise BuildError(f"{path}: two files want this place in the site: {both}")
    return files


def _prepare(folder: Path) -> None:
    """Make the build folder; refuse one that holds what others wrote."""
    if (folder / MARKER).exists():
        return
    if folder.exists() and any(folder.iterdir()):
        raise BuildError(f"{folder} holds files that were not generated; choose another 'build'")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARKER).touch()


def _write(path: Path, data: bytes) -> bool:
    """Write `data` unless the file holds it already; say whether it was written."""
    if path.is_file() and path.read_bytes() == data:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return True


def _remove_others(folder: Path, kept: set[str]) -> set[str]:
    """Remove the pages of chapters that are gone; return their names."""
    removed = set()
    for path in sorted(folder.rglob("*"), reverse=True):
        name = path.relative_to(folder).as_posix()
        if path.is_dir():
            if not any(path.iterdir()):
                path.rmdir()
        elif name != MARKER and name not in kept:
            path.unlink()
            removed.add(name)
    return removed
