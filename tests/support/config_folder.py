"""A folder with a configuration, as a person would have one."""

from collections.abc import Mapping
from pathlib import Path

from lycatra_appservice.errors import SettingsError
from lycatra_appservice.settings import Settings
from lycatra_appservice.settings_file import load_settings
from lycatra_appservice.toolkit.base import ToolSettings

SMALLEST = """\
homeserver:
  url: http://localhost:8008
  server_name: hs.test
appservice:
  as_token: as-token-of-a-test-0123456789abcdef
  hs_token: hs-token-of-a-test-0123456789abcdef
"""
WITHOUT_TOKENS = """\
homeserver: {url: 'http://localhost:8008', server_name: hs.test}
"""


def write_config(folder: Path, text: str) -> Path:
    """Write config.yaml, readable by its owner only, and return its path."""
    path = folder / "config.yaml"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    return path


def load(
    folder: Path,
    text: str = SMALLEST,
    *,
    environ: Mapping[str, str] | None = None,
    tools: Mapping[str, type[ToolSettings]] | None = None,
) -> Settings:
    """Write a configuration and read it."""
    return load_settings(write_config(folder, text), environ or {}, tools or {})


def mistakes(
    folder: Path,
    text: str = SMALLEST,
    *,
    environ: Mapping[str, str] | None = None,
    tools: Mapping[str, type[ToolSettings]] | None = None,
) -> list[str]:
    """Read a configuration that is wrong, and return its problems without the folder's name."""
    try:
        load(folder, text, environ=environ, tools=tools)
    except SettingsError as error:
        return [problem.replace(f"{folder}/", "") for problem in error.problems]
    raise AssertionError("this configuration was accepted")
