"""The ceiling: an aiohttp handler that reads JSON and answers with what a tool would give."""

import asyncio

from aiohttp import web

from benchmarks.mcp_load import SAID
from benchmarks.servers.serving import arguments, serve


async def _call(request: web.Request) -> web.Response:
    body = await request.json()
    text = body["params"]["arguments"]["text"]
    content = [{"type": "text", "text": text}]
    result = {"content": content, "structuredContent": {"said": text}, "isError": False}
    return web.json_response({"jsonrpc": "2.0", "id": body["id"], "result": result})


async def _main(port: int, _: str) -> None:
    application = web.Application()
    application.add_routes([web.post("/mcp", _call)])
    await serve(application, port)


if __name__ == "__main__":
    assert SAID
    asyncio.run(_main(*arguments()))
