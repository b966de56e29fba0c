"""The official SDK's own server by its session manager, on uvicorn; no auth, no audit."""

import asyncio

import uvicorn
from mcp.server.mcpserver import MCPServer

from benchmarks.servers.serving import arguments


async def _main(port: int, _: str) -> None:
    server = MCPServer("bench")

    @server.tool()
    async def echo(text: str) -> dict[str, str]:
        """Says what it is told."""
        return {"said": text}

    application = server.streamable_http_app()
    config = uvicorn.Config(application, host="127.0.0.1", port=port, log_level="critical")
    await uvicorn.Server(config).serve()


if __name__ == "__main__":
    asyncio.run(_main(*arguments()))
