"""Plain `mkdocs build` and `mkdocs serve`: generate the pages first, then use them."""

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import Abort
from mkdocs.livereload import LiveReloadServer

from site_gen import passthrough
from site_gen.build import STYLES, BuildError, generate
from site_gen.config import read_settings
from site_gen.errors import SiteError
from site_gen.finish import finish
from site_gen.plugins import PluginError


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Generate the pages and point MkDocs at them."""
    try:
        settings = read_settings(Path(config.config_file_path))
        generated = generate(settings)
    except (SiteError, PluginError, BuildError) as error:
        raise Abort(str(error)) from None
    config.docs_dir = str(settings.pages)
    config.nav = generated.navigation
    config.extra_css = [STYLES, *config.extra_css]
    config.extra_javascript = [*generated.scripts, *config.extra_javascript]
    config.markdown_extensions = [*config.markdown_extensions, passthrough.NAME]
    return config


def on_post_build(config: MkDocsConfig) -> None:
    """Complete what MkDocs has built."""
    finish(Path(config.site_dir), read_settings(Path(config.config_file_path)))


def on_serve(server: LiveReloadServer, config: MkDocsConfig, **_: object) -> LiveReloadServer:
    """Watch the sources instead of what is generated from them."""
    server.unwatch(config.docs_dir)
    for path in read_settings(Path(config.config_file_path)).watched:
        server.watch(str(path))
    return server
