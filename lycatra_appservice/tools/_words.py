"""Says what somebody who misspelt a name probably meant."""

import difflib
from collections.abc import Sequence

_SHOWN_NAMES = 10


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """One sentence: the likely name, or the names there are."""
    by_lower = {name.casefold(): name for name in known}
    close = difflib.get_close_matches(word.casefold(), list(by_lower), n=1)
    if close:
        return f"Did you mean `{by_lower[close[0]]}`?"
    if not known:
        return "None are configured yet."
    names = ", ".join(f"`{name}`" for name in known[:_SHOWN_NAMES])
    more = f" and {len(known) - _SHOWN_NAMES} more" if len(known) > _SHOWN_NAMES else ""
    return f"There {'is only' if len(known) == 1 else 'are'} {names}{more}."
