"""The example configuration filled in: values in their places, everything else as it was."""

import pytest
from pydantic import SecretStr

from lycatra_appservice.settings import WrittenSettings
from lycatra_appservice.setup.answers import Answers, ChosenModel
from lycatra_appservice.setup.example import fill_in, read_example
from tests.support.config_folder import load

EXAMPLE = """\
# Prose with a key: value in it stays.
homeserver:
  # How we reach it:
  url: http://localhost:8008
  #ca_file: my-authority.pem
appservice:
  listen:
    host: 127.0.0.1
    port: 8080
  #ops:
    #port: 9090
#model:
  #model: small
  #stream: true
"""


def test_values_replace_what_stands_in_their_places() -> None:
    filled = fill_in(EXAMPLE, {("homeserver", "url"): "http://synapse:8008"})
    assert filled == EXAMPLE.replace("http://localhost:8008", "'http://synapse:8008'")


def test_a_section_that_was_off_is_switched_on_with_its_value_only() -> None:
    filled = fill_in(EXAMPLE, {("model", "model"): "it's"})
    expected = EXAMPLE.replace("#model:\n  #model: small", "model:\n  model: 'it''s'")
    assert filled == expected


def test_equal_keys_of_other_sections_are_left_alone() -> None:
    filled = fill_in(EXAMPLE, {("appservice", "listen", "port"): 9000})
    assert filled == EXAMPLE.replace("port: 8080", "port: 9000")


def test_a_place_that_is_not_there_is_a_mistake() -> None:
    with pytest.raises(KeyError, match="nowhere"):
        fill_in(EXAMPLE, {("homeserver", "nowhere"): 1})


@pytest.mark.parametrize("has_everything", [True, False])
def test_every_answer_has_its_place_in_the_real_example(
    tmp_path_factory: pytest.TempPathFactory, has_everything: bool
) -> None:
    folder = tmp_path_factory.mktemp("filled")
    key = ChosenModel(
        base_url="http://model/v1", name="m:8b", key_file="key", new_key=SecretStr("k")
    )
    answers = Answers(
        server_name="hs.test",
        homeserver_url="http://synapse:8008",
        ca_file=folder / "ca.pem" if has_everything else None,
        admin="@alice:hs.test" if has_everything else None,
        localpart="helper",
        appservice_url="http://lycatra:9000",
        listen_host="::1",
        port=9000,
        model=key if has_everything else None,
    )
    (folder / "key").write_text("said-to-the-model\n")
    (folder / "key").chmod(0o600)
    environ = {"LYCATRA_APPSERVICE__AS_TOKEN": "a" * 32, "LYCATRA_APPSERVICE__HS_TOKEN": "h" * 32}
    settings: WrittenSettings = load(
        folder, fill_in(read_example(), answers.values()), environ=environ
    )
    assert settings.homeserver.url == "http://synapse:8008"
    assert settings.bot.localpart == "helper"
    assert (settings.appservice.listen.host, settings.appservice.listen.port) == ("::1", 9000)
    assert settings.appservice.url == "http://lycatra:9000"
    if has_everything:
        assert settings.model is not None
        assert settings.model.model == "m:8b"
        assert settings.homeserver.ca_file == folder / "ca.pem"
        assert settings.access.admin == ("@alice:hs.test",)
    else:
        assert settings.model is None
        assert settings.access.admin == ()
