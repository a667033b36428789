"""The command line: `python -m site_gen new | build | finish | generate | serve | zip | pdf`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import IO, Literal, ParamSpec

import click

from site_gen.archive import write_zip
from site_gen.build import BuildError, build, generate
from site_gen.config import read_settings
from site_gen.errors import SiteError
from site_gen.finish import finish
from site_gen.new import write_config
from site_gen.plugins import PluginError
from site_gen.rendering import cores

Parameters = ParamSpec("Parameters")
config_option = click.option(
    "--config",
    type=click.Path(path_type=Path),
    default=Path("mkdocs.yml"),
    show_default=True,
    help="The configuration of the site.",
)


class OneLine(click.ClickException):
    """An error whose message is the whole output, as compilers write it."""

    def show(self, file: IO[str] | None = None) -> None:
        """Print the message to standard error."""
        click.echo(self.message, file=file, err=file is None)


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn what stops a build into one line on standard error and exit status 1."""
    try:
        yield
    except (SiteError, PluginError, BuildError) as error:
        raise OneLine(str(error)) from None
    except OSError as error:
        raise OneLine(f"{error.filename}: {error.strerror}") from None


def _tells_errors(command: Callable[Parameters, None]) -> Callable[Parameters, None]:
    @wraps(command)
    def wrapped(*args: Parameters.args, **kwargs: Parameters.kwargs) -> None:
        with one_line_errors():
            command(*args, **kwargs)

    return wrapped


@click.group()
def main() -> None:
    """Turn annotated Python into a site, prose and code side by side."""


@main.command("new")
@click.option("--package", help="The package or module whose files become pages.")
@click.argument("folder", type=click.Path(path_type=Path), default=Path())
@_tells_errors
def new_command(package: str | None, folder: Path) -> None:
    """Write a small mkdocs.yml into FOLDER, for the package that lies there."""
    config = write_config(folder, package)
    click.echo(f"{config} is written; python -m site_gen build --config {config} makes the site")


@main.command("generate")
@config_option
@_tells_errors
def generate_command(config: Path) -> None:
    """Write the pages into the build folder, and stop there."""
    settings = read_settings(config)
    generated = generate(settings, processes=cores())
    click.echo(f"{len(generated.changed)} files changed in {settings.pages}")


@main.command("build")
@config_option
@_tells_errors
def build_command(config: Path) -> None:
    """Build the site."""
    settings = read_settings(config)
    build(settings, processes=cores())
    click.echo(f"The site is in {settings.site}")


@main.command("finish")
@config_option
@click.argument("site", type=click.Path(path_type=Path, exists=True, file_okay=False))
@_tells_errors
def finish_command(config: Path, site: Path) -> None:
    """Complete the folder SITE that another program has built from the build folder."""
    finish(site, read_settings(config))
    click.echo(f"The site in {site} is complete")


@main.command("zip")
@config_option
@click.option(
    "--to", "target", type=click.Path(path_type=Path, dir_okay=False), help="The file to write."
)
@_tells_errors
def zip_command(config: Path, target: Path | None) -> None:
    """Write the built site into one zip file."""
    settings = read_settings(config)
    if not settings.site.is_dir():
        raise BuildError(f"{settings.site} is not there; build the site first")
    target = target or settings.site.with_suffix(".zip")
    write_zip(settings.site, target)
    click.echo(f"The site is in {target}")


@main.command("pdf")
@config_option
@click.option(
    "--to", "target", type=click.Path(path_type=Path, dir_okay=False), help="The file to write."
)
@click.option("--paper", type=click.Choice(["A4", "Letter"]), default="A4", show_default=True)
@_tells_errors
def pdf_command(config: Path, target: Path | None, paper: Literal["A4", "Letter"]) -> None:
    """Print the built site into one PDF."""
    try:
        from site_gen.pdf import write_pdf
    except ModuleNotFoundError as error:
        raise BuildError(f"{error.name} is not there; it comes with the extra 'pdf'") from None
    settings = read_settings(config)
    target = target or settings.site.with_suffix(".pdf")
    pages = write_pdf(settings, target, paper)
    click.echo(f"The site is in {target}, on {pages} pages")


@main.command("serve")
@config_option
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True)
@_tells_errors
def serve_command(config: Path, host: str, port: int) -> None:
    """Serve the site and rebuild what changes."""
    from site_gen.serve import serve

    serve(config, host, port)
