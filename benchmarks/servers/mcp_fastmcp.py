"""FastMCP's server as its documents start it, on uvicorn; no auth, no audit."""

import asyncio

from fastmcp import FastMCP

from benchmarks.servers.serving import arguments


async def _main(port: int, _: str) -> None:
    server: FastMCP[None] = FastMCP("bench")

    @server.tool
    async def echo(text: str) -> dict[str, str]:
        """Says what it is told."""
        return {"said": text}

    await server.run_http_async(
        host="127.0.0.1", port=port, path="/mcp", log_level="critical", show_banner=False
    )


if __name__ == "__main__":
    asyncio.run(_main(*arguments()))
