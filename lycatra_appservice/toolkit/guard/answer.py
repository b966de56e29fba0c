"""What another host answered: all of it in memory, and no more of it than was agreed."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import aiohttp

from lycatra_appservice.model import JSON
from lycatra_appservice.toolkit.guard.allowance import Peer
from lycatra_appservice.toolkit.guard.failures import AnswerTooLargeError, OutboundError, shown


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpAnswer:
    """An answer of any status, not only of success.

    The names of `headers` are found in any spelling. `content_type` is in lower case, without
    its parameters. `body` is decompressed.
    """

    status: int
    headers: Mapping[str, str]
    content_type: str
    body: bytes

    def json(self) -> JSON:
        """The body as JSON; raises OutboundError when it is none."""
        try:
            decoded: JSON = json.loads(self.body)
        except (ValueError, RecursionError) as exc:
            raise OutboundError("What I got as an answer is not JSON.", "no JSON") from exc
        return decoded


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a tool takes for an answer."""

    accept: Collection[str]  # content types; none means all
    max_body_bytes: int
    cut: bool  # whether the beginning of a larger body will do


async def read_answer(response: aiohttp.ClientResponse, peer: Peer, wanted: Wanted) -> HttpAnswer:
    """Read what is wanted; raises AnswerTooLargeError, or OutboundError for another kind."""
    content_type = response.content_type.lower()
    if wanted.accept and response.ok and content_type not in wanted.accept:
        kinds = " or ".join(sorted(wanted.accept))
        raise OutboundError.about(peer, f"its content is not {kinds}")
    return HttpAnswer(
        status=response.status,
        headers=response.headers,
        content_type=content_type,
        body=await _body(response, peer, wanted),
    )


async def _body(response: aiohttp.ClientResponse, peer: Peer, wanted: Wanted) -> bytes:
    """The pieces come decompressed, each of a quarter MiB at most however well it was packed."""
    body = bytearray()
    if wanted.cut and not wanted.max_body_bytes:
        return b""
    async for piece in response.content.iter_any():
        body += piece
        if len(body) > wanted.max_body_bytes:
            break
    else:
        return bytes(body)
    if wanted.cut:
        return bytes(body[: wanted.max_body_bytes])
    size = f"{wanted.max_body_bytes:,} bytes"
    raise AnswerTooLargeError(
        f"The answer of {shown(peer)} is larger than {size}.", f"its answer is larger than {size}"
    )
