"""Looks at an Atom feed, and for the versions that its entries tell of."""

import re
from typing import Final

from lycatra_appservice.tools._web import web_address
from lycatra_appservice.tools.updates._atom import Entry, NotAtomError, read_entries
from lycatra_appservice.tools.updates._release import Release, release
from lycatra_appservice.tools.updates._watch_settings import AtomWatch
from lycatra_appservice.tools.updates._watching.asking import Asking, validators_of
from lycatra_appservice.tools.updates._watching.port import Listing, SourceDownError, Validators

MAX_BYTES: Final = 2_000_000
_MOST: Final = 40
_LOOKS_LIKE_ONE: Final = re.compile(r"(?<![\w.-])[vV]?\d+(?:\.\d+)+(?:[-+][\w.+-]*\w)?(?![\w.-])")
_LONGEST_TEXT: Final = 500


async def look_at_feed(source: AtomWatch, asking: Asking, before: Validators) -> Listing | None:
    """The newest entries, or None for nothing new. Raises SourceDownError."""
    address = web_address(source.url)
    accept = {"Accept": "application/atom+xml, application/xml, text/xml"}
    answer = await asking.fresh(address.url, {**accept, **address.headers}, before)
    if answer is None:
        return None
    try:
        entries = read_entries(answer.body)
    except NotAtomError as exc:
        raise SourceDownError(str(exc)) from exc
    found = (_release(each, source) for each in entries[:_MOST])
    return Listing(
        releases=[each for each in found if each is not None],
        validators=validators_of(answer),
        wait=asking.wait(answer),
    )


def _release(entry: Entry, source: AtomWatch) -> Release | None:
    version = _version(entry, source)
    if version is None:
        return None
    name = entry.id or entry.url or entry.title
    if not version and not name:
        return None
    return release(
        version,
        name=name,
        title=entry.title,
        notes=entry.text,
        url=entry.url,
        when=entry.when,
    )


def _version(entry: Entry, source: AtomWatch) -> str | None:
    """Empty for an entry that tells of none; None for one that does not count."""
    last = (entry.url or "").rstrip("/").rpartition("/")[2]
    if source.tags is not None:
        places = (place[:_LONGEST_TEXT] for place in (entry.title, last))
        return next((found for each in places if (found := source.version_of(each))), None)
    if _LOOKS_LIKE_ONE.fullmatch(last[:_LONGEST_TEXT]):
        return last
    named = set(_LOOKS_LIKE_ONE.findall(entry.title[:_LONGEST_TEXT]))
    return named.pop() if len(named) == 1 else ""
