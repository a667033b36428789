"""Who uses what: the chapters that build on a page, and an index of names that others explain."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from html import escape

from markupsafe import Markup

from site_gen.chapters import Chapter
from site_gen.course import Course
from site_gen.prose import References
from site_gen.resolution import External, Place, Use, Used

MOST_SHOWN = 12


def used_by(chapter: Chapter, course: Course) -> Markup | None:
    """Return the list of the chapters that use what `chapter` defines; None if there is none."""
    items = list(_items(course.resolution.uses_of(chapter), chapter, course))
    return Markup("<ul>{}</ul>").format(Markup("").join(items)) if items else None


def _items(uses: list[Used[Place]], chapter: Chapter, course: Course) -> Iterator[Markup]:
    """Yield a line for each class with heirs, then one for each group of names used alike."""
    alike: dict[tuple[str, ...], list[Place]] = defaultdict(list)
    users: dict[tuple[str, ...], list[Use]] = {}
    for used in uses:
        found = _in_order(used.by, course)
        heirs = [use for use in found if use.inherits]
        others = [use for use in found if not use.inherits]
        if heirs:
            yield _item("Inherit from", [used.target], heirs, chapter, course)
        if others:
            key = tuple(use.chapter.name for use in others)
            alike[key].append(used.target)
            users.setdefault(key, others)
    for key, places in alike.items():
        yield _item("Use", places, users[key], chapter, course)


def _in_order(by_chapter: dict[str, Use], course: Course) -> list[Use]:
    order = (chapter.name for part in course.parts for chapter in part.chapters)
    return [by_chapter[name] for name in order if name in by_chapter]


def _item(
    verb: str, places: Sequence[Place], uses: Sequence[Use], chapter: Chapter, course: Course
) -> Markup:
    names = Markup(", ").join(
        Markup('<a href="#{}"><code>{}</code></a>').format(place.anchor, place.name)
        for place in places
    )
    links = _links(uses, chapter, course)
    head = Markup("{} {}").format(verb, names)
    if len(uses) <= MOST_SHOWN:
        return Markup("<li>{}: {}</li>").format(head, links)
    return Markup("<li>{}: <details><summary>{} chapters</summary>{}</details></li>").format(
        head, len(uses), links
    )


def _links(uses: Sequence[Use], seen_from: Chapter, course: Course) -> Markup:
    return Markup(", ").join(
        Markup('<a href="{}">{}</a>').format(
            course.address(use.chapter, f"line-{use.line}", seen_from), use.chapter.title
        )
        for use in uses
    )


def identifier_index(course: Course, seen_from: Chapter, _: References) -> str:
    """Return the HTML of an index: names that the inventories explain, and who uses them."""
    groups: dict[str, list[Used[External]]] = defaultdict(list)
    for used in course.resolution.external_uses():
        if used.target.inventory.in_index:
            groups[used.target.name.rpartition(".")[0]].append(used)
    html = []
    for owner in sorted(filter(None, groups)):
        rows = "".join(
            _row(used, seen_from, course)
            for used in sorted(groups[owner], key=lambda used: used.target.name)
        )
        anchor = escape(f"names-{owner}")
        html.append(f'<h2 id="{anchor}"><code>{escape(owner)}</code></h2><dl>{rows}</dl>')
    return f'<div class="lit-index">{"".join(html)}</div>'


def _row(used: Used[External], seen_from: Chapter, course: Course) -> Markup:
    return Markup('<dt id="{}"><a href="{}"><code>{}</code></a></dt><dd>{}</dd>').format(
        used.target.name,
        used.target.address,
        used.target.name.rpartition(".")[2],
        _links(_in_order(used.by, course), seen_from, course),
    )
