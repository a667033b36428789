import pytest

from site_gen.pictures import picture_size
from tests.site_gen.modules import ROOT


def test_a_png_says_its_size():
    assert picture_size(ROOT / "docs_src/assets/page.png") == (1120, 600)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        (
            '<?xml version="1.0"?>\n<svg viewBox="0 0 1 1" width="200" height="60.4px"><g/></svg>',
            (200, 60),
        ),
        ('<svg viewBox="0 0 1 1"><rect width="3" height="4"/></svg>', None),
        ('<svg width="100%" height="4"></svg>', None),
    ],
)
def test_an_svg_says_its_size_where_it_is_in_pixels(tmp_path, text, size):
    path = tmp_path / "a.svg"
    path.write_text(text)
    assert picture_size(path) == size


def test_what_is_no_picture_has_no_size(tmp_path):
    for name in ("a.png", "a.gif"):
        (tmp_path / name).write_bytes(b"GIF89a and more than twenty-four bytes")
        assert picture_size(tmp_path / name) is None
