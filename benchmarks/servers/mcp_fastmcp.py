"""FastMCP's server as its documents start it, on uvicorn; no auth, no audit."""

import asyncio
from importlib import import_module
from typing import Any

from benchmarks.servers.serving import arguments


async def _echo(text: str) -> dict[str, str]:
    """Says what it is told."""
    return {"said": text}


async def _main(port: int, _: str) -> None:
    fastmcp: Any = import_module("fastmcp")  # only the environment of the benchmarks has it
    server = fastmcp.FastMCP("bench")
    server.tool(_echo, name="echo")
    await server.run_http_async(
        host="127.0.0.1", port=port, path="/mcp", log_level="critical", show_banner=False
    )


if __name__ == "__main__":
    asyncio.run(_main(*arguments()))
