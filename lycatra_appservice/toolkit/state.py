"""The tool_state table: what tools remember, over restarts and for every replica."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

from lycatra_appservice.db.connection import Connection, Database
from lycatra_appservice.db.statements import Statements
from lycatra_appservice.errors import StoreUnavailableError, ToolFailedError
from lycatra_appservice.model import JSON
from lycatra_appservice.toolkit.discretion import discreet_value
from lycatra_appservice.toolkit.memory import (
    MAX_KEYS,
    checked_key,
    encoded,
    mark_of,
    too_many_keys,
)
from lycatra_appservice.toolkit.redaction import Mask


class StateStore:
    """The `Memory` of the service."""

    def __init__(self, database: Database, conceal: Mask = str) -> None:
        """`conceal` takes the secrets of the configuration out of what tools were told back."""
        self._database = database
        self._sql = Statements.load(__package__, "state", database.dialect)
        self._conceal = conceal

    def of(self, namespace: str, place: str) -> "StoredKeyValues":
        """The values of one place."""
        return StoredKeyValues(self._database, self._sql, namespace, place, self._conceal)

    async def forget(self, kept: timedelta) -> None:
        """Erase what nobody has changed for so long, but for what is of the whole deployment."""
        keep_ms = kept // timedelta(milliseconds=1)
        await self._database.execute(self._sql["forget_places"], keep_ms=keep_ms)

    async def forget_place(self, place: str) -> None:
        """Erase all of one place."""
        await self._database.execute(self._sql["forget_place"], place=place)

    async def carry_over(self, place: str, successor: str) -> None:
        """Let a place know what another one knew; what it knows by itself already goes before."""
        await self._database.execute(self._sql["carry_over"], place=place, successor=successor)

    async def remembers(self, trigger_id: str) -> bool:
        """Whether a question has left anything that a later one may have read."""
        mark = mark_of(trigger_id)
        return await self._database.fetch_one(self._sql["of_question"], mark=mark) is not None

    async def forget_turn(self, connection: Connection, trigger_id: str) -> None:
        """Erase what a question has left here."""
        await connection.execute(self._sql["forget_question"], mark=mark_of(trigger_id))


class StoredKeyValues:
    """The values of one namespace in one place."""

    def __init__(
        self,
        database: Database,
        statements: Statements,
        namespace: str,
        place: str,
        conceal: Mask = str,
    ) -> None:
        self._conceal = conceal
        self._database = database
        self._sql = statements
        self._place = {"namespace": namespace, "place": place}

    async def get(self, key: str) -> JSON:
        """The value; None when there is none."""
        with _as_tools_say():
            row = await self._database.fetch_one(
                self._sql["get_value"], **self._place, key=checked_key(key)
            )
        return json.loads(row["value"]) if row else None

    async def put(self, key: str, value: JSON) -> None:
        """Keep a value; None drops it."""
        encoded(value)  # refused before anything is asked
        await self.change(key, lambda _: value)

    async def change(self, key: str, how: Callable[[JSON], JSON]) -> JSON:
        """Keep what `how` makes of the value before."""
        with _as_tools_say():
            async with self._database.transaction() as connection:
                row = await connection.fetch_one(
                    self._sql["hold"], **self._place, key=checked_key(key)
                )
                changed = how(json.loads(row["value"]) if row else None)
                value = discreet_value(changed, self._conceal)
                await self._write(connection, key, value)
        return value

    async def keys(self) -> Sequence[str]:
        """All keys, sorted."""
        with _as_tools_say():
            rows = await self._database.fetch(self._sql["keys"], **self._place)
        return sorted(row["key"] for row in rows)

    async def _write(self, connection: Connection, key: str, value: JSON) -> None:
        text = encoded(value)
        if value is None:
            await connection.execute(self._sql["drop_value"], **self._place, key=key)
            return
        await connection.execute(self._sql["put_value"], **self._place, key=key, value=text)
        counted = await connection.fetch_one(self._sql["count_keys"], **self._place)
        if counted is not None and counted["keys"] > MAX_KEYS:
            raise too_many_keys()  # which undoes it


@contextmanager
def _as_tools_say() -> Iterator[None]:
    """A database that is away is no mistake of the tool."""
    try:
        yield
    except StoreUnavailableError as exc:
        raise ToolFailedError(exc.said) from exc
