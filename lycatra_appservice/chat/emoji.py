"""Reactions are compared by what people see, not by how a client spells it. Pure."""

from typing import Final

# How it is drawn (text or picture), and the five tones of skin.
_LOOKS: Final = dict.fromkeys([0xFE0E, 0xFE0F, *range(0x1F3FB, 0x1F400)])


def plain_emoji(key: str) -> str:
    """The key without variation selectors and skin tones; other keys as they are."""
    return key.translate(_LOOKS).strip()
