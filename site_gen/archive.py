"""The site in one file, for reading without a network."""

import zipfile
from pathlib import Path

# The earliest day that the format knows: the same site gives the same bytes on any day.
DAY = (1980, 1, 1, 0, 0, 0)


def write_zip(site: Path, target: Path) -> None:
    """Write all files below `site` to the zip file `target`, in a folder of the site's name."""
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_suffix(".part")
    with zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(path for path in site.rglob("*") if path.is_file()):
            name = (Path(site.name) / path.relative_to(site)).as_posix()
            entry = zipfile.ZipInfo(name, DAY)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes())
    unfinished.replace(target)
