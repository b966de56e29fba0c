"""Reactions are compared by what people see, not by how a client spells it. Pure."""

from typing import Final

YES: Final = "\u2705"  # a white check mark on green
NO: Final = "\u274c"  # a red cross
_ALSO_YES: Final = frozenset({YES, "\U0001f44d", "\u2714"})  # thumbs up, a check mark
_ALSO_NO: Final = frozenset({NO, "\U0001f44e"})  # thumbs down

# How it is drawn (text or picture), and the five tones of skin.
_LOOKS: Final = dict.fromkeys([0xFE0E, 0xFE0F, *range(0x1F3FB, 0x1F400)])


def plain_emoji(key: str) -> str:
    """The key without variation selectors and skin tones; other keys as they are."""
    return key.translate(_LOOKS).strip()


def vote_of(key: str) -> bool | None:
    """Whether a plain key says yes or no; None for all others."""
    if key in _ALSO_YES:
        return True
    return False if key in _ALSO_NO else None
