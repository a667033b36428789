"""The Markdown extension that leaves our pages alone."""

import markdown
import pytest

from site_gen.passthrough import NAME

PAGE = '<div class="lit-page">\n<p>2 &lt; 3 &amp; *this* stays, &#9;</p>\n</div>'


def converted(text: str) -> str:
    return markdown.markdown(text, extensions=[NAME])


@pytest.mark.parametrize("text", [PAGE, f"\n\n{PAGE}\n"])
def test_a_page_of_ours_comes_out_as_it_went_in(text):
    assert converted(text) == PAGE


def test_nothing_behind_the_beginning_is_read():
    text = f"{PAGE}\n\nA *word*."
    assert converted(text) == text


def test_other_text_is_markdown():
    text = 'A *word*.\n\n<div class="lit-page">raw</div>'
    assert converted(text) == markdown.markdown(text)


def test_the_build_folder_names_the_extension_behind_those_of_the_course(course):
    options = course.config.read_text().replace(
        "theme:", "markdown_extensions: [tables]\ntheme:", 1
    )
    course.config.write_text(options)
    course.build()
    resolved = (course.root / "build/mkdocs.yml").read_text()
    assert resolved.index("- tables") < resolved.index(f"- {NAME}")
