"""A configuration to begin with."""

import json
from collections.abc import Iterator
from pathlib import Path
from string import Template

from site_gen.errors import SiteError

TEMPLATE = Path(__file__).parent / "templates" / "mkdocs.yml"
CONFIG = "mkdocs.yml"
# Where packages lie, seen from the folder of a project.
PLACES = ("", "src")


def write_config(folder: Path, package: str | None = None) -> Path:
    """Write a `mkdocs.yml` for a package or module into `folder`; return its path.

    `package` is a name, or a path from `folder`; without it the folder must hold one package. Raises
    SiteError when that is not so, and when there is a `mkdocs.yml`.
    """
    config = folder / CONFIG
    if not folder.is_dir():
        raise SiteError(folder, 1, "no such folder")
    if config.exists():
        raise SiteError(config, 1, "is already there")
    source = _named(folder, package) if package else _only(folder)
    text = Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        name=_quoted(source.stem), path=_quoted(_seen_from(folder, source))
    )
    config.write_text(text, encoding="utf-8")
    return config


def _named(folder: Path, package: str) -> Path:
    relative = package.replace(".", "/") if not package.endswith(".py") else package
    names = (package, relative, f"{relative}.py")
    for place in PLACES:
        for name in names:
            path = folder / place / name
            if path.is_file() or (path.is_dir() and any(path.rglob("*.py"))):
                return path
    raise SiteError(folder, 1, f"there is no package or module {package!r}")


def _only(folder: Path) -> Path:
    packages = list(_packages(folder))
    if not packages:
        raise SiteError(folder, 1, "holds no package; name one with --package")
    if len(packages) > 1:
        names = ", ".join(path.name for path in packages)
        raise SiteError(
            folder, 1, f"holds more than one package ({names}); name one with --package"
        )
    return packages[0]


def _packages(folder: Path) -> Iterator[Path]:
    for place in PLACES:
        for file in sorted((folder / place).glob("*/__init__.py")):
            if file.parent.name not in ("tests", "test"):
                yield file.parent


def _seen_from(folder: Path, source: Path) -> str:
    source, folder = source.resolve(), folder.resolve()
    inside = source.is_relative_to(folder)
    return (source.relative_to(folder) if inside else source).as_posix()


def _quoted(text: str) -> str:
    """Return a text as YAML, whatever is in it."""
    return json.dumps(text, ensure_ascii=False)
