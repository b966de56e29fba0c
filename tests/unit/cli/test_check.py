"""`lycatra check`: what is wrong, what looks wrong, and never a secret."""

import subprocess
import sys
from pathlib import Path

import pytest

from lycatra_appservice import __file__ as package_file
from lycatra_appservice.cli.concerns import concerns_about
from lycatra_appservice.settings import Settings
from lycatra_appservice.toolkit.base import ToolSettings
from tests.support.config_folder import SMALLEST, load, write_config
from tests.unit.cli.conftest import Lycatra

CANARY = "canary-5f3a9c0b1e7d"
COMPLETE = SMALLEST + (
    "access: {admin: '@alice:hs.test'}\nmodel: {base_url: 'http://localhost/v1', model: tiny}\n"
)


class LogSettings(ToolSettings):
    path: Path
    more: tuple[Path, ...] = ()


def concerns(folder: Path, text: str = "") -> list[str]:
    return sentences(load(folder, COMPLETE + text))


def sentences(settings: Settings) -> list[str]:
    return [concern.what for concern in concerns_about(settings)]


def test_a_complete_configuration_is_summed_up(lycatra: Lycatra, folder: Path) -> None:
    write_config(folder, COMPLETE)
    outcome = lycatra("check")
    assert (outcome.code, outcome.err) == (0, "")
    assert "@lycatra:hs.test" in outcome.out
    assert "tiny at http://localhost/v1" in outcome.out
    assert "@alice:hs.test" in outcome.out


def test_without_a_configuration_one_sentence_says_how_to_make_one(lycatra: Lycatra) -> None:
    outcome = lycatra("check")
    assert outcome.err.startswith("lycatra: there is no config.yaml here: `lycatra init`")
    assert outcome.err.endswith("with -c or LYCATRA_CONFIG\n")


def test_mistakes_end_with_two_and_one_line_each(lycatra: Lycatra, folder: Path) -> None:
    write_config(folder, SMALLEST + "timezon: UTC\nlog: {level: x}\n")
    outcome = lycatra("check")
    assert (outcome.code, outcome.out) == (2, "")
    assert [line.split(": ")[1] for line in outcome.err.splitlines()] == [
        "config.yaml:7",
        "config.yaml:8",
    ]


def test_an_unknown_language_is_named_with_the_known_ones(lycatra: Lycatra, folder: Path) -> None:
    write_config(folder, SMALLEST + "rooms: {language: tlh}\n")
    outcome = lycatra("check")
    assert outcome.code == 2
    [line] = outcome.err.splitlines()
    assert "config.yaml:7: rooms.language" in line
    assert "auto, en, de" in line


@pytest.mark.parametrize("language", ["auto", "en", "de"])
def test_a_language_of_the_catalogue_can_be_configured(folder: Path, language: str) -> None:
    assert load(folder, COMPLETE + f"rooms: {{language: {language}}}\n").rooms.language == language


@pytest.mark.parametrize(
    ("approvals", "mistake"),
    [
        ("{quorum: 0}", "approvals.quorum"),
        ("{freeze: [weekend]}", "approvals.freeze"),
        (
            "{tools: {restart_servis: {}}}",
            "config.yaml:9: approvals.tools.restart_servis: is no tool that changes something; "
            "did you mean 'restart_service'?",
        ),
        ("{tools: {list_updates: {}}}", "approvals.tools.list_updates: is no tool that changes"),
        ("{level: admin, people: ['@a:hs.test']}", "either level or people, not both"),
    ],
)
def test_rules_of_approvals_that_cannot_be_met_are_mistakes(
    lycatra: Lycatra, folder: Path, approvals: str, mistake: str
) -> None:
    write_config(folder, COMPLETE + f"approvals: {approvals}\n")
    outcome = lycatra("check")
    assert outcome.code == 2
    assert mistake in outcome.err


@pytest.mark.parametrize(
    ("services", "mistake"),
    [
        ("{checks: [{name: x}]}", "has no kind; there are http, tcp, command"),
        (
            "{restarts: [{kind: kubernetes, service: x, namespace: n, workload: pod/x}]}",
            "(deployment/, statefulset/ or daemonset/ and its name)",
        ),
    ],
)
def test_what_a_section_of_a_tool_lacks_is_said_in_words(
    lycatra: Lycatra, folder: Path, services: str, mistake: str
) -> None:
    write_config(folder, COMPLETE + f"tools: {{services: {services}}}\n")
    outcome = lycatra("check")
    assert mistake in outcome.err
    assert "String" not in outcome.err
    assert "discriminator" not in outcome.err


ALICE_ALONE = "access: {admin: ['@alice:hs.test']}\n"
OF_BOB = ALICE_ALONE.replace("}", ", none: ['@bob:hs.test']}")


@pytest.mark.parametrize(
    ("access", "approvals", "mistake"),
    [
        (ALICE_ALONE, "{people: ['@a:hs.test'], quorum: 2}", "2 people, but only 1 may approve"),
        (ALICE_ALONE, "{quorum: 2}", "restart_service needs 2 people, but only 1 may approve it"),
        (ALICE_ALONE, "{not_requester: true}", "restart_service needs 1 person beside who asks"),
        (
            ALICE_ALONE,
            "{tools: {restart_service: {quorum: 2}}}",
            "approvals.tools.restart_service",
        ),
        (OF_BOB, "{people: ['@bob:hs.test']}", "needs 1 person, but nobody may approve it"),
        (
            "access: {operator: ['@o:hs.test']}\n",
            "{level: admin}",
            "needs 1 person, but nobody may approve it",
        ),
        (ALICE_ALONE, "{freeze: [mon-fri, sat-sun]}", "leave no moment of the week"),
    ],
)
def test_a_rule_of_approvals_that_nobody_named_can_meet_is_a_mistake(
    lycatra: Lycatra, folder: Path, access: str, approvals: str, mistake: str
) -> None:
    write_config(folder, SMALLEST + access + f"approvals: {approvals}\n")
    outcome = lycatra("check")
    assert outcome.code == 2
    assert "config.yaml:8: approvals" in outcome.err
    assert mistake in outcome.err


@pytest.mark.parametrize(
    ("access", "approvals"),
    [
        ("access: {operator: '*:hs.test'}\n", "{quorum: 9, not_requester: true}"),
        (ALICE_ALONE, "{people: ['@a:hs.test', 'room:!team'], quorum: 3}"),
        ("access: {admin: ['@a:hs.test', '@b:hs.test']}\n", "{not_requester: true}"),
        (
            # Who asks need not be one who approves.
            ALICE_ALONE + "permissions: [{tools: [restart_service], level: viewer}]\n",
            "{not_requester: true}",
        ),
    ],
)
def test_a_rule_of_approvals_that_somebody_may_meet_is_none(
    lycatra: Lycatra, folder: Path, access: str, approvals: str
) -> None:
    write_config(folder, SMALLEST + access + f"approvals: {approvals}\n")
    outcome = lycatra("check")
    assert (outcome.code, "approvals" in outcome.err) == (0, False)


@pytest.mark.parametrize(
    ("approvals", "row"),
    [
        ("{}", "approvals:     1 operator within 15 min"),
        (
            "{quorum: 2, people: '*:hs.test', lifetime: 36h, not_requester: true}",
            "approvals:     2 of *:hs.test within 36 h, not who asks",
        ),
        (
            "{tools: {restart_service: {lifetime: 1h}}}",
            "approvals:     1 operator within 15 min; otherwise for restart_service",
        ),
    ],
)
def test_who_approves_is_summed_up(
    lycatra: Lycatra, folder: Path, approvals: str, row: str
) -> None:
    write_config(folder, COMPLETE + f"approvals: {approvals}\n")
    assert f"  {row}" in lycatra("check").out.splitlines()


def test_no_secret_is_shown(lycatra: Lycatra, folder: Path) -> None:
    write_config(
        folder,
        SMALLEST.replace("as-token", f"as-{CANARY}").replace("hs-token", f"hs-{CANARY}")
        + f"model: {{base_url: 'http://x', model: m, api_key: {CANARY}}}\n"
        f"database: {{url: 'postgresql://u:{CANARY}@h/d'}}\n",
    )
    outcome = lycatra("check")
    assert outcome.code == 0
    assert CANARY not in outcome.out + outcome.err
    assert "postgresql" in outcome.out


def test_warnings_are_told_and_do_no_harm(lycatra: Lycatra, folder: Path) -> None:
    write_config(folder, SMALLEST).chmod(0o644)
    outcome = lycatra("check")
    assert outcome.code == 0
    assert outcome.err.splitlines() == [
        "warning: config.yaml holds secrets and others may read it (mode 0644): "
        "run `chmod 600 config.yaml`, or keep the secrets in files of their own",
        "warning: access.admin is empty: nobody is an admin",
        "warning: access.operator and access.admin are empty: nobody can approve a change",
        "warning: there is no model section: commands work, free questions are not answered",
    ]


def test_a_complete_configuration_raises_no_concern(tmp_path: Path) -> None:
    assert concerns(tmp_path) == []


@pytest.mark.parametrize(
    ("appservice", "sentence"),
    [
        ("{url: 'http://lycatra:8080'}", "listens on 127.0.0.1 only"),
        ("{listen: {port: 9000}}", "Synapse is told port 8080"),
        ("{url: 'http://localhost'}", "Synapse is told port 80 "),
        ("{ops: {port: 8080}}", "have the same port 8080"),
        ("{hs_token: short}", "hs_token is short enough to be guessed"),
        ("{hs_token_previous: before}", "a token rotation is under way"),
    ],
)
def test_an_address_or_token_that_looks_wrong_is_a_concern(
    tmp_path: Path, appservice: str, sentence: str
) -> None:
    environ = {
        "LYCATRA_APPSERVICE__AS_TOKEN": "a" * 32,
        "LYCATRA_APPSERVICE__HS_TOKEN": "" if "hs_token:" in appservice else "h" * 32,
    }
    text = COMPLETE.replace(
        SMALLEST[SMALLEST.index("appservice:") :], f"appservice: {appservice}\n"
    )
    [concern] = sentences(load(tmp_path, text, environ=environ))
    assert sentence in concern


@pytest.mark.parametrize(
    ("networks", "who"), [("", "this machine"), (", networks: [10.0.0.0/24]", "10.0.0.0/24")]
)
def test_an_endpoint_without_tokens_is_a_concern(tmp_path: Path, networks: str, who: str) -> None:
    [concern] = concerns(tmp_path, f"mcp: {{auth: none{networks}}}\n")
    assert f"mcp.auth is none: everybody of {who}" in concern


@pytest.mark.parametrize(
    ("budgets", "sentence"),
    [
        ("{person: {turns_per_minute: 0}}", "budgets.person.turns_per_minute is 0: nobody"),
        ("{room: {tokens_per_day: 0}}", "budgets.room.tokens_per_day is 0: no question"),
    ],
)
def test_a_limit_of_nothing_for_everybody_is_a_concern(
    tmp_path: Path, budgets: str, sentence: str
) -> None:
    [concern] = concerns(tmp_path, f"budgets: {budgets}\n")
    assert sentence in concern


def test_a_synapse_elsewhere_that_is_told_localhost_is_a_concern(tmp_path: Path) -> None:
    text = COMPLETE.replace("http://localhost:8008", "https://matrix.hs.test")
    [concern] = sentences(load(tmp_path, text))
    assert "which is its own computer there" in concern


def test_everybody_denied_is_a_concern(tmp_path: Path) -> None:
    text = COMPLETE.replace("'@alice:hs.test'", "'@alice:hs.test', none: '*'")
    [concern] = sentences(load(tmp_path, text))
    assert "nobody can use the assistant" in concern


def test_files_of_tools_that_are_not_there_are_named(tmp_path: Path) -> None:
    (tmp_path / "there.log").touch()
    settings: Settings = load(
        tmp_path,
        COMPLETE + "tools: {logs: {path: there.log, more: [gone.log]}}\n",
        tools={"logs": LogSettings},
    )
    assert sentences(settings) == ["tools.logs.more.0: gone.log does not exist"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("access: {admin: '@a:hs.test', viewer: []}", "access.viewer is empty: only operators"),
        (
            "access: {admin: '@a:hs.test', operator: 'power:50'}",
            "access.operator has 'power:50': whoever makes a room of his own has that there",
        ),
        (
            "permissions: [{tools: updates, who: ['power:100']}]",
            "permissions.0.who has 'power:100': whoever makes a room of his own has that there",
        ),
        (
            "permissions: [{tools: ['*'], level: admin}, {tools: [updates, services], who: []}]",
            "permissions.1.who is empty: nobody can use updates, services",
        ),
    ],
)
def test_rights_that_look_wrong_are_a_concern(tmp_path: Path, text: str, sentence: str) -> None:
    complete = COMPLETE if text.startswith("permissions") else COMPLETE.replace("access: ", "#")
    [concern] = sentences(load(tmp_path, f"{complete}{text}\n"))
    assert sentence in concern


@pytest.mark.parametrize("entry", ["room:!ops:hs.test", "power:50 in !ops", "@a:hs.test"])
def test_rights_in_a_room_that_somebody_chose_are_none(tmp_path: Path, entry: str) -> None:
    access = f"access: {{admin: '@alice:hs.test', operator: '{entry}', viewer: 'power:0'}}"
    text = COMPLETE.replace("access: {admin: '@alice:hs.test'}", access)
    assert sentences(load(tmp_path, text)) == []


def told_about(lycatra: Lycatra, folder: Path, rules: str) -> list[str]:
    write_config(folder, f"{COMPLETE}permissions:\n{rules}")
    outcome = lycatra("check")
    assert outcome.code == 2
    return [line.partition("config.yaml:")[2] for line in outcome.err.splitlines()]


def test_mistakes_in_rules_are_named_with_their_lines(lycatra: Lycatra, folder: Path) -> None:
    rules = (
        "  - {tools: ['*'], faces: [mpc], level: admin}\n"
        "  - {tools: [updates], who: ['room:#ops:hs.test', 'alice']}\n"
        "  - {tools: [updates], who: [], level: admin}\n"
        "  - {tools: [updates]}\n"
        "  - {tools: [], level: none}\n"
    )
    starts = [
        "10: permissions.0.faces.0: should be 'command', 'agent' or 'mcp'",
        "11: permissions.1.who.0: should name the room by its id, as in 'room:!abc'",
        "11: permissions.1.who.1: should be a Matrix ID '@name:server', the members of a room",
        "12: permissions.2: should have either level or who, not both",
        "13: permissions.3: should have level, who or hidden, or it changes nothing",
        "14: permissions.4.level: should be 'viewer', 'operator' or 'admin'",
        "14: permissions.4.tools: Value should have at least 1 item",
    ]

    told = sorted(told_about(lycatra, folder, rules))

    assert [line[: len(start)] for line, start in zip(told, starts, strict=True)] == starts


def test_a_rule_for_what_is_no_tool_or_for_what_another_one_rules_is_a_mistake(
    lycatra: Lycatra, folder: Path
) -> None:
    rules = (
        "  - {tools: [list_update], level: admin}\n"
        "  - {tools: [updates], level: admin}\n"
        "  - {tools: [services, updates], level: operator}\n"
    )

    assert told_about(lycatra, folder, rules) == [
        "10: permissions.0.tools: 'list_update' is neither a tool nor a namespace; "
        "did you mean 'list_updates'?",
        "12: permissions.2.tools: permissions.1 has a rule for 'updates' on the same faces "
        "already",
    ]


def test_rules_may_come_from_the_environment_as_json(tmp_path: Path) -> None:
    environ = {"LYCATRA_PERMISSIONS": '[{"tools": "services", "who": []}]'}
    [concern] = sentences(load(tmp_path, COMPLETE, environ=environ))
    assert concern == "permissions.0.who is empty: nobody can use services"


RESTARTS = (
    "tools: {services: {restarts: [{service: a, kind: docker, container: a}, "
    "{service: b, kind: kubernetes, namespace: b, workload: deployment/b}]}}\n"
)
MISSING = (
    "tools.services needs the extra 'docker', which is not installed: "
    "run pip install 'lycatra-appservice[docker]'"
)


def test_an_extra_that_is_needed_and_missing_is_named_with_the_line_to_install(
    lycatra: Lycatra, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_config(folder, COMPLETE + RESTARTS)
    assert lycatra("check").err == ""
    monkeypatch.setitem(sys.modules, "aiodocker", None)
    outcome = lycatra("check")
    assert (outcome.code, outcome.err) == (0, f"warning: {MISSING}\n")


def test_an_extra_that_is_missing_and_not_needed_is_not_named(
    lycatra: Lycatra, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_config(folder, COMPLETE)
    monkeypatch.setitem(sys.modules, "aiodocker", None)
    assert lycatra("check").err == ""


def test_a_missing_extra_is_in_the_log_of_a_start(folder: Path) -> None:
    config = write_config(
        folder, COMPLETE + RESTARTS + "database: {url: 'postgresql://127.0.0.1:9/none'}\n"
    )
    start = (
        "import sys; sys.modules['aiodocker'] = None; from lycatra_appservice.cli import main; "
        "sys.exit(main(sys.argv[1:]))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", start, "run", "--config", str(config)],
        cwd=folder,
        env={"PYTHONPATH": str(Path(package_file).parent.parent)},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        process.kill()  # it waits for its database
    assert MISSING in first


def test_traces_are_no_concern_until_they_hold_what_was_said(tmp_path: Path) -> None:
    otlp = COMPLETE + "otlp: {endpoint: 'http://localhost:4318', headers: {X-Key: key}"
    assert not [each for each in sentences(load(tmp_path, otlp + "}")) if "otlp" in each]
    telling = load(tmp_path, otlp + ", content: true, ca_file: missing.pem}")
    told = [each for each in sentences(telling) if "otlp" in each]
    assert [each.partition(":")[0] for each in told] == ["otlp.content is on", "otlp.ca_file"]
    assert "http://localhost:4318" in told[0]


def test_an_extra_for_traces_that_is_missing_is_named(
    lycatra: Lycatra, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_config(folder, COMPLETE + "otlp: {endpoint: 'http://localhost:4318'}\n")
    assert lycatra("check").err == ""
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http", None)
    outcome = lycatra("check")
    assert outcome.code == 0
    assert "pip install 'lycatra-appservice[otlp]'" in outcome.err


def test_an_extra_for_encrypted_rooms_that_is_missing_is_named(
    lycatra: Lycatra, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "0123456789abcdef" * 2
    write_config(folder, COMPLETE + f"encryption: {{mode: allow, secret: {secret}}}\n")
    assert lycatra("check").err == ""
    monkeypatch.setitem(sys.modules, "olm", None)
    outcome = lycatra("check")
    assert outcome.code == 0
    assert "Lycatra does not start" in outcome.err
    assert "pip install 'lycatra-appservice[e2ee]'" in outcome.err
    assert secret not in outcome.err
