"""The configuration read as a person wrote it: every mistake, no secret, no trap."""

import os
import re
from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field, SecretStr

from lycatra_appservice.errors import SettingsError
from lycatra_appservice.registration import new_tokens, registration_content, render
from lycatra_appservice.settings import WrittenSettings
from lycatra_appservice.settings_file import load_settings, load_written_settings
from lycatra_appservice.settings_reading.model_fields import leaves
from lycatra_appservice.settings_reading.yaml_tree import read_yaml
from lycatra_appservice.settings_types import UNLIMITED
from lycatra_appservice.toolkit.base import NoSettings, ToolSettings
from tests.support.config_folder import SMALLEST, WITHOUT_TOKENS, load, mistakes, write_config

CANARY = "canary-5f3a9c0b1e7d"
EXAMPLE = Path(__file__).parents[2] / "example-config.yaml"


class HttpCheck(ToolSettings):
    kind: Literal["http"]
    url: str
    token: SecretStr | None = None


class TcpCheck(ToolSettings):
    kind: Literal["tcp"]
    port: int


class ServicesSettings(ToolSettings):
    password: SecretStr = SecretStr("none")
    checks: tuple[Annotated[HttpCheck | TcpCheck, Field(discriminator="kind")], ...] = ()


def test_every_mistake_is_told_at_once_with_its_line_and_a_hint(tmp_path: Path) -> None:
    assert mistakes(
        tmp_path,
        """\
homeserver:
  url: localhost:8008
  server_nam: hs.test
bot:
  localpart: 5 5
modell:
  base_url: http://x
appservice:
  listen:
    port: 0
""",
        environ={"LYCATRA_LOG__LEVEL": "loud", "LYCATRA_TURNS__LEESE": "1"},
    ) == [
        "config.yaml:1: homeserver.server_name: is missing "
        "(Synapse's server_name, e.g. example.org)",
        "config.yaml:2: homeserver.url: should be an address beginning with http:// or https:// "
        "(how Lycatra reaches Synapse, e.g. http://localhost:8008)",
        "config.yaml:3: homeserver.server_nam: is not a setting; did you mean 'server_name'?",
        "config.yaml:5: bot.localpart: should have only a-z, 0-9, '.', '_' and '-', "
        "and not begin with a sign (its Matrix ID is @localpart:server_name)",
        "config.yaml:6: modell: is not a setting; did you mean 'model'?",
        "config.yaml:10: appservice.listen.port: should be greater than or equal to 1 "
        "(a free port, 1 to 65535)",
        "LYCATRA_LOG__LEVEL: should be 'DEBUG', 'INFO', 'WARNING' or 'ERROR'",
        "LYCATRA_TURNS__LEESE: is not a setting; did you mean LYCATRA_TURNS__LEASE?",
    ]


def test_a_missing_section_is_told_without_a_line(tmp_path: Path) -> None:
    [problem] = mistakes(tmp_path, "timezone: UTC\n")
    assert problem == "config.yaml: homeserver: is missing (a section with url and server_name)"


def test_a_key_written_twice_is_a_mistake(tmp_path: Path) -> None:
    problems = mistakes(tmp_path, SMALLEST + "timezone: UTC\ntimezone: Europe/Berlin\n")
    assert problems == ["config.yaml:8: timezone: is written twice, the first time in line 7"]


@pytest.mark.parametrize("key", ["base_folder", "warnings", "tool_settings"])
def test_what_the_reader_adds_cannot_be_written(tmp_path: Path, key: str) -> None:
    [problem] = mistakes(tmp_path, SMALLEST + f"{key}: x\n")
    assert f"{key}: is not a setting" in problem


def test_a_number_where_text_belongs_says_to_quote_it(tmp_path: Path) -> None:
    [problem] = mistakes(tmp_path, SMALLEST + "bot: {display_name: 42}\n")
    assert problem.startswith(
        "config.yaml:7: bot.display_name: should be text; put it into quotes"
    )


def test_a_section_whose_lines_are_all_comments_counts_as_not_written(tmp_path: Path) -> None:
    settings = load(tmp_path, SMALLEST + "bot:\n  #localpart: x\nmodel:\naccess:\n  viewer:\n")
    assert settings.bot.localpart == "lycatra"
    assert settings.model is None
    assert settings.access.viewer == ("*:hs.test",)


def test_relative_paths_begin_at_the_folder_of_the_file(tmp_path: Path) -> None:
    settings = load(tmp_path, SMALLEST + "  registration_file: r.yaml\n")
    assert settings.base_folder == tmp_path
    assert settings.appservice.registration_file == tmp_path / "r.yaml"
    assert settings.database.sqlite_file == tmp_path / "data/lycatra.db"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"\xff\xfe", "is not UTF-8 text"),
        (b"a: " + b"x" * 1024 * 1024, "is larger than 1 MiB"),
        (b"- homeserver", "should have settings at its top"),
        (b"a: [1", "is not valid YAML here"),
        (b"a: 1\n---\nb: 2\n", "is not valid YAML here"),
        (b"a: \x00", "has signs in it that YAML does not allow"),
        (b"%YAML 9.9\n---\na: 1\n", "is not valid YAML here"),
        (b"", "homeserver: is missing"),
    ],
)
def test_a_file_that_is_no_configuration_gets_one_sentence(
    tmp_path: Path, content: bytes, sentence: str
) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes(content)
    with pytest.raises(SettingsError, match=sentence) as caught:
        load_settings(path, {}, {})
    assert len(caught.value.problems) == 1


def test_a_file_that_is_not_there_gets_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="does not exist"):
        load_settings(tmp_path / "nothing.yaml", {}, {})


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + SMALLEST.encode())
    assert load_settings(path, {}, {}).homeserver.server_name == "hs.test"


# --- hostile YAML


def test_an_alias_bomb_is_refused_without_being_written_out(tmp_path: Path) -> None:
    # Written out, this would be more than 9**29 values, so that it ends at all is the proof.
    levels = "\n".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, 30))
    [problem] = mistakes(tmp_path, f"l0: &l0 [x, x]\n{levels}\n")
    assert "too large or too deeply nested" in problem


@pytest.mark.parametrize(
    "text", ["a: &a [*a]\n", "a: " + "[" * 5000, "a: &a {b: *a}\n", "{a: " * 60 + "1" + "}" * 60]
)
def test_endless_or_deep_nesting_is_refused(tmp_path: Path, text: str) -> None:
    assert len(mistakes(tmp_path, text)) == 1


@pytest.mark.parametrize(
    "value",
    [
        "!!python/object/apply:os.system ['touch PROOF']",
        "!!python/name:os.system",
        "!lycatra x",
        "!!binary aGVsbG8=",
        "!!set {a, b}",
    ],
)
def test_a_tag_builds_no_object(
    tmp_path: Path, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    problems = mistakes(tmp_path, SMALLEST + f"bot:\n  display_name: {value}\n")
    assert len(problems) == 1
    assert problems[0].startswith("config.yaml:8: bot.display_name: has a YAML tag")
    assert not Path("PROOF").exists()


def test_merge_keys_are_refused_rather_than_taken_for_a_key(tmp_path: Path) -> None:
    [problem] = mistakes(tmp_path, SMALLEST + "log: &l {level: INFO}\nbot: {<<: *l}\n")
    assert problem.startswith("config.yaml:8: bot: uses '<<'")


@pytest.mark.parametrize(
    ("text", "value"),
    [("010", 10), ("0x1f", 31), ("0o17", 15), ("1_000", 1000), ("yes", "yes"), ("~", None),
     ("1.5", 1.5), ("True", True), ("2026-01-02", "2026-01-02"), ("'5'", "5"), ("12:30", "12:30")],
)  # fmt: skip
def test_scalars_are_those_of_yaml_1_2(text: str, value: object) -> None:
    assert read_yaml(f"a: {text}").values == {"a": value}


def test_mistakes_about_rooms_tell_what_is_possible(tmp_path: Path) -> None:
    assert mistakes(
        tmp_path,
        SMALLEST
        + """\
rooms:
  reply: threads
  virtual_users: some
  stream: yes
  language: german
  quiet: [welcome, hello]
  reply_place: x
invitations:
  per_person_and_hour: 0
  per_server_and_hour: many
  per_room: 3
""",
    ) == [
        "config.yaml:8: rooms.reply: should be 'auto', 'thread' or 'plain' "
        "(auto answers in threads where three people or more are)",
        "config.yaml:9: rooms.virtual_users: should be 'all', 'on_demand' or 'label' "
        "(all brings them along, label lets @lycatra speak for them)",
        "config.yaml:10: rooms.stream: should be 'on', 'off' or 'silent' "
        "(whether answers are shown while they are written)",
        "config.yaml:11: rooms.language: is no language that is known here; "
        "known are auto, en, de (of fixed messages; auto follows the question)",
        "config.yaml:12: rooms.quiet.1: should be 'welcome', 'too_old', 'edited', 'hints' "
        "or 'progress'",
        "config.yaml:13: rooms.reply_place: is not a setting; did you mean 'reply'?",
        "config.yaml:15: invitations.per_person_and_hour: "
        "should be greater than or equal to 1 (rooms, 1 or more)",
        "config.yaml:16: invitations.per_server_and_hour: "
        "should be a whole number (rooms, 1 or more)",
        "config.yaml:17: invitations.per_room: is not a setting; "
        "did you mean 'per_room_and_hour'?",
    ]


def test_kinds_of_quiet_messages_may_be_one_line_and_switches_need_no_quotes(
    tmp_path: Path,
) -> None:
    text = SMALLEST + "rooms:\n  stream: off\n  quiet: welcome, edited\n"
    assert load(tmp_path, text).rooms.quiet == ("welcome", "edited")
    assert load(tmp_path, text).rooms.stream == "off"
    environ = {"LYCATRA_ROOMS__QUIET": "hints", "LYCATRA_ROOMS__REPLY": "plain"}
    assert load(tmp_path, environ=environ).rooms.quiet == ("hints",)
    assert load(tmp_path, environ=environ).rooms.reply == "plain"


# --- the environment


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        SMALLEST + "log: {level: DEBUG, format: text}\n",
        environ={
            "LYCATRA_LOG__LEVEL": "error",
            "LYCATRA_APPSERVICE__LISTEN__PORT": "9000",
            "LYCATRA_TIMEZONE": "Europe/Berlin",
            "LYCATRA_ACCESS__ADMIN": "@a:hs.test, @b:hs.test",
            "LYCATRA_MODEL__BASE_URL": "http://localhost:11434/v1/",
            "LYCATRA_MODEL__MODEL": "tiny",
        },
    )
    assert (settings.log.level, settings.log.format) == ("ERROR", "text")
    assert settings.appservice.listen.port == 9000
    assert settings.timezone == "Europe/Berlin"
    assert settings.access.admin == ("@a:hs.test", "@b:hs.test")
    assert settings.model is not None
    assert settings.model.base_url == "http://localhost:11434/v1"


def test_the_environment_alone_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load_settings(
        None,
        {
            "LYCATRA_HOMESERVER__URL": "http://synapse:8008",
            "LYCATRA_HOMESERVER__SERVER_NAME": "hs.test",
            "LYCATRA_APPSERVICE__AS_TOKEN": "a" * 32,
            "LYCATRA_APPSERVICE__HS_TOKEN": "h" * 32,
        },
        {},
    )
    assert settings.base_folder == tmp_path
    assert settings.database.sqlite_file == tmp_path / "data/lycatra.db"


def test_without_file_and_environment_the_person_reads_where_to_begin() -> None:
    with pytest.raises(SettingsError, match=r"copy example-config\.yaml") as caught:
        load_settings(None, {"LYCATRA_SERVICE_HOST": "10.0.0.1"}, {})
    assert len(caught.value.problems) == 1


def test_a_missing_setting_is_named_as_a_variable_when_there_is_no_file() -> None:
    with pytest.raises(SettingsError, match="as a variable: LYCATRA_HOMESERVER__SERVER_NAME"):
        load_settings(None, {"LYCATRA_HOMESERVER__URL": "http://x"}, {})


def test_an_empty_variable_counts_as_not_set(tmp_path: Path) -> None:
    assert load(tmp_path, environ={"LYCATRA_BOT__LOCALPART": ""}).bot.localpart == "lycatra"


def test_a_single_underscore_is_noticed(tmp_path: Path) -> None:
    [problem] = mistakes(tmp_path, environ={"LYCATRA_MODEL_API_KEY": CANARY})
    assert problem == (
        "LYCATRA_MODEL_API_KEY: is not a setting; did you mean LYCATRA_MODEL__API_KEY?"
    )


def test_variables_of_others_with_our_prefix_are_left_alone(tmp_path: Path) -> None:
    load(
        tmp_path,
        environ={
            "LYCATRA_SERVICE_HOST": "10.0.0.1",  # Kubernetes writes these for a service `lycatra`
            "LYCATRA_PORT_8080_TCP_ADDR": "10.0.0.1",
            "LYCATRA_CONFIG": "config.yaml",
            "LYCATRA_TEST_DSN": "postgresql://x",
        },
    )


def test_a_section_that_is_text_in_the_file_stays_a_mistake(tmp_path: Path) -> None:
    problems = mistakes(tmp_path, SMALLEST + "log: loud\n", environ={"LYCATRA_LOG__LEVEL": "INFO"})
    assert problems == ["config.yaml:7: log: should be a section: its keys below it, indented"]


# --- several models

SEVERAL = """models:
  home: {base_url: 'http://gpu.lan/v1', model: small}
  cloud: {base_url: 'https://api.openai.com/v1', model: big, api_key_file: key}
"""


def test_several_models_are_asked_in_the_order_they_are_written(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("from-the-file")
    settings = load(tmp_path, SMALLEST + SEVERAL)
    assert list(settings.backends) == ["home", "cloud"]
    assert settings.backends["cloud"].api_key == SecretStr("from-the-file")


def test_one_model_is_called_like_its_section(tmp_path: Path) -> None:
    settings = load(tmp_path, SMALLEST + "model: {base_url: 'http://gpu.lan/v1', model: small}\n")
    assert list(settings.backends) == ["model"]
    assert not load(tmp_path, SMALLEST).backends


def test_a_model_of_several_takes_a_variable(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("from-the-file")
    environ = {
        "LYCATRA_MODELS__CLOUD__API_KEY": "from-the-variable",
        "LYCATRA_MODELS__CLOUD__CONTEXT_WINDOW": "100000",
    }
    cloud = load(tmp_path, SMALLEST + SEVERAL, environ=environ).backends["cloud"]
    assert cloud.api_key == SecretStr("from-the-variable")
    assert cloud.context_window == 100_000


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            SEVERAL.replace(", api_key_file: key", "") + "model: {base_url: 'http://x', model: m}",
            "models: should not stand beside model",
        ),
        ("models: {auto: {base_url: 'http://x', model: m}}", "should be a name of yours"),
        ("models: {Big One: {base_url: 'http://x', model: m}}", "should be a name of yours"),
        (
            "models: {local: {base_url: 'http://x', model: m}}",
            "models: should have a name of yours above local",
        ),
        ("models: {home: {base_url: 'http://x'}}", "models.home.model: is missing"),
        (
            "models: {a: {base_url: 'http://x', model: m, namespaces: [logs]},"
            " b: {base_url: 'http://x', model: m, namespaces: logs}}",
            "should have logs in the namespaces of one model only",
        ),
    ],
)
def test_models_that_cannot_be_told_apart_are_a_mistake(
    tmp_path: Path, text: str, sentence: str
) -> None:
    assert sentence in "\n".join(mistakes(tmp_path, SMALLEST + text + "\n"))


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("headers", "{'X Y': a}", "should be the name of a header"),
        ("headers", "{Host: a}", "should be the name of a header"),
        ("headers", '{X-Y: "a\\nb"}', "should have only ASCII signs"),
        ("body", "{messages: []}", "should not be here"),
        ("body", "{max_tokens: 3}", "should not be here"),
        ("proxy", "socks5://x", "should be an address"),
        ("max_concurrency", "0", "should be greater"),
        ("max_waiting", "5", "should stand beside max_concurrency"),
        ("max_waiting", "-1", "should be greater"),
        ("connect_timeout", "1h", "should be less"),
        ("parallel_tool_calls", "maybe", "should be a valid boolean"),
        ("max_tokens", "3", "is not a setting"),
    ],
)
def test_what_no_request_can_have_is_a_mistake_of_the_configuration(
    tmp_path: Path, key: str, value: str, sentence: str
) -> None:
    section = f"model: {{base_url: 'http://x', model: m, {key}: {value}}}\n"
    [problem] = mistakes(tmp_path, SMALLEST + section)
    assert problem.startswith("config.yaml:7: model.")
    assert sentence in problem


# --- secrets


def test_a_secret_may_come_from_a_file_beside_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("from-the-file\n")
    settings = load(
        tmp_path, SMALLEST + "model: {base_url: 'http://x', model: m, api_key_file: key}\n"
    )
    assert settings.model is not None
    assert settings.model.api_key == SecretStr("from-the-file")


@pytest.mark.parametrize("written", ["api_key: in-the-file", "api_key_file: nowhere"])
def test_a_secret_of_the_environment_replaces_both_forms_of_the_file(
    tmp_path: Path, written: str
) -> None:
    (tmp_path / "key").write_text("from-the-file")
    text = SMALLEST + f"model:\n  base_url: http://x\n  model: m\n  {written}\n"
    for environ, key in (
        ({"LYCATRA_MODEL__API_KEY": "from-the-variable"}, "from-the-variable"),
        ({"LYCATRA_MODEL__API_KEY_FILE": "key"}, "from-the-file"),
    ):
        settings = load(tmp_path, text, environ=environ)
        assert settings.model is not None
        assert settings.model.api_key == SecretStr(key)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("nowhere", None, "cannot read"),
        ("empty", b"\n", "is empty or too large"),
        ("large", b"x" * 70_000, "is empty or too large"),
        ("bytes", b"\xff\xfe", "is not text"),
    ],
)
def test_a_secret_file_that_cannot_be_used_is_named_with_its_line(
    tmp_path: Path, name: str, content: bytes | None, sentence: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    [problem] = mistakes(tmp_path, SMALLEST + f"database:\n  url_file: {name}\n")
    assert problem.startswith("config.yaml:8: database.url_file: ")
    assert sentence in problem


def test_a_secret_written_in_both_forms_is_a_mistake(tmp_path: Path) -> None:
    text = SMALLEST + f"database:\n  url: postgresql://u:{CANARY}@h/d\n  url_file: x\n"
    [problem] = mistakes(tmp_path, text)
    assert problem == "config.yaml:9: database.url_file: is set beside url; keep one of them"


@pytest.mark.parametrize(
    "text",
    [
        f"database: {{url: 'mysql://u:{CANARY}@h/d'}}\n",
        f"model: {{api_key: '{CANARY} with space', base_url: 'http://x', model: m}}\n",
        f"model: {{api_key: [{CANARY}], base_url: 'http://x', model: m}}\n",
        f"model: {{api_kye: {CANARY}, base_url: 'http://x', model: m}}\n",
        f"model: {{base_url: 'http://u:{CANARY}@x', model: m}}\n",
        f"model: {{api_key: *{CANARY}, base_url: 'http://x', model: m}}\n",
        f"model: {{api_key: !{CANARY} x, base_url: 'http://x', model: m}}\n",
        f"model:\n  api_key: @{CANARY}\n",
        f"model:\n  api_key: '{CANARY}\n",
        f"model: {CANARY}\n",
        f"tools: {{services: {{password: [{CANARY}]}}}}\n",
        f"tools: {{services: {{checks: [{{kind: http, token: {CANARY}}}]}}}}\n",
        f"tools: {{services: {{checks: [{{kind: {CANARY}}}]}}}}\n",
        f"tools: {{services: {CANARY}}}\n",
    ],
)
def test_no_mistake_repeats_a_secret(tmp_path: Path, text: str) -> None:
    problems = mistakes(tmp_path, SMALLEST + text, tools={"services": ServicesSettings})
    assert problems
    assert CANARY not in "\n".join(problems)


def test_a_secret_of_the_environment_is_not_repeated_either(tmp_path: Path) -> None:
    [problem] = mistakes(tmp_path, environ={"LYCATRA_DATABASE__URL": f"mysql://u:{CANARY}@h/d"})
    assert problem.startswith("LYCATRA_DATABASE__URL: should begin with postgresql://")
    assert CANARY not in problem


def test_nothing_shown_or_dumped_of_the_settings_has_a_secret(tmp_path: Path) -> None:
    (tmp_path / "password").write_text(CANARY)
    settings = load(
        tmp_path,
        WITHOUT_TOKENS + f"appservice: {{as_token: a{CANARY}, hs_token: h{CANARY}}}\n"
        f"database: {{url: 'postgresql://u:{CANARY}@h/d'}}\n"
        f"model: {{base_url: 'http://x', model: m, api_key: {CANARY}}}\n"
        "tools: {services: {password_file: password}}\n",
        tools={"services": ServicesSettings},
    )
    shown = f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"
    assert CANARY not in shown
    assert settings.appservice.as_token.get_secret_value() == f"a{CANARY}"


@pytest.mark.skipif(os.name != "posix", reason="modes are a matter of POSIX systems")
@pytest.mark.parametrize(("mode", "warned"), [(0o600, 0), (0o640, 1), (0o644, 1)])
def test_a_configuration_with_secrets_that_others_may_read_is_warned_of(
    tmp_path: Path, mode: int, warned: int
) -> None:
    path = write_config(tmp_path, SMALLEST)
    path.chmod(mode)
    warnings = load_settings(path, {}, {}).warnings
    assert len(warnings) == warned
    assert all(f"{mode:04o}" in warning and "chmod 600" in warning for warning in warnings)


def test_a_configuration_without_secrets_may_be_read_by_all(tmp_path: Path) -> None:
    path = write_config(tmp_path, WITHOUT_TOKENS + "database: {url: 'sqlite:///x.db'}\n")
    path.chmod(0o644)
    tokens = {"LYCATRA_APPSERVICE__AS_TOKEN": "a" * 32, "LYCATRA_APPSERVICE__HS_TOKEN": "h" * 32}
    assert load_settings(path, tokens, {}).warnings == ()


# --- tools


def test_a_section_of_tools_is_checked_by_its_namespace(tmp_path: Path) -> None:
    problems = mistakes(
        tmp_path,
        SMALLEST + "tools:\n  servicez: {}\n  services:\n    checks:\n"
        "      - {kind: http}\n      - {kind: tcp, prot: 1, port: x}\n",
        tools={"services": ServicesSettings, "updates": NoSettings},
    )
    assert problems == [
        "config.yaml:8: tools.servicez: is no namespace of tools; did you mean 'services'?",
        "config.yaml:11: tools.services.checks.0.url: is missing",
        "config.yaml:12: tools.services.checks.1.port: should be a whole number",
        "config.yaml:12: tools.services.checks.1.prot: is not a setting; did you mean 'port'?",
    ]


def test_every_namespace_has_checked_settings_even_without_a_section(tmp_path: Path) -> None:
    settings = load(tmp_path, tools={"services": ServicesSettings, "updates": NoSettings})
    assert settings.tool_settings == {"services": ServicesSettings(), "updates": NoSettings()}


def test_secrets_of_tools_come_from_files_and_variables_too(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from-a-file")
    settings = load(
        tmp_path,
        SMALLEST + "tools: {services: {checks: [{kind: http, url: x, token_file: token}]}}\n",
        environ={"LYCATRA_TOOLS__SERVICES__PASSWORD": "from-a-variable"},
        tools={"services": ServicesSettings},
    )
    assert settings.tool_settings["services"] == ServicesSettings(
        password=SecretStr("from-a-variable"),
        checks=(HttpCheck(kind="http", url="x", token=SecretStr("from-a-file")),),
    )


def test_a_list_for_a_tool_may_be_json_in_the_environment(tmp_path: Path) -> None:
    checks = '[{"kind": "tcp", "port": 1}]'
    settings = load(
        tmp_path,
        environ={"LYCATRA_TOOLS__SERVICES__CHECKS": checks},
        tools={"services": ServicesSettings},
    )
    assert settings.tool_settings["services"] == ServicesSettings(
        checks=(TcpCheck(kind="tcp", port=1),)
    )


# --- tokens


def test_the_tokens_come_from_the_registration_file(tmp_path: Path) -> None:
    path = write_config(tmp_path, WITHOUT_TOKENS)
    written = load_written_settings(path, {})
    tokens = new_tokens()
    file = tmp_path / "registration/lycatra.yaml"
    file.parent.mkdir()
    file.write_text(render(registration_content(written, tokens)))
    settings = load_settings(path, {}, {})
    assert settings.appservice.as_token == tokens.as_token
    assert settings.appservice.hs_token == tokens.hs_token
    assert settings.appservice.hs_token_previous is None
    assert settings.warnings == ()


def test_a_registration_that_no_longer_fits_is_warned_of(tmp_path: Path) -> None:
    path = write_config(tmp_path, WITHOUT_TOKENS)
    file = tmp_path / "registration/lycatra.yaml"
    file.parent.mkdir()
    file.write_text(render(registration_content(load_written_settings(path, {}), new_tokens())))
    write_config(tmp_path, WITHOUT_TOKENS + "bot: {localpart: other}\n")
    [warning] = load_settings(path, {}, {}).warnings
    assert "(sender_localpart, namespaces)" in warning
    assert "restart Synapse" in warning


def test_without_tokens_the_one_sentence_says_how_to_make_them(tmp_path: Path) -> None:
    [problem] = mistakes(tmp_path, WITHOUT_TOKENS + "appservice:\n  registration_file: r.yaml\n")
    assert problem == (
        "config.yaml:3: appservice.registration_file: r.yaml does not exist; "
        "make it with `lycatra registration`"
    )


# --- a folder for the data, as the image has one


def database_url(folder: Path, text: str, **environ: str) -> str:
    environ["LYCATRA_DATA_FOLDER"] = "/data/"
    return load(folder, text, environ=environ).database.url.get_secret_value()


@pytest.mark.parametrize("database", ["", "database:\n", "database: {pool_size: 4}\n"])
def test_the_data_folder_holds_the_database_that_nobody_placed(
    tmp_path: Path, database: str
) -> None:
    assert database_url(tmp_path, SMALLEST + database) == "sqlite:////data/lycatra.db"


def test_a_database_that_is_written_anywhere_wins_over_the_data_folder(tmp_path: Path) -> None:
    url = "postgresql://u@h/d"
    (tmp_path / "url").write_text(url)
    assert database_url(tmp_path, SMALLEST + f"database: {{url: '{url}'}}\n") == url
    assert database_url(tmp_path, SMALLEST + "database: {url_file: url}\n") == url
    assert database_url(tmp_path, SMALLEST, LYCATRA_DATABASE__URL=url) == url


# --- budgets


def test_amounts_are_numbers_thousands_millions_or_unlimited(tmp_path: Path) -> None:
    text = """\
budgets:
  person: {turns_per_minute: 7, tokens_per_day: 1_500_000}
  levels: {viewer: {tokens_per_day: 0}, operator: {tokens_per_day: 2.5M}}
  people: {'@alice:hs.test': {tokens_per_day: unlimited}}
  room: {tokens_per_day: '3000'}
"""
    environ = {
        "LYCATRA_BUDGETS__ROOM__TURNS_PER_MINUTE": "unlimited",
        "LYCATRA_BUDGETS__LEVELS__ADMIN__TOKENS_PER_DAY": "900k",
    }
    budgets = load(tmp_path, SMALLEST + text, environ=environ).budgets

    assert (budgets.person.turns_per_minute, budgets.person.tokens_per_day) == (7, 1_500_000)
    shares = {level: share.tokens_per_day for level, share in budgets.levels.items()}
    assert shares == {"viewer": 0, "operator": 2_500_000, "admin": 900_000}
    assert budgets.people["@alice:hs.test"].tokens_per_day == UNLIMITED
    assert budgets.people["@alice:hs.test"].turns_per_minute is None
    assert (budgets.room.turns_per_minute, budgets.room.tokens_per_day) == (UNLIMITED, 3000)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("person: {turns_per_minute: lots}", "person.turns_per_minute: should be a number such"),
        ("person: {turns_per_minute: -1}", "person.turns_per_minute: should be a number such"),
        ("person: {tokens_per_day: 1.5}", "person.tokens_per_day: should be a number such"),
        ("person: {tokens_per_day: yes}", "person.tokens_per_day: should be a number such"),
        ("person: {tokens_per_day: true}", "person.tokens_per_day: should be a number such"),
        ("room: {token_per_day: 1}", "did you mean 'tokens_per_day'?"),
        ("levels: {vewer: {tokens_per_day: 1}}", "should be 'viewer', 'operator' or 'admin'"),
        ("people: {alice: {tokens_per_day: 1}}", "should be the Matrix ID of a person"),
        ("people: {'*:hs.test': {tokens_per_day: 1}}", "should be the Matrix ID of a person"),
        ("answers_in_a_row: 2", "budgets.answers_in_a_row: should be greater than or equal to 3"),
    ],
)
def test_a_mistake_about_budgets_is_told_with_its_key(
    tmp_path: Path, text: str, sentence: str
) -> None:
    [problem] = mistakes(tmp_path, SMALLEST + f"budgets: {{{text}}}\n")
    assert sentence in problem


# --- the example


def test_the_example_names_every_setting_and_each_shown_default_is_one(tmp_path: Path) -> None:
    uncommented = re.sub(r"(?m)^( *)#(\w+:)", r"\1\2", EXAMPLE.read_text(encoding="utf-8"))
    tree = read_yaml(uncommented)
    assert not tree.problems
    for path, _ in leaves(WrittenSettings):
        assert path in tree.lines, f"{'.'.join(path)} is not in example-config.yaml"
    of_one = re.sub(r"\nmodels:\n(?: .*\n)+", "\n", uncommented)  # stands instead of `model`
    write_config(tmp_path, of_one)
    written = load_written_settings(tmp_path / "config.yaml", {})
    plain = load_written_settings(EXAMPLE, {})
    for share in ("person", "room", "answers_in_a_row"):
        assert getattr(written.budgets, share) == getattr(plain.budgets, share)
    for section in ("access", "commands", "log", "retention", "turns", "timezone"):
        assert getattr(written, section) == getattr(plain, section)


def test_the_example_works_as_it_is(tmp_path: Path) -> None:
    environ = {"LYCATRA_APPSERVICE__AS_TOKEN": "a" * 32, "LYCATRA_APPSERVICE__HS_TOKEN": "h" * 32}
    path = write_config(tmp_path, EXAMPLE.read_text(encoding="utf-8"))
    settings = load_settings(path, environ, {})
    assert settings.access.viewer == ("*:example.org",)


def test_every_variable_of_the_example_is_a_setting(tmp_path: Path) -> None:
    lines = EXAMPLE.with_name(".env.example").read_text(encoding="utf-8").splitlines()
    environ = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    tokens = {"LYCATRA_APPSERVICE__AS_TOKEN": "a" * 32, "LYCATRA_APPSERVICE__HS_TOKEN": "h" * 32}
    filled = {name: value or "x" for name, value in environ.items()}
    problems = mistakes(tmp_path, environ={**tokens, **filled})
    assert all("is not a setting" not in problem for problem in problems)
    assert load(tmp_path, environ={**tokens, **environ}).log.level == "INFO"
