"""A reply's way through the renderer, for the tests that look at one end of it."""

from collections.abc import Sequence

from lycatra_appservice.matrix.render import MAX_CONTENT_BYTES, render_message
from lycatra_appservice.matrix.tables import TableLook
from lycatra_appservice.model import JSON, Address, EventID, Reply, RoomID, UserID

ALICE, BOB = UserID("@alice:hs.test"), UserID("@bob:hs.test")
ADDRESS = Address(room_id=RoomID("!r"), reply_to=EventID("$question"))
MARKER = {"to": "$question", "kind": "answer"}


def render(
    markdown: str,
    *,
    mentions: Sequence[UserID] = (),
    notice: bool = False,
    address: Address = ADDRESS,
    max_bytes: int = MAX_CONTENT_BYTES,
    tables: TableLook = "table",
) -> Sequence[dict[str, JSON]]:
    reply = Reply(
        markdown=markdown, sender=UserID("@lycatra:hs.test"), notice=notice, mentions=mentions
    )
    return render_message(reply, address, MARKER, max_bytes=max_bytes, tables=tables)


def only(markdown: str, *, mentions: Sequence[UserID] = ()) -> dict[str, JSON]:
    (content,) = render(markdown, mentions=mentions)
    return content


def body(markdown: str, *, mentions: Sequence[UserID] = ()) -> str:
    return str(only(markdown, mentions=mentions)["body"])


def html(markdown: str, *, mentions: Sequence[UserID] = ()) -> str:
    return str(only(markdown, mentions=mentions)["formatted_body"])
