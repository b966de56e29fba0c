"""Reactions are compared by what people see, not by how a client spells it. Pure."""

from typing import Final

YES: Final = "\u2705"  # a white check mark on green
NO: Final = "\u274c"  # a red cross
_ALSO_YES: Final = frozenset({YES, "\U0001f44d", "\u2714"})  # thumbs up, a check mark
_ALSO_NO: Final = frozenset({NO, "\U0001f44e"})  # thumbs down

# How it is drawn (text or picture), and the five tones of skin.
_LOOKS: Final = dict.fromkeys([0xFE0E, 0xFE0F, *range(0x1F3FB, 0x1F400)])


STOP_SIGNS: Final = frozenset({"\U0001f6d1", "\u23f9"})  # a stop sign, a stop button
# Thumbs down; tired, angry, sad and unwell faces; a broken heart, a hand before the face.
_DISPLEASED: Final = frozenset(
    "\U0001f44e\U0001f612\U0001f614\U0001f615\U0001f616\U0001f61e\U0001f61f\U0001f620\U0001f621"
    "\U0001f622\U0001f623\U0001f624\U0001f625\U0001f629\U0001f62b\U0001f62d\U0001f641\U0001f644"
    "\U0001f92c\U0001f92e\U0001f926\U0001f494\U0001f4a9\u2639"
)


def is_displeased(said: str) -> bool:
    """Whether one of these emoji shows that somebody is not content."""
    return not _DISPLEASED.isdisjoint(said)


def plain_emoji(key: str) -> str:
    """The key without variation selectors and skin tones; other keys as they are."""
    return key.translate(_LOOKS).strip()


def vote_of(key: str) -> bool | None:
    """Whether a plain key says yes or no; None for all others."""
    if key in _ALSO_YES:
        return True
    return False if key in _ALSO_NO else None
