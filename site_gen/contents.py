"""The table of contents: every part with its chapters and what they say in one sentence."""

from html import escape

from site_gen import prose
from site_gen.chapters import Chapter
from site_gen.course import Course
from site_gen.prose import References
from site_gen.reading_time import reading_minutes


def contents(course: Course, seen_from: Chapter, references: References) -> str:
    """Return the HTML of the table of contents, for the page `seen_from`."""
    html = ['<p class="lit-progress"></p>']
    for part in course.parts:
        items = [_item(course, chapter, seen_from, references) for chapter in part.chapters]
        title = escape(part.label)
        html.append(
            f'<section class="lit-contents"><h2 id="{part.anchor}">{title}'
            f' <span class="lit-count"></span></h2>'
            f"<ol>{''.join(items)}</ol></section>"
        )
    return "\n".join(html)


def _item(course: Course, chapter: Chapter, seen_from: Chapter, references: References) -> str:
    address = escape(course.address(chapter, "", seen_from))
    number = escape(course.place(chapter) or "")
    front = chapter.front_matter
    text = ""
    if front.summary:
        summary = prose.inline(
            front.summary,
            chapter.path,
            front.line("summary"),
            references,
            strict=course.settings.strict,
        )
        text = f"<p>{summary}</p>"
    numbered = ' data-chapter=""' if number else ""
    return (
        f'<li><span class="lit-number">{number}</span>'
        f'<div><a href="{address}"{numbered}>{escape(chapter.title)}</a>'
        f' <span class="lit-minutes">{reading_minutes(chapter)} min</span>{text}</div></li>'
    )
