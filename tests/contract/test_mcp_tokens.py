"""Tokens for MCP clients in their table, on both databases."""

from datetime import timedelta

import pytest

from lycatra_appservice.db.connection import Database
from lycatra_appservice.mcp.tokens import MOST_TOKENS, NewToken, Scope, TokenError, TokenStore
from lycatra_appservice.model import RoomID, UserID
from tests.support.turns import query

ANNA, BERTA = UserID("@anna:hs.test"), UserID("@berta:hs.test")


async def test_a_token_is_found_by_its_secret_which_is_kept_nowhere(database: Database) -> None:
    tokens = TokenStore(database)
    new = NewToken(owner=ANNA, name="laptop", scope=Scope.READ, room_id=RoomID("!room"))
    secret = await tokens.make(new)
    found = await tokens.find(secret)
    assert found is not None
    assert (found.owner, found.name, found.scope) == (ANNA, "laptop", Scope.READ)
    assert found.room_id == "!room"
    assert timedelta(days=89) < found.left <= timedelta(days=90)
    assert await tokens.find(secret[:-1]) is None
    rows = await query(database, "SELECT * FROM mcp_token")
    assert secret not in str([dict(row) for row in rows])


async def test_an_ended_token_is_unknown_and_its_name_free(database: Database) -> None:
    tokens = TokenStore(database)
    secret = await tokens.make(NewToken(owner=ANNA, name="laptop"))
    [token] = await tokens.of(ANNA)
    assert await tokens.end(token, by=ANNA)
    assert not await tokens.end(token, by=ANNA)
    assert await tokens.find(secret) is None
    assert await tokens.of(ANNA) == []
    assert await tokens.make(NewToken(owner=ANNA, name="laptop")) != secret


async def test_a_token_whose_time_is_over_is_unknown_and_its_name_free(
    database: Database,
) -> None:
    tokens = TokenStore(database)
    secret = await tokens.make(NewToken(owner=ANNA, name="laptop", lifetime=timedelta(0)))
    assert await tokens.find(secret) is None
    await tokens.make(NewToken(owner=ANNA, name="laptop"))
    assert [token.name for token in await tokens.all()] == ["laptop"]


async def test_a_name_is_used_once_by_a_person_and_by_others_too(database: Database) -> None:
    tokens = TokenStore(database)
    await tokens.make(NewToken(owner=ANNA, name="laptop"))
    with pytest.raises(TokenError, match="token_name_taken"):
        await tokens.make(NewToken(owner=ANNA, name="laptop"))
    await tokens.make(NewToken(owner=BERTA, name="laptop"))
    assert [token.owner for token in await tokens.all()] == [ANNA, BERTA]


async def test_nobody_has_more_than_twenty(database: Database) -> None:
    tokens = TokenStore(database)
    for number in range(MOST_TOKENS):
        await tokens.make(NewToken(owner=ANNA, name=f"n{number}"))
    with pytest.raises(TokenError, match="too_many_tokens"):
        await tokens.make(NewToken(owner=ANNA, name="one-more"))


async def test_its_last_use_is_noted_to_the_minute(database: Database) -> None:
    tokens = TokenStore(database)
    await tokens.make(NewToken(owner=ANNA, name="laptop"))
    [token] = await tokens.of(ANNA)
    assert token.used is None
    await tokens.touch(token.id)
    [used] = await tokens.of(ANNA)
    assert used.used is not None
    await tokens.touch(token.id)
    assert [each.used for each in await tokens.of(ANNA)] == [used.used]


async def test_tokens_that_ended_long_ago_are_forgotten(database: Database) -> None:
    tokens = TokenStore(database)
    await tokens.make(NewToken(owner=ANNA, name="laptop"))
    await tokens.forget()
    assert await tokens.of(ANNA)
    await query(database, "UPDATE mcp_token SET expires_at = 1 RETURNING id")
    await tokens.forget()
    assert not await query(database, "SELECT id FROM mcp_token")
