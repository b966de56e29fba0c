"""Markdown into tokens that are safe to show, and those into the HTML that Matrix allows."""

import re
from collections.abc import Collection, MutableMapping, Sequence
from typing import Final

import nh3
from markdown_it import MarkdownIt
from markdown_it.token import Token

from lycatra_appservice.matrix.defuse import LINK_SCHEMES, clean, defuse, defuse_room, may_link
from lycatra_appservice.model import JSON, UserID

MAX_DEPTH: Final = 90  # the specification lets clients stop at 100 levels

# What we write is a part of what the client-server specification allows in `formatted_body`.
ALLOWED: Final[dict[str, set[str]]] = {
    **{tag: set() for tag in ("h1", "h2", "h3", "h4", "h5", "h6", "p", "blockquote", "hr", "br")},
    **{tag: set() for tag in ("ul", "li", "strong", "em", "del", "pre")},
    **{tag: set() for tag in ("table", "thead", "tbody", "tr", "th", "td")},
    "ol": {"start"},
    "a": {"href"},
    "code": {"class"},
}

_BREAK_TAG: Final = re.compile(r"[ \t]*<br[ \t]*/?>[ \t]*")
_LANGUAGE: Final = re.compile(r"[\w+#.-]{1,40}", re.ASCII)
_OPTIONS: Final = {
    "html": False,
    "linkify": False,
    "breaks": True,  # in a chat a line is a line, in HTML as in the plain body
    "maxNesting": MAX_DEPTH,
}
_MARKDOWN: Final = MarkdownIt("commonmark", _OPTIONS).enable(["table", "strikethrough"])
# Looking for links takes the square of the brackets: a text full of them does without.
_MOST_BRACKETS: Final = 2000
_WITHOUT_LINKS: Final = (
    MarkdownIt("commonmark", _OPTIONS)
    .enable(["table", "strikethrough"])
    .disable(["link", "image", "reference"])
)
_BLOCKS: Final = (
    MarkdownIt("commonmark", _OPTIONS).enable("table").disable(["inline", "text_join"])
)


def _keep(tag: str, attribute: str, value: str) -> str | None:
    if (tag, attribute) == ("code", "class"):
        language = value.removeprefix("language-")
        return value if language != value and _LANGUAGE.fullmatch(language) else None
    return value


_SANITISER: Final = nh3.Cleaner(
    tags=set(ALLOWED),
    # "*" must be said: left out, it stands for `title` and `lang`.
    attributes={"*": set(), **{tag: names for tag, names in ALLOWED.items() if names}},
    attribute_filter=_keep,
    url_schemes=set(LINK_SCHEMES),
    url_relative="deny",
    link_rel=None,
)


def parse(
    source: str,
    allowed: Collection[UserID],
    references: MutableMapping[str, JSON] | None = None,
) -> list[Token]:
    """Tokens of cleaned Markdown: images are links, links are safe, mentions are defused.

    `references` takes the link definitions found and lends those of earlier parses, so that a
    part of a text knows what another part defines.
    """
    parser = _MARKDOWN if source.count("[") <= _MOST_BRACKETS else _WITHOUT_LINKS
    tokens = parser.parse(source, references)
    for token in tokens:
        if token.type == "inline":
            token.children = _tamed(token.children or [], allowed)
        elif token.type in {"fence", "code_block"}:
            token.content = defuse_room(clean(token.content))
            token.info = language_of(token)
    return tokens


def parse_blocks(source: str) -> list[Token]:
    """Only where blocks begin and end; what stands in a line is not read. For cutting."""
    return _BLOCKS.parse(source)


def to_html(tokens: Sequence[Token]) -> str:
    """HTML with nothing in it but `ALLOWED`."""
    return _SANITISER.clean(_MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {})).strip()


def is_too_deep(tokens: Sequence[Token]) -> bool:
    """Whether elements stand in one another so deeply that text was lost or clients would stop."""
    for token in tokens:
        inner = max((child.level for child in token.children or ()), default=0)
        if token.level + inner >= MAX_DEPTH - 1:
            return True
    return False


def language_of(token: Token) -> str:
    """The language of a code block, or nothing if it is not the name of one."""
    first = token.info.split(maxsplit=1)[:1]
    return first[0] if first and _LANGUAGE.fullmatch(first[0]) else ""


def _tamed(children: Sequence[Token], allowed: Collection[UserID]) -> list[Token]:
    tamed: list[Token] = []
    for child in _without_unsafe_links(_without_images(children), allowed):
        # Merged first: two harmless neighbours may name somebody together.
        if child.type == "text" and tamed and tamed[-1].type == "text":
            tamed[-1].content += child.content
        else:
            tamed.append(child)
    for child in tamed:
        if child.type == "text":
            child.content = defuse(clean(child.content), allowed)
        elif child.type == "code_inline":
            child.content = defuse_room(clean(child.content))
        elif child.tag == "s":
            child.tag = "del"  # the older of the two names, which every client knows
    return [piece for child in tamed for piece in _broken_at_tags(child)]


def _broken_at_tags(child: Token) -> Sequence[Token]:
    """A text with its `<br>` as line breaks: models know no other way to end a line in a table."""
    if child.type != "text" or "<br" not in child.content:
        return [child]
    pieces: list[Token] = []
    for content in _BREAK_TAG.split(child.content):
        text = Token("text", "", 0, content=content, level=child.level)
        pieces += [*([Token("hardbreak", "br", 0)] if pieces else []), text]
    return pieces


def _without_images(children: Sequence[Token]) -> list[Token]:
    """An image becomes a link to it: nothing is fetched from where a text says."""
    tokens: list[Token] = []
    in_link = False
    for child in children:
        if child.type in {"link_open", "link_close"}:
            in_link = child.type == "link_open"
        if child.type != "image":
            tokens.append(child)
            continue
        source = str(child.attrGet("src") or "")
        alternative = Token("text", "", 0, content=child.content or ("" if in_link else source))
        if in_link:
            tokens.append(alternative)
        else:
            opening = Token("link_open", "a", 1, attrs={"href": source})
            tokens += [opening, alternative, Token("link_close", "a", -1)]
    return tokens


def _without_unsafe_links(children: Sequence[Token], allowed: Collection[UserID]) -> list[Token]:
    tokens: list[Token] = []
    safe = True  # links hold no links, so that one flag is enough
    for child in children:
        if child.type == "link_open":
            safe = may_link(str(child.attrGet("href") or ""), allowed)
        if safe or child.type not in {"link_open", "link_close"}:
            tokens.append(child)
    return tokens
