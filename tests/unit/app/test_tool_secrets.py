"""The secrets of tools' settings are known to whatever keeps secrets out of texts."""

from base64 import b64encode

from pydantic import BaseModel, HttpUrl, SecretBytes, SecretStr

from lycatra_appservice.app.tool_secrets import secrets_in


class Place(BaseModel):
    url: HttpUrl | None = None
    written: str = ""
    token: SecretStr | None = None


class Section(BaseModel):
    places: tuple[Place, ...] = ()
    by_name: dict[str, SecretBytes] = {}


def test_secrets_are_found_by_their_type_at_any_depth() -> None:
    section = Section(
        places=(Place(token=SecretStr("one")), Place()), by_name={"x": SecretBytes(b"two")}
    )

    assert list(secrets_in(section)) == ["one", "two"]


def test_the_password_of_an_address_is_found_as_it_is_written_and_as_it_is_sent() -> None:
    header = b64encode(b"me:p/w").decode()
    for place in (
        Place(url=HttpUrl("https://me:p%2Fw@shop.example/x")),
        Place(written="postgresql://me:p%2Fw@db.example/name"),
    ):
        assert list(secrets_in(place)) == ["p%2Fw", "p/w", header]


def test_what_has_no_secret_gives_none() -> None:
    place = Place(url=HttpUrl("https://me@shop.example/"), written="http://[half: me@x")

    assert list(secrets_in([place, {"a": 1}, None, "me:pw@x"])) == []


def test_what_stands_behind_the_scheme_of_a_header_is_a_secret_of_its_own() -> None:
    section = Section(places=(Place(token=SecretStr("Bearer ghp_1")),))

    assert list(secrets_in(section)) == ["Bearer ghp_1", "ghp_1"]
