"""The registration file: what is in it, whom it claims, and that the real Synapse takes it."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lycatra_appservice.registration import (
    PREVIOUS_KEY,
    RegistrationError,
    belongs_to,
    differing_keys,
    new_tokens,
    read_registration,
    registration_content,
    render,
    rotated,
    tokens_in,
)
from lycatra_appservice.settings import WrittenSettings
from lycatra_appservice.settings_reading.yaml_tree import read_yaml
from tests.support.synapse import synapse_python

LOADER = """
import json, sys
from synapse.config.appservice import load_appservices
[service] = load_appservices("hs.test", [sys.argv[1]])
print(json.dumps({
    "id": service.id, "url": service.url, "sender": service.sender.to_string(),
    "token": service.token, "hs_token": service.hs_token,
    "rate_limited": service.is_rate_limited(), "ephemeral": service.supports_ephemeral,
    "msc3202": service.msc3202_transaction_extensions,
    "msc4190": service.msc4190_device_management,
    "ours": [service.is_interested_in_user(user) for user in sys.argv[2:]],
    "exclusive": service.is_exclusive_user("@lycatra:hs.test"),
}))
"""
SERVER_NAMES = st.from_regex(r"[a-z0-9]([a-z0-9.-]{0,12}[a-z0-9])?(:[0-9]{2,4})?", fullmatch=True)
LOCALPARTS = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,8}", fullmatch=True)


def settings(localpart: str = "lycatra", server_name: str = "hs.test") -> WrittenSettings:
    return WrittenSettings.model_validate(
        {
            "homeserver": {"url": "http://localhost:8008", "server_name": server_name},
            "bot": {"localpart": localpart},
        }
    )


def users_regex(localpart: str, server_name: str) -> re.Pattern[str]:
    content = registration_content(settings(localpart, server_name), new_tokens())
    return re.compile(content["namespaces"]["users"][0]["regex"])


def test_the_real_synapse_reads_it_as_meant(tmp_path: Path) -> None:
    path = tmp_path / "lycatra.yaml"
    tokens = rotated(new_tokens())
    path.write_text(render(registration_content(settings(), tokens)))
    users = ["@lycatra:hs.test", "@lycatra_updates:hs.test", "@lycatrax:hs.test", "@a:hs.test"]
    answer = subprocess.run(
        [synapse_python(), "-c", LOADER, path, *users], capture_output=True, check=True, text=True
    )
    assert json.loads(answer.stdout) == {
        "id": "lycatra",
        "url": "http://localhost:8080",
        "sender": "@lycatra_sender:hs.test",
        "token": tokens.as_token.get_secret_value(),
        "hs_token": tokens.hs_token.get_secret_value(),
        "rate_limited": False,
        "ephemeral": True,
        "msc3202": True,
        "msc4190": True,
        "ours": [True, True, False, False],
        "exclusive": True,
    }


@given(LOCALPARTS, SERVER_NAMES, st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True))
def test_every_virtual_user_of_the_own_server_is_claimed(
    localpart: str, server_name: str, namespace: str
) -> None:
    regex = users_regex(localpart, server_name)
    for name in (localpart, f"{localpart}_{namespace}", f"{localpart}_sender"):
        assert regex.match(f"@{name}:{server_name}")


@given(LOCALPARTS, SERVER_NAMES, st.text("abz019._-:", min_size=1, max_size=6), st.data())
def test_nobody_else_is_claimed(
    localpart: str, server_name: str, extra: str, data: st.DataObject
) -> None:
    regex = users_regex(localpart, server_name)
    place = data.draw(st.integers(0, len(server_name) - 1))
    look_alike = server_name[:place] + "x" + server_name[place + 1 :]
    others = [
        f"@{localpart}:{server_name}{extra}",
        f"@{localpart}:{extra}{server_name}",
        f"@{extra}{localpart}:{server_name}",
        f"@{localpart}_a:{server_name}{extra}",
        f"x@{localpart}:{server_name}",
    ]
    if not extra.startswith("_"):
        others.append(f"@{localpart}{extra}:{server_name}")
    if look_alike != server_name:
        others.append(f"@{localpart}:{look_alike}")
    for other in others:
        assert not regex.match(other), other


def test_an_alias_of_another_server_is_not_claimed() -> None:
    content = registration_content(settings(), new_tokens())
    regex = re.compile(content["namespaces"]["aliases"][0]["regex"])
    assert regex.match("#lycatra_control:hs.test")
    for alias in (
        "#lycatra:hs.test",
        "#lycatra_a:hsxtest",
        "#lycatra_a:hs.test.org",
        "#a:hs.test",
    ):
        assert not regex.match(alias)


def test_an_address_as_server_name_is_escaped() -> None:
    assert users_regex("lycatra", "[::1]:8448").match("@lycatra:[::1]:8448")


@given(
    st.dictionaries(
        st.text("abcdefgh.", min_size=1), st.text(st.characters(codec="utf-8"), max_size=30)
    )
)
def test_what_is_written_is_read_back_the_same(extra: dict[str, str]) -> None:
    clean = {key: re.sub(r"[^\x20-\x7e\u00a1-\u024f]", "", text) for key, text in extra.items()}
    content = {**clean, **registration_content(settings(), new_tokens())}
    assert read_yaml(render(content)).values == content


def test_tokens_are_long_and_never_the_same() -> None:
    made = [new_tokens() for _ in range(3)]
    secrets = {token.get_secret_value() for tokens in made for token in tokens.by_name().values()}
    assert len(secrets) == 6
    assert all(len(secret) == 64 for secret in secrets)


def test_a_rotation_keeps_the_old_hs_token_and_no_other() -> None:
    before = new_tokens()
    after = rotated(before)
    assert after.hs_token_previous == before.hs_token
    assert before.as_token not in after.by_name().values()
    content = registration_content(settings(), after)
    assert tokens_in(content, Path("r.yaml")) == after


def test_a_second_rotation_waits_for_the_first_to_end() -> None:
    with pytest.raises(RegistrationError, match="already under way"):
        rotated(rotated(new_tokens()))


@pytest.mark.parametrize("key", ["as_token", "hs_token", PREVIOUS_KEY])
@pytest.mark.parametrize("value", [None, 5, "", ["x"]])
def test_a_token_that_is_none_is_named(key: str, value: object) -> None:
    if key == PREVIOUS_KEY and value is None:
        return
    content = {**registration_content(settings(), new_tokens()), key: value}
    with pytest.raises(RegistrationError, match=f"r.yaml has no usable {key}"):
        tokens_in(content, Path("r.yaml"))


@pytest.mark.parametrize("content", [b"", b"- a", b"a: [", b"\xff", b"a: !!python/name:os.system"])
def test_a_file_that_is_no_registration_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "r.yaml"
    path.write_bytes(content)
    with pytest.raises(RegistrationError, match=r"r\.yaml is not"):
        read_registration(path)


def test_only_what_differs_is_named() -> None:
    tokens = new_tokens()
    before = registration_content(settings(), rotated(tokens))
    after = registration_content(settings(localpart="other"), tokens)
    assert differing_keys(before, before) == []
    assert differing_keys(before, after) == [
        "as_token",
        "hs_token",
        "sender_localpart",
        "namespaces",
        PREVIOUS_KEY,
    ]


def test_a_registration_of_another_service_is_not_ours() -> None:
    assert belongs_to({"id": "lycatra", "sender_localpart": "x"}, settings())
    assert belongs_to({"id": "x", "sender_localpart": "lycatra_sender"}, settings())
    assert not belongs_to({"id": "telegram", "sender_localpart": "telegrambot"}, settings())
