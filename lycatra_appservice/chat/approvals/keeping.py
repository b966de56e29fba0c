"""What an approved call gave, as it is kept."""

from collections.abc import Mapping

from lycatra_appservice.agent.files import file_from_json, file_to_json
from lycatra_appservice.model import JSON
from lycatra_appservice.toolkit.base import ToolResult
from lycatra_appservice.words.text import said_from_json, said_to_json


def result_to_json(result: ToolResult) -> dict[str, JSON]:
    """For a journal or a row."""
    return {
        "data": result.data,
        "markdown": result.markdown,
        "note": None if result.note is None else said_to_json(result.note),
        "files": [file_to_json(file) for file in result.files],
    }


def result_from_json(kept: Mapping[str, JSON]) -> ToolResult:
    """What `result_to_json` made this of."""
    return ToolResult(
        data=kept["data"],
        markdown=kept["markdown"],
        note=None if kept["note"] is None else said_from_json(kept["note"]),
        files=[file_from_json(file) for file in kept["files"]],
    )
