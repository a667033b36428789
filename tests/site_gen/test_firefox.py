"""The built pages in another engine: Firefox draws both columns, with text in them."""

import shutil
import subprocess

import pytest
from PIL import Image

from tests.site_gen.browsing import serving

FIREFOX = shutil.which("firefox-esr") or shutil.which("firefox")
WIDTH, HEIGHT = 1280, 1400
CODE_GROUND = (0xF5, 0xF2, 0xEA)
PAPER = (0xFD, 0xFC, 0xF9)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(FIREFOX is None, reason="no Firefox found: install firefox-esr"),
]


def picture(address: str, folder) -> Image.Image:
    target = folder / "page.png"
    options = ["--headless", "--profile", folder, f"--window-size={WIDTH},{HEIGHT}"]
    subprocess.run(
        [FIREFOX, *options, "--screenshot", target, address],
        check=True,
        capture_output=True,
        timeout=300,
    )
    return Image.open(target).convert("RGB")


def share(image: Image.Image, colour: tuple[int, int, int]) -> float:
    counts = {colour: count for count, colour in image.getcolors(WIDTH * HEIGHT)}
    return counts.get(colour, 0) / (image.width * image.height)


def ink(image: Image.Image) -> float:
    """The share of dark points."""
    histogram = image.convert("L").histogram()
    return sum(histogram[:100]) / sum(histogram)


def test_prose_stands_beside_code_in_firefox(this_site, tmp_path):
    with serving(this_site) as address:
        image = picture(f"{address}optimizers/adam.html", tmp_path)
    assert image.size == (WIDTH, HEIGHT)
    half = WIDTH * 44 // 100
    prose = image.crop((0, 450, half, HEIGHT))
    code = image.crop((half, 450, WIDTH, HEIGHT))
    assert share(prose, PAPER) > 0.7
    assert 0.01 < ink(prose) < 0.2
    assert share(code, CODE_GROUND) > 0.6


def test_the_landing_page_has_text_in_firefox(this_site, tmp_path):
    with serving(this_site) as address:
        image = picture(address, tmp_path)
    assert share(image, PAPER) > 0.6
    assert ink(image.crop((0, 60, WIDTH // 2, HEIGHT))) > 0.005
