"""Markdown to HTML: math, links, headings with anchors; raw HTML stays text.

A piece of prose is parsed once (`parse`), asked for its headings, and rendered (`Prose.render`)
when every page is known, so that links can be checked.

Containers (`::: name`) hold what Markdown has no words for: `solution`; the generated lists
`contents`, `map` and `papers`; what a course explains, in `glossary` and `notation` (see
`entries`); and `columns` of `column`s and `choices`, a list of places to start.

Strict prose stops the build at what it cannot mean: a link to nothing, a formula that does not
parse. Prose that is not strict shows such places as they are written.
"""

import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import Any, Protocol

from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import OptionsDict
from mdit_py_plugins.amsmath import amsmath_plugin
from mdit_py_plugins.container import container_plugin
from mdit_py_plugins.deflist import deflist_plugin
from mdit_py_plugins.dollarmath import dollarmath_plugin

from site_gen.entries import Entry, name_entries
from site_gen.errors import SiteError
from site_gen.highlight import snippet
from site_gen.mathml import MathError, text_of, to_mathml
from site_gen.sections import Line

MATH = {"math_inline", "math_inline_double", "math_block", "amsmath"}
DOLLARS = {"math_inline": "$", "math_inline_double": "$$", "math_block": "$$"}
PLAIN_TEXT = "plain_text"
LINE_BREAKS = {"softbreak", "hardbreak"}
LISTINGS = ("contents", "map", "papers", "identifiers")
WRAPPERS = ("glossary", "notation", "columns", "column", "choices")
TEXT_OPENS = {"paragraph_open", "td_open", "dd_open"}


@dataclass(frozen=True)
class Picture:
    """The address of a picture, and its width and height where they are known."""

    address: str
    size: tuple[int, int] | None = None


class References(Protocol):
    """What prose can point at. All of them raise SiteError for what does not exist."""

    def link(self, target: str, line: int) -> str:
        """Return the address for a link that is written as `target`."""

    def image(self, target: str, line: int) -> Picture:
        """Return the address and size of a picture that is written as `target`."""

    def definition(self, name: str) -> str | None:
        """Return the address of the class or function that inline code names, if it is one."""

    def listing(self, name: str, line: int) -> str:
        """Return the HTML of a generated list, for the container of that name."""

    def terms(self, text: str) -> Iterable[tuple[str, str | None]]:
        """Return `text` in pieces, each with the address of what explains it, if it is a term."""

    def symbol(self, tex: str) -> str | None:
        """Return the address of what explains a formula that is one symbol."""

    def has_card(self, target: str) -> bool:
        """Whether what a link names, as it is written, is a paper, a term or a symbol."""


@dataclass(frozen=True)
class Heading:
    """A heading within prose. `anchor` is what links name."""

    text: str
    level: int
    anchor: str
    line: int


@dataclass(frozen=True)
class ParsedProse:
    """Markdown, parsed; every token knows its line in the source."""

    tokens: tuple[Token, ...]
    headings: tuple[Heading, ...]
    path: Path
    entries: tuple[Entry, ...] = ()
    strict: bool = True

    def render(self, references: References) -> str:
        """Return the HTML."""
        environment = {"references": references, "path": self.path, "strict": self.strict}
        parser = _parser()
        return str(parser.renderer.render(self.tokens, parser.options, environment))


def parse(
    lines: Sequence[Line], path: Path, scope: str = "", *, strict: bool = True
) -> ParsedProse:
    """Parse the Markdown in `lines` of the file at `path`.

    Anchors of headings start with `scope`, the qualified name that the prose belongs to. Strict
    prose raises SiteError for a lone dollar sign or an unknown container.
    """
    tokens = _parser().parse("\n".join(line.text for line in lines))
    numbers = [line.number for line in lines] or [1]
    _number_tokens(tokens, numbers)
    if strict:
        for token in _all_tokens(tokens):
            _refuse(token, path)
    _prepare_text(tokens)
    _prepare_cells(tokens)
    headings = tuple(_name_headings(tokens, scope))
    return ParsedProse(tuple(tokens), headings, path, tuple(name_entries(tokens)), strict)


def with_free_anchors(piece: ParsedProse, is_free: Callable[[str], bool]) -> ParsedProse:
    """Return the piece with numbers behind the anchors of headings that are not free."""
    openings = [token for token in piece.tokens if token.type == "heading_open"]
    used: set[str] = set()
    headings = []
    for token, heading in zip(openings, piece.headings, strict=True):
        names = (f"{heading.anchor}-{number}" for number in itertools.count(2))
        anchor = next(
            name
            for name in itertools.chain([heading.anchor], names)
            if is_free(name) and name not in used
        )
        used.add(anchor)
        token.attrSet("id", anchor)
        headings.append(replace(heading, anchor=anchor))
    return replace(piece, headings=tuple(headings))


def inline(text: str, path: Path, line: int, references: References, *, strict: bool = True) -> str:
    """Return the HTML of one sentence of Markdown, without a paragraph around it."""
    html = parse([Line(line, text)], path, strict=strict).render(references).strip()
    return html.removeprefix("<p>").removesuffix("</p>")


def link_targets(piece: ParsedProse) -> Iterator[str]:
    """Return what the links of a piece of prose name, as they are written."""
    return (
        str(token.attrGet("href"))
        for token in _all_tokens(piece.tokens)
        if token.type == "link_open"
    )


def plain(text: str) -> str:
    """Return one sentence of Markdown without its marks."""
    return "".join(
        token.content for token in _all_tokens(_parser().parseInline(text)) if not token.children
    )


def sections_of(piece: ParsedProse) -> Iterator[tuple[Heading | None, str]]:
    """Yield each heading with the text between it and the next, without marks.

    The text before the first heading comes with None. Code blocks and displayed formulas are left out.
    """
    headings = iter(piece.headings)
    heading: Heading | None = None
    texts: list[str] = []
    inside_heading = False
    for token in piece.tokens:
        if token.type == "heading_open":
            yield heading, " ".join(filter(None, texts))
            heading, texts = next(headings), []
        inside_heading = token.type == "heading_open" or (
            inside_heading and token.type != "heading_close"
        )
        if not inside_heading:
            texts.append(_text_of(token))
    yield heading, " ".join(filter(None, texts))


def entry_texts(piece: ParsedProse) -> Iterator[tuple[Entry, str]]:
    """Yield each term or symbol that the piece explains, with the explanation without marks."""
    for entry in piece.entries:
        yield entry, " ".join(filter(None, map(_text_of, entry.body)))


def _text_of(token: Token) -> str:
    """Return the text of a block; formulas within it as TeX, code and formulas of their own not."""
    leaves = [each for each in _all_tokens(token.children or ()) if not each.children]
    return "".join(" " if each.type in LINE_BREAKS else each.content for each in leaves)


def slug(text: str, words: int | None = None) -> str:
    """Return `text` as an anchor: lower-case words with hyphens, at most `words` of them."""
    return "-".join(re.findall(r"\w+", text.lower())[:words])


@lru_cache(maxsize=1)
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    parser.disable("text_join")
    parser.use(dollarmath_plugin, allow_labels=False, allow_space=False, double_inline=True)
    parser.use(amsmath_plugin)
    parser.use(container_plugin, "solution", render=_solution)
    for name in LISTINGS:
        parser.use(container_plugin, name, render=_listing)
    for name in WRAPPERS:
        parser.use(container_plugin, name, render=_wrapper)
    parser.use(deflist_plugin)
    rules = {
        "text": _text,
        "text_special": _text_special,
        "math_inline": _math,
        "math_inline_double": _math,
        "math_block": _math,
        "amsmath": _math,
        PLAIN_TEXT: _plain_text,
        "fence": _code_block,
        "code_block": _code_block,
        "code_inline": _inline_code,
        "heading_close": _heading_close,
        "link_open": _link_open,
        "link_close": _link_close,
        "image": _image,
        "table_open": lambda *_: '<div class="lit-table"><table>',
        "table_close": lambda *_: "</table></div>",
        "th_open": _cell_open,
        "td_open": _cell_open,
    }
    for name, rule in rules.items():
        parser.add_render_rule(name, _as_method(rule))
    return parser


Rule = Callable[[Sequence[Token], int, Any], str]


def _as_method(rule: Rule) -> Callable[..., str]:
    def method(
        _: RendererHTML, tokens: Sequence[Token], index: int, __: OptionsDict, environment: Any
    ) -> str:
        return rule(tokens, index, environment)

    return method


def _all_tokens(tokens: Iterable[Token]) -> Iterator[Token]:
    for token in tokens:
        yield token
        yield from _all_tokens(token.children or ())


def _number_tokens(tokens: Iterable[Token], numbers: list[int]) -> None:
    """Store in each token's `meta` the line of the source that it stands on."""
    index = 0
    for token in tokens:
        index = token.map[0] if token.map else index
        token.meta["line"] = numbers[min(index, len(numbers) - 1)]
        child_index = index
        for child in token.children or ():
            child.meta["line"] = numbers[min(child_index, len(numbers) - 1)]
            child_index += 1 if child.type in LINE_BREAKS else child.content.count("\n")


def _refuse(token: Token, path: Path) -> None:
    """Raise SiteError for text that is an unfinished formula or an unknown container."""
    if token.type == "text" and "$" in token.content:
        message = r"a $ that opens no formula; write \$ for the sign itself"
        raise SiteError(path, token.meta["line"], message)
    if token.type == "inline" and token.content.startswith(":::"):
        name = token.content.removeprefix(":::").split("\n")[0].strip()
        raise SiteError(path, token.meta["line"], f"unknown or unopened container {name!r}")


def _prepare_text(tokens: Sequence[Token]) -> None:
    """Join text over the ends of lines, and mark what may become a link to an explanation."""
    for before, token in itertools.pairwise(tokens):
        if token.type != "inline" or before.type not in TEXT_OPENS:
            continue
        joined: list[Token] = []
        depth = 0
        for child in token.children or ():
            depth += child.nesting if child.type in ("link_open", "link_close") else 0
            if child.type == "softbreak":
                child = Token("text", "", 0, content="\n", meta=child.meta)
            if child.type == "text" and joined and joined[-1].type == "text":
                joined[-1].content += child.content
            else:
                child.meta["explain"] = depth == 0
                joined.append(child)
        token.children = joined


def _prepare_cells(tokens: Sequence[Token]) -> None:
    """Say which cells are heads.

    An empty cell heads nothing. Below an empty corner the first cell of each row heads the row.
    """
    empty_corner = False
    for index, cell in enumerate(tokens):
        if cell.type not in ("th_open", "td_open"):
            continue
        content, closing = tokens[index + 1 : index + 3]
        empty = not content.content.strip()
        is_first = tokens[index - 1].type == "tr_open"
        if cell.type == "th_open":
            cell.tag = closing.tag = "td" if empty else "th"
            empty_corner = empty if is_first else empty_corner
        elif is_first and empty_corner and not empty:
            cell.tag = closing.tag = "th"
            cell.meta["heads_row"] = True


def _name_headings(tokens: Sequence[Token], scope: str) -> Iterator[Heading]:
    """Give every heading its anchor, and a level below the page's title."""
    for token, content in itertools.pairwise(tokens):
        if token.type != "heading_open":
            continue
        level = max(2, int(token.tag[1]))
        text = "".join(item.content for item in _all_tokens(content.children or ()))
        anchor = "-".join(filter(None, [scope, slug(text)])) or "heading"
        token.attrSet("id", anchor)
        token.tag = f"h{level}"
        yield Heading(text, level, anchor, token.meta["line"])


def _heading_close(tokens: Sequence[Token], index: int, _: Any) -> str:
    opening = tokens[index - 2]
    anchor = escape(str(opening.attrGet("id")))
    link = f'<a class="headerlink" href="#{anchor}" aria-label="Link to this heading">¶</a>'
    return f"{link}</{opening.tag}>\n"


def _text(tokens: Sequence[Token], index: int, environment: Any) -> str:
    token = tokens[index]
    if not token.meta.get("explain"):
        return escapeHtml(token.content)
    pieces = environment["references"].terms(token.content)
    return "".join(_explained(escapeHtml(text), address) for text, address in pieces)


def _explained(html: str, address: str | None) -> str:
    if address is None:
        return html
    name = f' aria-label="{escape(text_of(html))}"' if html.startswith("<math") else ""
    return f'<a class="lit-term" href="{escape(address)}"{name}>{html}</a>'


def _cell_open(tokens: Sequence[Token], index: int, _: Any) -> str:
    token = tokens[index]
    # A style within the page would need a hole in the policy of what pages may do.
    alignment = str(token.attrGet("style") or "").removeprefix("text-align:")
    scope = ' scope="row"' if token.meta.get("heads_row") else ""
    shown = f' class="lit-{alignment}"' if alignment else ""
    return f"<{token.tag}{scope}{shown}>"


def _text_special(tokens: Sequence[Token], index: int, _: Any) -> str:
    return escape(tokens[index].content)


def _math(tokens: Sequence[Token], index: int, environment: Any) -> str:
    token = tokens[index]
    display = token.type != "math_inline"
    try:
        markup = to_mathml(token.content.strip(), display=display)
    except MathError as error:
        if not environment["strict"]:
            dollars = DOLLARS.get(token.type, "")
            return f"<code>{escape(dollars + token.content + dollars)}</code>"
        skipped = len(token.content) - len(token.content.lstrip())
        line = token.meta["line"] + error.line + token.content[:skipped].count("\n")
        raise SiteError(environment["path"], line, f"formula does not parse: {error}") from None
    if not display:
        explain = token.meta.get("explain")
        address = environment["references"].symbol(token.content) if explain else None
        return _explained(markup, address)
    return f'<span class="lit-formula">{markup}</span>'


def _code_block(tokens: Sequence[Token], index: int, environment: Any) -> str:
    token = tokens[index]
    language = token.info.split()[0] if token.info.split() else ""
    try:
        code = snippet(token.content.removesuffix("\n"), language)
    except ValueError as error:
        if environment["strict"]:
            raise SiteError(environment["path"], token.meta["line"], str(error)) from None
        code = escape(token.content.removesuffix("\n"))
    return f'<div class="highlight"><pre><code>{code}</code></pre></div>\n'


def _plain_text(tokens: Sequence[Token], index: int, _: Any) -> str:
    # A browser takes a line end at the start of the element for a part of the markup.
    return f'<pre class="lit-plain">\n{escape(tokens[index].content, quote=False)}</pre>\n'


def _inline_code(tokens: Sequence[Token], index: int, environment: Any) -> str:
    text = tokens[index].content
    code = f"<code>{escape(text)}</code>"
    inside_link = sum(t.nesting for t in tokens[:index] if t.type in ("link_open", "link_close"))
    address = None if inside_link else environment["references"].definition(text)
    return f'<a href="{escape(address)}">{code}</a>' if address else code


def _link_open(tokens: Sequence[Token], index: int, environment: Any) -> str:
    token = tokens[index]
    target = str(token.attrGet("href"))
    try:
        address = environment["references"].link(target, token.meta["line"])
    except SiteError:
        if environment["strict"]:
            raise
        environment["link"] = "span"
        return f'<span title="{escape(target)}">'
    environment["link"] = "a"
    title = token.attrGet("title")
    rest = f' title="{escape(str(title))}"' if title else ""
    rest += ' class="lit-cite"' if environment["references"].has_card(target) else ""
    return f'<a href="{escape(address)}"{rest}>'


def _link_close(_: Sequence[Token], __: int, environment: Any) -> str:
    return f"</{environment['link']}>"


def _image(tokens: Sequence[Token], index: int, environment: Any) -> str:
    token = tokens[index]
    target, text = str(token.attrGet("src")), escape(token.content)
    try:
        picture = environment["references"].image(target, token.meta["line"])
    except SiteError:
        if environment["strict"]:
            raise
        return f'<span title="{escape(target)}">{text}</span>'
    size = ' width="{}" height="{}"'.format(*picture.size) if picture.size else ""
    address = escape(picture.address)
    return f'<img src="{address}" alt="{text}"{size} loading="lazy">'


def _solution(
    _: RendererHTML, tokens: Sequence[Token], index: int, __: OptionsDict, ___: Any
) -> str:
    token = tokens[index]
    if token.nesting < 0:
        return "</details>\n"
    title = token.info.strip().removeprefix("solution").strip() or "Solution"
    return f'<details class="lit-solution"><summary>{escape(title)}</summary>\n'


def _container(token: Token) -> str:
    """Return the name that a container was opened with."""
    return token.type.removeprefix("container_").removesuffix("_open")


def _listing(
    _: RendererHTML, tokens: Sequence[Token], index: int, __: OptionsDict, environment: Any
) -> str:
    token = tokens[index]
    if token.nesting < 0:
        return ""
    html: str = environment["references"].listing(_container(token), token.meta["line"])
    return html


def _wrapper(
    _: RendererHTML, tokens: Sequence[Token], index: int, __: OptionsDict, ___: Any
) -> str:
    token = tokens[index]
    if token.nesting < 0:
        return "</div>\n"
    return f'<div class="lit-{_container(token)}">\n'
