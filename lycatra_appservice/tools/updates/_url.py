"""Reads updates from a web address that gives an Atom feed or JSON."""

import json
from zoneinfo import ZoneInfo

from lycatra_appservice.toolkit.base import (
    JSON,
    AnswerTooLargeError,
    Outbound,
    OutboundError,
    OutboundRefusedError,
)
from lycatra_appservice.tools._web import web_address
from lycatra_appservice.tools.updates._atom import NotAtomError, read_atom
from lycatra_appservice.tools.updates._records import inner, update_of
from lycatra_appservice.tools.updates._settings import UrlSource
from lycatra_appservice.tools.updates._update import Reading, SourceError, Update

_MAX_BYTES = 2_000_000
_MOST_RECORDS = 500


async def read_url(source: UrlSource, http: Outbound, zone: ZoneInfo) -> Reading:
    """What the address tells, in its order.

    Raises SourceError when it cannot be reached or understood, TimeoutError.
    """
    body = await _body(source, http)
    if body.lstrip().startswith(b"<"):
        try:
            return Reading(updates=read_atom(body, source.default_service, zone))
        except NotAtomError as exc:
            raise SourceError(str(exc)) from exc
    return _from_json(body, source, zone)


async def _body(source: UrlSource, http: Outbound) -> bytes:
    address = web_address(source.url)
    try:
        answer = await http.get(address.url, headers=address.headers, max_body_bytes=_MAX_BYTES)
    except AnswerTooLargeError as exc:
        raise SourceError(f"its answer is larger than {_MAX_BYTES // 1_000_000} MB") from exc
    except OutboundRefusedError as exc:
        raise SourceError(f"it is not read: {exc.phrase}") from exc
    except OutboundError as exc:
        raise SourceError("its address cannot be reached", exc.phrase) from exc
    if answer.status != 200:
        raise SourceError(f"its address answers HTTP {answer.status}")
    return answer.body


def _from_json(body: bytes, source: UrlSource, zone: ZoneInfo) -> Reading:
    try:
        document: JSON = json.loads(body)
    except (ValueError, RecursionError) as exc:
        raise SourceError("its answer is neither JSON nor an Atom feed") from exc
    records = inner(document, source.items) if source.items else document
    if not isinstance(records, list):
        raise SourceError("there is no list in its answer; `items` names where the list stands")
    updates: list[Update] = []
    for record in records[:_MOST_RECORDS]:
        update = update_of(
            record, source.fields, service=source.default_service, kind="entry", zone=zone
        )
        if update is not None:
            updates.append(update)
    bad = len(records[:_MOST_RECORDS]) - len(updates)
    return Reading(updates=updates, note=f"{bad} records had no version or title" if bad else None)
