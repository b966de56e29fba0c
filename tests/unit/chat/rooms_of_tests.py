"""Rooms on the stub homeserver into which our users come, and out of which they go."""

from collections.abc import Mapping
from types import MappingProxyType

from lycatra_appservice.model import JSON, RoomID, UserID
from tests.support.scene import MAIN, PERSON, ROOM, Scene
from tests.support.turns import query

NOTHING: Mapping[str, JSON] = MappingProxyType({})
FUNCTIONAL = "io.element.functional_members"


async def invite(
    scene: Scene,
    user: str = MAIN,
    *,
    by: str = PERSON,
    room_id: RoomID = ROOM,
    create: Mapping[str, JSON] = NOTHING,
    via: str = "push",
) -> None:
    """Invite one of us; `create` is what the stripped state says of the room."""
    scene.stub.rooms[room_id].members[user] = "invite"
    stripped = [{"type": "m.room.create", "state_key": "", "content": dict(create)}]
    event = scene.member(user, "invite", sender=UserID(by), room_id=room_id)
    event["unsigned"]["invite_room_state"] = stripped if create else None
    await scene.push(event, via=via)
    await scene.work()


async def change(
    scene: Scene,
    kind: str,
    content: JSON,
    *,
    room_id: RoomID = ROOM,
    sender: UserID = PERSON,
    key: str = "",
    via: str = "push",
    before: JSON = None,
) -> None:
    """Change a room's state, as everybody sees it, and let us hear of it."""
    scene.stub.state[room_id, kind, key] = content
    scene.stub.senders[room_id, kind, key] = sender
    if kind == "m.room.member":
        scene.stub.rooms[room_id].members[key] = content["membership"]
    event = {**scene.event(kind, content, sender=sender, room_id=room_id), "state_key": key}
    if before is not None:
        event["unsigned"]["prev_content"] = before
    await scene.push(event, via=via)
    await scene.work()


async def goes(
    scene: Scene,
    user: str,
    membership: str = "leave",
    *,
    by: str | None = None,
    room_id: RoomID = ROOM,
    via: str = "push",
    before: str = "join",
) -> None:
    """Somebody goes, or is sent away."""
    await change(
        scene,
        "m.room.member",
        {"membership": membership},
        room_id=room_id,
        sender=UserID(by or user),
        key=user,
        via=via,
        before={"membership": before},
    )


async def try_again(scene: Scene) -> None:
    """Run what was put off because the homeserver was away, until nothing is left."""
    for _ in range(10):
        if not await query(scene.database, "SELECT id FROM turn WHERE finished_at IS NULL"):
            return
        await query(scene.database, "UPDATE turn SET run_at = 0 RETURNING id")
        await query(
            scene.database, "UPDATE lane SET ready_at = 0 WHERE ready_at > 0 RETURNING key"
        )
        await scene.work()
    raise AssertionError("it never ends")


def here(scene: Scene, room_id: RoomID = ROOM) -> set[str]:
    """Who of us is in a room."""
    members = scene.stub.rooms[room_id].members.items()
    return {user for user, state in members if state == "join" and scene.users.is_ours(user)}


def reasons(scene: Scene) -> list[str | None]:
    """What was said on leaving, each time."""
    return [seen.json.get("reason") for seen in scene.stub.asked("POST", "/leave")]
