"""Takes a model's thinking out of what it says."""

import re

_TAG = re.compile(r"<(/?)(?:think|thinking)>")
_LONGEST_TAG = len("</thinking>")
_TAGS = ("<think>", "</think>", "<thinking>", "</thinking>")


class ThinkingFilter:
    """Strips `<think>…</think>`, also cut anywhere by the stream, or never closed.

    Some servers open the block in their own template, so that only its end arrives: what stood
    before such an end is thinking too, and `text` does not have it although it was passed on.
    """

    def __init__(self, *, waits_for_end: bool = False) -> None:
        """`waits_for_end`: pass nothing on before such an end; this model has sent one before."""
        self._passes_on = not waits_for_end
        self.took_back = False  # such an end has come
        self._visible: list[str] = []
        self._held = ""
        self._thinking = False

    @property
    def text(self) -> str:
        """Everything visible so far."""
        return "".join(self._visible)

    def feed(self, piece: str) -> str:
        """Take the next piece; returns what of it, and of what was held back, may be shown."""
        pending = self._held + piece
        shown: list[str] = []
        start = 0
        for tag in _TAG.finditer(pending):
            self._keep(pending[start : tag.start()], shown)
            start = tag.end()
            self._cross(closing=bool(tag[1]), shown=shown)
        rest = pending[start:]
        self._held = _possible_tag(rest)
        self._keep(rest[: len(rest) - len(self._held)], shown)
        return "".join(shown)

    def finish(self) -> str:
        """The stream is over: what was held back was no tag after all."""
        shown: list[str] = []
        self._keep(self._held, shown)
        self._held = ""
        return "".join(shown)

    def _keep(self, text: str, shown: list[str]) -> None:
        if text and not self._thinking:
            self._visible.append(text)
            if self._passes_on:
                shown.append(text)

    def _cross(self, *, closing: bool, shown: list[str]) -> None:
        if closing and not self._thinking:
            self._visible.clear()
            shown.clear()
            self.took_back = self._passes_on = True
        self._thinking = not closing


def _possible_tag(text: str) -> str:
    start = text.rfind("<", max(0, len(text) - _LONGEST_TAG))
    if start < 0:
        return ""
    tail = text[start:]
    return tail if any(tag.startswith(tail) for tag in _TAGS) else ""
