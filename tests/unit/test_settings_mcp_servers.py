"""What a configuration says of MCP servers of others."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from lycatra_appservice.app.parts import secrets_of
from lycatra_appservice.errors import SettingsError
from lycatra_appservice.model import JSON
from lycatra_appservice.settings import Settings
from lycatra_appservice.settings_file import load_mcp_servers, load_settings
from lycatra_appservice.settings_mcp_servers import McpServer

BASE = """
homeserver: {url: http://localhost:8008, server_name: example.org}
appservice:
  as_token: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA
  hs_token: BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB
"""


def written(folder: Path, servers: str) -> Path:
    path = folder / "config.yaml"
    path.write_text(BASE + servers)
    path.chmod(0o600)
    return path


def loaded(folder: Path, servers: str) -> Settings:
    return load_settings(written(folder, servers), {}, {})


def test_secrets_come_from_files_and_are_known_to_the_mask(tmp_path: Path) -> None:
    (tmp_path / "header").write_text("Bearer canary-in-a-file\n")
    settings = loaded(
        tmp_path,
        """
mcp_servers:
  github:
    url: https://mcp.example.org/mcp
    headers: {Authorization_file: header, X-More: canary-inline}
  notes: {command: notes, env: {NOTES_TOKEN: canary-of-env}}
""",
    )

    github = settings.mcp_servers["github"]
    assert github.headers["Authorization"].get_secret_value() == "Bearer canary-in-a-file"
    assert {"Bearer canary-in-a-file", "canary-inline", "canary-of-env"} <= {*secrets_of(settings)}
    assert "canary" not in repr(settings)


def test_a_secret_file_that_is_not_there_is_told_by_its_key(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as wrong:
        loaded(tmp_path, "mcp_servers: {notes: {command: notes, env: {TOKEN_file: nothing}}}")

    assert "mcp_servers.notes.env.TOKEN_file" in str(wrong.value)


@pytest.mark.parametrize(
    ("server", "words"),
    [
        ({}, "either url or command"),
        ({"url": "https://a.example/mcp", "command": "x"}, "either url or command"),
        ({"url": "https://a.example/mcp", "env": {"A": "b"}}, "belong to a command"),
        ({"command": "x", "headers": {"A": "b"}}, "belong to a url"),
        ({"url": "https://a.example/mcp", "headers": {"Mcp-Session-Id": "b"}}, "protocol sets"),
        ({"command": "x", "approval": "never"}, "approval"),
        ({"command": "x", "env": {"A=B": "c"}}, "environment variable"),
    ],
)
def test_what_is_wrong_is_told(server: dict[str, JSON], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        McpServer.model_validate(server)


@pytest.mark.parametrize("name", ["GitHub", "1st", "a" * 21, "git-hub"])
def test_a_name_that_no_user_can_have_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError):
        loaded(tmp_path, f"mcp_servers: {{'{name}': {{command: x}}}}")


def test_the_longest_pattern_counts_and_a_whole_name_before_all() -> None:
    server = McpServer.model_validate(
        {
            "command": "x",
            "levels": {"*": "admin", "list_*": "viewer", "list_secrets": "operator"},
            "approval": {"list_*": "none", "list_secrets": "default"},
            "exclude": ["*_all"],
        }
    )

    assert [server.level_of(each) for each in ("drop", "list_a", "list_secrets")] == [
        "admin",
        "viewer",
        "operator",
    ]
    assert [server.asks(each) for each in ("drop", "list_a", "list_secrets")] == [
        True,
        False,
        True,
    ]
    assert server.takes("drop")
    assert not server.takes("drop_all")


def test_a_wrong_section_names_no_server_until_the_whole_is_read(tmp_path: Path) -> None:
    assert load_mcp_servers(written(tmp_path, "mcp_servers: {github: {}}"), {}) == {}


def test_two_names_of_which_one_begins_the_other_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="whose tools are whose"):
        loaded(tmp_path, "mcp_servers: {git: {command: a}, git_hub: {command: b}}")
