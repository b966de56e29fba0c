"""Reads HTML as a client would: which elements with which attributes, and what text."""

from html.parser import HTMLParser

# What the client-server specification (v1.15, m.room.message) lets clients show.
SPECIFIED = {
    *(f"h{level}" for level in range(1, 7)),
    *("del", "blockquote", "p", "a", "ul", "ol", "sup", "sub", "li", "b", "i", "u", "strong"),
    *("em", "s", "code", "hr", "br", "div", "table", "thead", "tbody", "tr", "th", "td"),
    *("caption", "pre", "span", "img", "details", "summary"),
}
SPECIFIED_ATTRIBUTES = {("a", "href"), ("ol", "start"), ("code", "class")}


class ReadHtml(HTMLParser):
    """The elements, attributes and text nodes of a fragment, and whatever is wrong with it."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: set[str] = set()
        self.attributes: set[tuple[str, str]] = set()
        self.links: list[str] = []
        self.classes: list[str] = []
        self.texts: list[str] = []
        self.oddities: list[str] = []
        self.deepest = 0
        self._open: list[str] = []
        self.feed(html)
        self.close()
        self.oddities += [f"<{tag}> has no end" for tag in self._open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update((tag, name) for name, _ in attrs)
        self.links += [value or "" for name, value in attrs if name == "href"]
        self.classes += [value or "" for name, value in attrs if name == "class"]
        if tag not in {"br", "hr", "img"}:
            self._open.append(tag)
            self.deepest = max(self.deepest, len(self._open))

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self.oddities.append(f"</{tag}> ends nothing")

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        self.oddities.append(data)

    def handle_decl(self, decl: str) -> None:
        self.oddities.append(decl)

    def handle_pi(self, data: str) -> None:
        self.oddities.append(data)

    def unknown_decl(self, data: str) -> None:
        self.oddities.append(data)
