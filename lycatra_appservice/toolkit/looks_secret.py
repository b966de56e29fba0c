"""What looks like a secret in a text of others, of which nobody has told us what is in it."""

import re
from typing import Final

from lycatra_appservice.toolkit.redaction import HIDDEN

# The end of a name under which a secret stands: `password`, `DB_PASSWORD`, `apiKey`, `tokens`.
_NAME: Final = (
    r"(?:passw(?:or)?d|passphrase|passwd|pwd|secret|token|api[_-]?key|access[_-]?key|"
    r"private[_-]?key|credential|session[_-]?(?:id|key)|signature|\bpass)s?"
)
# In quotation marks that are escaped themselves, as in JSON within JSON; in others; or in these.
_QUOTED: Final = r"""\\+"[^"\\]*(?:\\+")?|"(?:[^"\\]|\\[\s\S])*"?|'[^']*'?"""
_PATTERNS: Final = (
    re.compile(r"(-----BEGIN [A-Z ]*PRIVATE KEY-----)[\s\S]*?(?=-----END|\Z)"),
    # Headers whose whole line is one.
    re.compile(r"(\b(?:set-cookie|cookie|(?:proxy-)?authorization)\s*:\s*)[^\"'\r\n]+", re.I),
    re.compile(
        rf"""({_NAME}(?:[_-]\w{{1,20}})?\\*["']?\s*(?:=>?|:)\s*)"""
        rf"""(?:{_QUOTED}|(?:bearer|basic|digest)\s+[^\s"']+|[^\s,;&"'\])}}]+)""",
        re.I,
    ),
    re.compile(r"""((?:authorization|cookie)\\*["']?\s*[=:]\s*)(?:""" + _QUOTED + ")", re.I),
    re.compile(r"(\b(?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{8,}", re.I),
    re.compile(r"(://[^/\s:@]{0,100}:)[^/\s@]+(?=@)"),  # postgres://user:password@host
    # What says by its own form what it is: JSON web tokens, and those of well-known services.
    re.compile(
        r"\b()(?:eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?|gh[pousr]_\w{20,}|github_pat_\w{20,}|"
        r"glpat-[\w-]{16,}|xox[abeoprs]-[\w-]{10,}|(?:AKIA|ASIA)[0-9A-Z]{16}|sk-[\w-]{20,}|"
        r"sy[rt]_\w{10,}|AIza[\w-]{30,})"
    ),
)


def without_secrets(text: str) -> str:
    """The text with `***` in place of what looks like one; rather too much than too little.

    The time it takes grows with the text and no faster, whatever somebody has put there.
    """
    for pattern in _PATTERNS:
        text = pattern.sub(rf"\g<1>{HIDDEN}", text)
    return text
