"""Reads in a room what came of requests: cards, edits of one message, reports."""

from collections.abc import Sequence
from dataclasses import dataclass

from lycatra_appservice.model import JSON, EventID
from tests.support.stage import Room
from tests.support.tables import Tables
from tests.support.waiting import until


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One room, and the tables that say when nothing more is to come."""

    room: Room
    tables: Tables

    async def card_of(self, request: EventID) -> JSON:
        """Wait for the card of a request."""
        return (await self.marked(request, "card"))[-1]

    async def cards(self) -> Sequence[JSON]:
        """All cards in the room as they were sent, in order."""
        return [
            event
            for event in await self.room.events()
            if event["content"].get("org.lycatra.reply", {}).get("kind") == "card"
            and "m.new_content" not in event["content"]
        ]

    async def card_about(self, words: str) -> JSON:
        """Wait for a card that says this, and is about no request in the room."""
        found: list[JSON] = []

        async def came() -> bool:
            found[:] = [
                card for card in await self.cards() if words in str(card["content"]["body"])
            ]
            return bool(found)

        await until(came, f"a card about {words!r}")
        return found[-1]

    async def report_on(self, request: EventID) -> str:
        """Wait for what came of it; it is said once."""
        await self.marked(request, "message")
        await self.tables.until_idle()
        said = await self.marked(request, "message")
        assert len(said) == 1, said
        return str(said[0]["content"]["body"])

    async def edits_of(self, event: JSON) -> Sequence[str]:
        """What a message says after each of its edits."""
        return [
            str(edit["content"]["m.new_content"]["body"])
            for edit in await self.room.events()
            if edit["content"].get("m.relates_to", {}).get("event_id") == event["event_id"]
            and "m.new_content" in edit["content"]
        ]

    async def until_edited(self, event: JSON, words: str) -> None:
        """Wait until a message says this."""

        async def says() -> bool:
            return any(words in each for each in await self.edits_of(event))

        await until(says, f"an edit that says {words!r}")

    async def told(self, words: str) -> Sequence[str]:
        """What anybody has said with these words in it; edits count, too."""
        bodies = [
            str(said.get("body", ""))
            for event in await self.room.events()
            for said in (event["content"], event["content"].get("m.new_content", {}))
        ]
        return [body for body in bodies if words in body]

    async def until_told(self, words: str) -> None:
        """Wait until anybody says this, in an edit, too."""

        async def told() -> bool:
            return bool(await self.told(words))

        await until(told, f"the words {words!r}")

    async def marked(self, request: EventID, kind: str) -> Sequence[JSON]:
        """Wait for our messages of a kind about a request; they come as they were sent."""
        found: list[JSON] = []

        async def came() -> bool:
            found[:] = [
                event
                for event in await self.room.events()
                if (mark := event["content"].get("org.lycatra.reply"))
                and (mark["to"], mark["kind"]) == (request, kind)
                and "m.new_content" not in event["content"]
            ]
            return bool(found)

        await until(came, f"a {kind} for {request}")
        return found
