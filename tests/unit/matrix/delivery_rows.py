"""Send rows as the engine makes them, with what most tests leave alone filled in."""

from collections.abc import Mapping

from lycatra_appservice.model import JSON, EventID, RoomID, SendKind, UserID
from lycatra_appservice.turns.delivery import SendRow
from tests.unit.matrix.conftest import ROOM

MARKER: Mapping[str, JSON] = {"to": "$question", "part": 1, "of": 1, "kind": "answer"}
TEXT: Mapping[str, JSON] = {
    "msgtype": "m.text",
    "body": "All is well.",
    "format": "org.matrix.custom.html",
    "formatted_body": "<p>All is well.</p>",
    "m.mentions": {},
    "org.lycatra.reply": MARKER,
}
EDIT: Mapping[str, JSON] = {
    "msgtype": "m.text",
    "body": "* All is well.",
    "m.new_content": TEXT,
    "m.mentions": {},
    "m.relates_to": {"rel_type": "m.replace"},
    "org.lycatra.reply": MARKER,
}
DRAFT_EDIT: Mapping[str, JSON] = {**EDIT, "org.lycatra.reply": {**MARKER, "kind": "draft"}}
REACTION: Mapping[str, JSON] = {"m.relates_to": {"rel_type": "m.annotation", "key": "✅"}}


def row(
    sender: UserID,
    kind: SendKind = SendKind.MESSAGE,
    content: Mapping[str, JSON] = TEXT,
    *,
    room_id: RoomID = ROOM,
    target: EventID | None = None,
    mxc: str | None = None,
    data: bytes | None = None,
    n: int = 0,
) -> SendRow:
    return SendRow(
        turn_id=7,
        n=n,
        kind=kind,
        room_id=room_id,
        sender=sender,
        txn_id=f"lyc-{sender}-{n}",
        content=content,
        target=target,
        mxc=mxc,
        data=data,
    )
