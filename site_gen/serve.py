"""Serve the site and rebuild what changes."""

import logging
import signal
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
from mkdocs.commands.build import build as build_site
from mkdocs.livereload import LiveReloadServer

from site_gen.build import BuildError, generate, load_resolved, mkdocs_errors
from site_gen.config import read_settings
from site_gen.errors import SiteError
from site_gen.plugins import PluginError
from site_gen.unchanged import Rendered

POLLING_SECONDS = 0.2


@dataclass
class Rebuilder:
    """Builds the site into `site` again and again, each time as little of it as possible."""

    file: Path
    site: Path
    url: str
    navigation: list[Any] = field(default_factory=list)
    rendered: Rendered | None = None

    def build(self) -> None:
        """Build what changed. Raises SiteError, PluginError or BuildError."""
        settings = read_settings(self.file)
        generated = generate(settings, self.rendered)
        resolved = generated.configuration_changed or generated.navigation != self.navigation
        self.navigation = []
        if generated.changed or resolved:
            config = load_resolved(settings, self.site, strict=False, site_url=self.url)
            if resolved:
                config.plugins.on_startup(command="serve", dirty=True)
            # A dirty build warns of itself each time.
            with mkdocs_errors(logging.ERROR):
                build_site(config, serve_url=self.url, dirty=not resolved)
        self.navigation = generated.navigation
        self.rendered = generated.rendered

    def rebuild(self) -> None:
        """Build what changed; an error is told in one line, and the last good pages stay."""
        start = time.perf_counter()
        try:
            self.build()
        except (SiteError, PluginError, BuildError) as error:
            click.echo(str(error), err=True)
        else:
            click.echo(f"Rebuilt in {time.perf_counter() - start:.2f} s")


def serve(file: Path, host: str, port: int) -> None:
    """Serve the site of the `mkdocs.yml` at `file` until Ctrl-C.

    Raises SiteError, PluginError or BuildError when the first build fails or the port is taken.
    """
    # Compiled modules beside the sources would look like changes of the sources.
    sys.dont_write_bytecode = True
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="site_gen_") as folder:
        rebuilder = Rebuilder(file, Path(folder), f"http://{host}:{port}/")
        rebuilder.build()
        server = LiveReloadServer(
            rebuilder.rebuild, host, port, folder, polling_interval=POLLING_SECONDS
        )
        for path in read_settings(file).watched:
            server.watch(str(path))
        click.echo(f"Serving on {rebuilder.url} (stop with Ctrl-C)")
        try:
            server.serve()  # type: ignore[no-untyped-call]
        except KeyboardInterrupt:
            click.echo("Stopped.")
        except OSError as error:
            raise BuildError(f"cannot serve on {host}:{port}: {error.strerror}") from None
        finally:
            server.shutdown()
