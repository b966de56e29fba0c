"""What a server may ask people."""

import pytest

from lycatra_appservice.model import JSON
from lycatra_appservice.toolkit.remote.asking import wants_secret
from lycatra_appservice.toolkit.remote.schema import plain_schema


def form(**fields: JSON) -> dict[str, JSON]:
    return {"type": "object", "properties": fields}


@pytest.mark.parametrize(
    ("message", "fields"),
    [
        ("Who are you?", {"password": {"type": "string"}}),
        ("Who are you?", {"apiKey": {"type": "string"}}),
        ("Give me your token.", {"value": {"type": "string"}}),
        ("Go on?", {"value": {"type": "string", "description": "Your credit card"}}),
        ("Wie lautet dein Passwort?", {"value": {"type": "string"}}),
        ("Please sign in.", {"value": {"type": "string", "title": "API token"}}),
        ("Your password?", {"value": {"oneOf": [{"type": "string"}, {"type": "string"}]}}),
    ],
)
def test_what_looks_like_a_secret_is_not_asked_for(message: str, fields: dict[str, JSON]) -> None:
    assert wants_secret(message, form(**fields), plain_schema(form(**fields)))


@pytest.mark.parametrize(
    ("message", "fields"),
    [
        ("Which size?", {"size": {"type": "integer"}}),
        ("Delete the token?", {"sure": {"type": "boolean"}}),
        ("Which password policy?", {"policy": {"type": "string", "enum": ["a", "b"]}}),
        ("Which token?", {"which": {"oneOf": [{"const": "a", "title": "A"}, {"const": "b"}]}}),
        ("Go on?", {}),
    ],
)
def test_a_choice_or_a_plain_question_is_asked(message: str, fields: dict[str, JSON]) -> None:
    assert not wants_secret(message, form(**fields), plain_schema(form(**fields)))
