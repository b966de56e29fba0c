"""`!mcp`: a person's own way to the endpoint, and the tokens for it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from lycatra_appservice.chat import messages
from lycatra_appservice.chat.compose import Composer, is_event
from lycatra_appservice.chat.private_answers import PrivateAnswers
from lycatra_appservice.chat.retraction import FORGET
from lycatra_appservice.chat.routes import Control
from lycatra_appservice.db.connection import Database
from lycatra_appservice.matrix.errors import MatrixError
from lycatra_appservice.matrix.room_view import RoomView
from lycatra_appservice.matrix.rooms import RoomStore
from lycatra_appservice.mcp.token_wish import List, New, Revoke, Show, WrongWishError, read_wish
from lycatra_appservice.mcp.tokens import LONGEST, NewToken, Token, TokenError, TokenStore
from lycatra_appservice.model import JSON, Inbound, LaneKind, Level, Outgoing, Reply, RoomID
from lycatra_appservice.toolkit.rights import Rights
from lycatra_appservice.turns.later import Later
from lycatra_appservice.turns.records import Trigger, lane_of_job
from lycatra_appservice.turns.turn import Turn
from lycatra_appservice.words.text import Said, Text, said_from_json, said_to_json

SHOWN_FOR: Final = timedelta(
    minutes=5
)  # time to copy it; whoever reads the room later finds nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenShop:
    """What `!mcp` works with. `url` is the endpoint as clients reach it, None where it is off."""

    database: Database
    tokens: TokenStore
    rooms: RoomStore
    rights: Rights
    private: PrivateAnswers
    composer: Composer
    url: str | None
    with_tokens: bool


class TokenHandler:
    """Answers where nobody else reads along, else in the direct chat."""

    def __init__(self, shop: TokenShop) -> None:
        self._shop = shop
        self._later = Later(shop.database)

    async def handle(
        self, route: Control, turn: Turn, inbound: Inbound, room: RoomView
    ) -> Sequence[Outgoing]:
        """Do it, and say what it is now."""
        shop, asker = self._shop, inbound.sender
        if await shop.rights.level(asker, room.room_id) is Level.NONE:
            return self._here(route, messages.may_not_ask(), inbound, room)
        said = await self._done(route.rest, turn, inbound, room)
        reply = Reply(markdown=said, sender=route.speaker, subject=route.word.value)
        if await shop.private.is_alone(asker, room.room_id):
            return self._here(route, said, inbound, room)
        direct = await shop.private.room_with(turn, asker)
        return shop.private.rows(reply, direct, inbound, room)

    async def _done(self, words: str, turn: Turn, inbound: Inbound, room: RoomView) -> Said:
        shop = self._shop
        if shop.url is None:
            return Text("mcp_is_off")
        if not shop.with_tokens:
            return Text("mcp_without_tokens", url=shop.url)
        try:
            wish = read_wish(words)
        except WrongWishError as wrong:
            return wrong.said
        match wish:
            case Show():
                return Text("mcp_how", url=shop.url)
            case List():
                return _listed(await shop.tokens.of(inbound.sender))
            case Revoke():
                return await self._revoked(wish, inbound)
            case New():
                return await self._made(wish, turn, inbound, room)

    async def _revoked(self, wish: Revoke, inbound: Inbound) -> Said:
        for token in await self._shop.tokens.of(inbound.sender):
            if token.name == wish.name:
                await self._shop.tokens.end(token, by=inbound.sender)
                return Text("mcp_token_revoked", name=token.name)
        return Text("mcp_token_unknown", name=wish.name)

    async def _made(self, wish: New, turn: Turn, inbound: Inbound, room: RoomView) -> Said:
        """Once for a turn, however often it runs: a crash leaves no token that nobody has seen."""

        async def make() -> JSON:
            try:
                new = await self._new(wish, inbound, room)
                return {"secret": await self._shop.tokens.make(new)}
            except TokenError as error:
                return {"refused": said_to_json(error.said)}

        made = await turn.step("mcp_token", make)
        if "refused" in made:
            return said_from_json(made["refused"])
        if is_event(inbound):
            await self._take_away(turn, inbound)
        return Text(
            "mcp_token_made",
            name=wish.name,
            secret=made["secret"],
            url=self._shop.url or "",
            minutes=round(SHOWN_FOR / timedelta(minutes=1)),
            days=wish.days,
        )

    async def _new(self, wish: New, inbound: Inbound, room: RoomView) -> NewToken:
        room_id = None
        if wish.room is not None:
            room_id = room.room_id if wish.room.casefold() == "here" else RoomID(wish.room)
            if not await self._is_there(inbound, room_id):
                raise TokenError(Text("mcp_room_unknown", room=room_id))
        return NewToken(
            owner=inbound.sender,
            name=wish.name,
            scope=wish.scope,
            lifetime=min(timedelta(days=wish.days), LONGEST),
            room_id=room_id,
        )

    async def _is_there(self, inbound: Inbound, room_id: RoomID) -> bool:
        try:
            # Looked at anew: a room that somebody has just come into is not known to be theirs.
            room = await self._shop.rooms.view(room_id)
        except MatrixError as error:
            if error.outlasted:
                raise
            return False
        return inbound.sender in room.people and inbound.sender not in room.invited

    async def _take_away(self, turn: Turn, inbound: Inbound) -> None:
        """Have the answer redacted and forgotten, as if its question was redacted then."""

        async def store() -> JSON:
            trigger = Trigger(
                id=f"{FORGET}:{inbound.event_id}",
                lane=lane_of_job(f"{FORGET}|{inbound.event_id}"),
                kind=LaneKind.JOB,
                input=json.dumps({"room_id": inbound.room_id, "words_of": None}),
            )
            async with self._shop.database.transaction() as connection:
                await self._later.store_with(connection, trigger, SHOWN_FOR)
            return None

        await turn.step("mcp_token_taken_away", store)

    def _here(
        self, route: Control, said: Said, inbound: Inbound, room: RoomView
    ) -> Sequence[Outgoing]:
        reply = Reply(markdown=said, sender=route.speaker, notice=True, subject=route.word.value)
        return self._shop.composer.answer(reply, inbound, room)


def _listed(tokens: Sequence[Token]) -> Said:
    if not tokens:
        return Text("mcp_no_tokens")
    lines = [
        Text(
            "mcp_token_line",
            name=token.name,
            scope=token.scope.value,
            expires=f"{token.expires:%Y-%m-%d}",
            used=f"{token.used:%Y-%m-%d}" if token.used else "-",
            room=token.room_id or "-",
        )
        for token in tokens
    ]
    return Text("mcp_tokens", lines=lines)
