"""Keeping secrets out of what is written: known values, and what looks like one."""

import html
import json
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final
from urllib.parse import quote, quote_plus

MASK: Final = "***"

# A shorter value would also be found in ordinary words and hide them.
_SHORTEST_SECRET: Final = 4

# Log lines say the same words again and again: names, levels, outcomes, people.
_SHORT: Final = 80
_REMEMBERED: Final = 1024

_LOOKS_SECRET: Final = (
    re.compile(r"""((?:access|refresh|as|hs)_token["']?\s*[=:]\s*["']?)[^&\s"',}]+""", re.I),
    re.compile(r"(\bBearer\s+)[A-Za-z0-9._~+/=-]+", re.I),
    re.compile(r"(://[^/\s:@]*:)[^/\s@]+(?=@)"),  # the password of postgres://user:password@host
)


class Masker:
    """Replaces secrets in text. Knows them in the forms in which they get into messages."""

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = {form for secret in secrets for form in _forms(secret)}
        # Longest first, or a secret that begins with another one would leave its end behind.
        alternatives = "|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True))
        self._known = re.compile(alternatives) if alternatives else None
        self._longest = max(map(len, forms), default=0)
        self._by_letter: dict[str, list[str]] = {}
        for form in forms:
            self._by_letter.setdefault(form[0], []).append(form)
        self._mask_short = lru_cache(_REMEMBERED)(self._masked)

    def conceal(self, text: str) -> str:
        """Return the text without known secrets: for people, who may well speak of tokens."""
        return text if self._known is None else self._known.sub(MASK, text)

    def preview(self, text: str) -> str:
        """The same for a text that is not finished: without an end that may begin a secret."""
        for start in range(max(0, len(text) - self._longest + 1), len(text)):
            tail = text[start:]
            if any(form.startswith(tail) for form in self._by_letter.get(tail[0], ())):
                return self.conceal(text[:start])
        return self.conceal(text)

    def mask(self, text: str) -> str:
        """Return the text without secrets, known or not."""
        return self._mask_short(text) if len(text) <= _SHORT else self._masked(text)

    def _masked(self, text: str) -> str:
        text = self.conceal(text)
        for pattern in _LOOKS_SECRET:
            text = pattern.sub(rf"\g<1>{MASK}", text)
        return text


def _forms(secret: str) -> set[str]:
    if len(secret) < _SHORTEST_SECRET:
        return set()
    forms = {
        secret,
        quote(secret, safe=""),
        quote_plus(secret),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        html.escape(secret),
        html.escape(secret, quote=False),
        repr(secret)[1:-1],
        repr(secret.encode())[2:-1],
    }
    # Files are searched byte by byte.
    return forms | {form.encode(errors="replace").decode("latin-1") for form in forms}
