"""What docs/MCP_SERVERS.md shows can be copied."""

import re
from pathlib import Path

from lycatra_appservice.settings import Approvals
from lycatra_appservice.settings_mcp_servers import McpServer
from lycatra_appservice.settings_reading.yaml_tree import read_yaml

PAGE = Path(__file__).parents[4] / "docs" / "MCP_SERVERS.md"


def test_every_piece_of_configuration_is_a_right_one() -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    trees = [read_yaml(block) for block in blocks]

    assert len(trees) == 5
    for tree in trees:
        assert not tree.problems
        for server in tree.values.get("mcp_servers", {}).values():
            McpServer.model_validate(server)
        Approvals.model_validate(tree.values.get("approvals", {}))
