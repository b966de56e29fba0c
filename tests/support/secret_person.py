"""A person whose client encrypts: matrix-nio's, with keys of its own (on vodozemac)."""

import io
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import nio

from lycatra_appservice.demo.people import PersonClient
from lycatra_appservice.model import JSON, EventID, RoomID, UserID
from tests.support.encrypted import FROM_THE_START
from tests.support.stage import Stage
from tests.support.waiting import until


class SecretPerson:
    """One device of a person. `person` is the same one, who reads what the homeserver has."""

    def __init__(self, client: nio.AsyncClient, person: PersonClient) -> None:
        self.client = client
        self.person = person

    @property
    def user_id(self) -> UserID:
        """Whose device it is."""
        return self.person.user_id

    async def catch_up(self) -> None:
        """Hear what is new, and do what that asks of a client: publish and look up keys."""
        _expect(await self.client.sync(timeout=0, full_state=not self.client.next_batch))
        if self.client.should_upload_keys:
            _expect(await self.client.keys_upload())
        if self.client.should_query_keys:
            _expect(await self.client.keys_query())
        if self.client.should_claim_keys:
            await self.client.keys_claim(self.client.get_users_for_key_claiming())
        await self.client.send_to_device_messages()

    async def master_key_of(self, user: str) -> JSON:
        """By which key somebody signs his devices."""
        body: JSON = {"device_keys": {user: []}}
        answer = await self.person.call("POST", "/keys/query", body)
        return answer["master_keys"][user]["keys"]

    async def until_device_changed(self, user: str) -> None:
        """Wait until this client knows that somebody has another device than before."""
        before = {device.id for device in self.client.device_store.active_user_devices(user)}

        async def changed() -> bool:
            await self.catch_up()
            now = {device.id for device in self.client.device_store.active_user_devices(user)}
            return now != before

        await until(changed, f"another device of {user}")

    async def make_room(self, *invited: str, is_direct: bool = True) -> "SecretRoom":
        """An encrypted room with these; those who come by themselves are in it then."""
        room = await self.begin_room(*invited, is_direct=is_direct)
        await room.until_joined(*(user for user in invited if user.startswith("@lycatra")))
        return room

    async def begin_room(self, *invited: str, is_direct: bool = True) -> "SecretRoom":
        """An encrypted room to which these are invited."""
        body: JSON = {"invite": list(invited), "is_direct": is_direct, **FROM_THE_START}
        if is_direct:
            body["preset"] = "trusted_private_chat"
        answer = await self.person.call("POST", "/createRoom", body)
        room = SecretRoom(RoomID(answer["room_id"]), self)
        await room.until_joined(self.user_id)
        return room

    async def room(self, room_id: RoomID) -> "SecretRoom":
        """Come into a room that this person was invited to."""
        await self.person.call("POST", f"/join/{room_id}", {})
        room = SecretRoom(room_id, self)
        await room.until_joined(self.user_id)
        return room


class SecretRoom:
    """An encrypted room as one device sees it."""

    def __init__(self, room_id: RoomID, me: SecretPerson) -> None:
        self.room_id = room_id
        self.me = me

    async def until_joined(self, *users: str) -> None:
        """Wait until these are in it, and this client knows."""

        async def are_there() -> bool:
            await self.me.catch_up()
            room = self.me.client.rooms.get(self.room_id)
            return room is not None and all(
                user in room.users and not room.users[user].invited for user in users
            )

        await until(are_there, f"{users} in {self.room_id}")

    async def react(self, event_id: str, key: str) -> None:
        """Put an emoji under an event; like all clients, in clear."""
        await self.me.person.react(self.room_id, EventID(event_id), key)

    async def send_file(self, name: str, mimetype: str, data: bytes, words: str = "") -> EventID:
        """Send a file that only who is in the room can open."""
        sealed, keys = nio.crypto.attachments.encrypt_attachment(data)
        answer, _ = await self.me.client.upload(
            io.BytesIO(sealed), content_type="application/octet-stream", filesize=len(sealed)
        )
        msgtype = "m.image" if mimetype.startswith("image/") else "m.file"
        content: JSON = {
            "msgtype": msgtype,
            "body": words or name,
            "filename": name,
            "file": {**keys, "url": _expect(answer).content_uri},
            "info": {"mimetype": mimetype, "size": len(data)},
        }
        return await self.send("m.room.message", content)

    async def open_file(self, content: Mapping[str, JSON]) -> bytes:
        """The bytes behind a message that was read."""
        file = content["file"]
        answer = _expect(await self.me.client.download(file["url"]))
        opened: bytes = nio.crypto.attachments.decrypt_attachment(
            answer.body, file["key"]["k"], file["hashes"]["sha256"], file["iv"]
        )
        return opened

    async def marked(self, event_id: EventID, kind: str) -> JSON:
        """Wait for what answers an event in this way: a card, for example."""
        found: list[JSON] = []

        async def came() -> bool:
            for event in await self.events():
                mark = event.get("content", {}).get("org.lycatra.reply", {})
                if (mark.get("to"), mark.get("kind")) == (event_id, kind):
                    found.append(event)
            return bool(found)

        await until(came, f"a {kind} for {event_id}")
        return found[0]

    async def until_left(self, user: str) -> None:
        """Wait until this client knows that somebody is gone."""

        async def is_gone() -> bool:
            await self.me.catch_up()
            return user not in self.me.client.rooms[self.room_id].users

        await until(is_gone, f"{user} out of {self.room_id}")

    def begin_new_session(self) -> None:
        """Have the next message closed with another key, which is given out before it."""
        self.me.client.olm.outbound_group_sessions.pop(self.room_id, None)

    async def say_without_key(
        self, text: str, *, new_session: bool = True
    ) -> tuple[EventID, Callable[[], Awaitable[None]]]:
        """Send words whose key stays here until the function that is returned is called."""
        machine = self.me.client.olm
        kept: JSON = {"messages": {}}
        if new_session:
            await self.me.catch_up()
            machine.create_outbound_group_session(self.room_id)
            people = list(self.me.client.rooms[self.room_id].users)
            await self.me.client.keys_claim(self.me.client.get_missing_sessions(self.room_id))
            _, kept = machine.share_group_session(
                self.room_id, people, ignore_unverified_devices=True
            )
            machine.outbound_group_sessions[self.room_id].shared = True
        content = {"msgtype": "m.text", "body": text}
        answer = await self.me.client.room_send(
            self.room_id, "m.room.message", content, ignore_unverified_devices=True
        )

        async def give_key() -> None:
            path = f"/sendToDevice/m.room.encrypted/{secrets.token_hex(8)}"
            await self.me.person.call("PUT", path, kept)

        return EventID(_expect(answer).event_id), give_key

    async def say(self, text: str, **more: JSON) -> EventID:
        """Send words."""
        return await self.send("m.room.message", {"msgtype": "m.text", "body": text, **more})

    async def send(self, event_type: str, content: Mapping[str, JSON]) -> EventID:
        """Send anything, encrypted for everybody who is there."""
        await self.me.catch_up()
        answer = await self.me.client.room_send(
            self.room_id, event_type, dict(content), ignore_unverified_devices=True
        )
        return EventID(_expect(answer).event_id)

    async def events(self) -> Sequence[JSON]:
        """The whole timeline, oldest first, each event as this device reads it.

        What it cannot read stays an `m.room.encrypted`; `sealed` has what stood there in its
        place otherwise.
        """
        await self.me.catch_up()
        return [self._read(event) for event in await self.raw_events()]

    async def raw_events(self) -> Sequence[JSON]:
        """The same as the homeserver has it."""
        return await self.me.person.all_messages(self.room_id)

    async def answer_to(self, event_id: EventID) -> JSON:
        """Wait for the last part of an answer and return its event as it was read."""
        found: list[JSON] = []

        async def came() -> bool:
            for event in reversed(await self.events()):
                mark = event.get("content", {}).get("org.lycatra.reply", {})
                if mark.get("kind") in {"progress", "draft"}:
                    continue
                if mark.get("to") == event_id and mark.get("part") == mark.get("of"):
                    found.append(event)
                    return True
            return False

        await until(came, f"an answer to {event_id} in {self.room_id}")
        return found[0]

    async def said_to(self, text: str) -> str:
        """Ask, and return the words of the answer."""
        return str((await self.answer_to(await self.say(text)))["content"]["body"])

    def _read(self, event: JSON) -> JSON:
        if event["type"] != "m.room.encrypted" or "ciphertext" not in event["content"]:
            return event
        parsed = nio.Event.parse_encrypted_event({**event, "room_id": self.room_id})
        if not isinstance(parsed, nio.MegolmEvent):
            return event
        parsed.room_id = self.room_id
        try:
            opened = self.me.client.decrypt_event(parsed)
        except nio.EncryptionError:
            return event
        return {**event, **opened.source, "sealed": event["content"]}


@asynccontextmanager
async def secret_person(
    stage: Stage, person: PersonClient, folder: Path, device_id: str = "PHONE"
) -> AsyncIterator[SecretPerson]:
    """Log a person in on another device, whose keys are in this folder."""
    answer = await person.call(
        "POST",
        "/login",
        {
            "type": "m.login.password",
            "identifier": {"type": "m.id.user", "user": person.user_id},
            "password": "password",  # the one of all people of the stage
            "device_id": device_id,
        },
    )
    url, token = stage.site.homeserver.url, answer["access_token"]
    async with secret_device(url, person, folder, device_id, token) as made:
        yield made


@asynccontextmanager
async def secret_device(
    url: str, person: PersonClient, folder: Path, device_id: str, token: str
) -> AsyncIterator[SecretPerson]:
    """A device that is logged in already."""
    store = folder / f"keys-{person.user_id[1:].split(':')[0]}-{device_id}"
    store.mkdir(exist_ok=True)
    client = nio.AsyncClient(
        url,
        person.user_id,
        device_id,
        store_path=str(store),
        config=nio.AsyncClientConfig(encryption_enabled=True, store_sync_tokens=True),
    )
    client.restore_login(person.user_id, device_id, token)
    made = SecretPerson(client, person)
    try:
        await made.catch_up()
        yield made
    finally:
        await client.close()


def _expect(answer: Any) -> Any:
    assert not isinstance(answer, nio.ErrorResponse), answer
    return answer
