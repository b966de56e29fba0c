"""docs/MCP.md: what people copy out of it is right."""

import json
import re
from pathlib import Path

import pytest
import yaml

from lycatra_appservice.settings_mcp import Mcp

PAGE = (Path(__file__).parents[2] / "docs" / "MCP.md").read_text()
BLOCKS = re.findall(r"```(json|yaml|sh)\n(.*?)```", PAGE, re.DOTALL)
CLIENTS = [
    "Codex",
    "Gemini CLI",
    "opencode",
    "VS Code",
    "Cursor",
    "Claude Desktop",
    "Open WebUI",
    "LibreChat",
    "goose",
    "mcphost",
]


@pytest.mark.parametrize("number", range(13))
def test_every_snippet_can_be_read_and_has_address_and_header(number: int) -> None:
    kind, text = BLOCKS[number]
    if kind == "json":
        json.loads(text)
    if kind == "yaml":
        assert yaml.safe_load(text)
    assert re.search(r"https?://[a-z.:0-9]+/mcp", text)
    assert re.search("authorization|bearer|token-exchange", text, re.IGNORECASE)


def test_no_snippet_is_left_out() -> None:
    assert len(BLOCKS) == 13


@pytest.mark.parametrize("client", CLIENTS)
def test_every_client_has_its_place(client: str) -> None:
    assert f"### {client}\n" in PAGE


def test_the_settings_that_it_names_exist() -> None:
    named = set(re.findall(r"`mcp\.([a-z_]+)", PAGE))
    assert len(named) > 4
    assert named <= Mcp.model_fields.keys()
