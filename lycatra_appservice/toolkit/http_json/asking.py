"""Gets the JSON of an address; each way in which that can fail says what to do."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from lycatra_appservice.errors import ToolFailedError
from lycatra_appservice.model import JSON
from lycatra_appservice.settings_http_json import HttpJsonTool
from lycatra_appservice.toolkit.guard.answer import HttpAnswer
from lycatra_appservice.toolkit.guard.failures import AnswerTooLargeError, OutboundError
from lycatra_appservice.toolkit.guard.outbound import Outbound

_MAX_BYTES: Final = 2 * 1024 * 1024
_LATER: Final = "Try again in a minute."


@dataclass(frozen=True, slots=True, kw_only=True)
class Got:
    """What was answered; `has_next` says that there is another page."""

    document: JSON
    has_next: bool


async def get_json(tool: HttpJsonTool, url: str, http: Outbound) -> Got:
    """Ask within the tool's own time. Raises ToolFailedError with a sentence for people."""
    headers = {"Accept": "application/json", **_headers(tool)}
    try:
        async with asyncio.timeout(tool.timeout_seconds):
            answer = await http.get(url, headers=headers, max_body_bytes=_MAX_BYTES)
    except TimeoutError as exc:
        raise failed(tool, f"no answer within {tool.timeout_seconds:g} s", _LATER) from exc
    except AnswerTooLargeError as exc:
        remedy = "Ask for less; whoever runs me can have its `url` ask for {page_size} at a time."
        raise failed(tool, exc.phrase, remedy) from exc
    except OutboundError as exc:
        raise failed(tool, exc.phrase, _look_at("url")) from exc
    if answer.status != HTTPStatus.OK:
        raise failed(tool, *_failure(answer))
    try:
        document = answer.json()
    except OutboundError as exc:
        raise failed(tool, "what answers there gives no JSON", _look_at("url")) from exc
    return Got(document=document, has_next='rel="next"' in answer.headers.get("Link", ""))


def failed(tool: HttpJsonTool, phrase: str, remedy: str) -> ToolFailedError:
    """The sentence, with whose fault it is; never with the address, which may hold a secret."""
    return ToolFailedError(f"I got nothing for `{tool.name}`: {phrase}. {remedy}")


def _look_at(key: str) -> str:
    return f"Whoever runs me should look at its `{key}` in `own_tools.http_json`."


def _headers(tool: HttpJsonTool) -> Mapping[str, str]:
    return {each.name: f"{each.before}{each.value.get_secret_value()}" for each in tool.headers}


def _failure(answer: HttpAnswer) -> tuple[str, str]:
    code = f"HTTP {answer.status}"
    match answer.status:
        case 401 | 403:
            return f"I am not let in ({code})", _look_at("headers")
        case 404 | 410:
            return f"there is no such thing ({code})", "Is what you asked for spelled rightly?"
        case 400 | 422:
            return f"it does not take what I asked ({code})", "Ask in another way."
        case 429:
            wait = answer.headers.get("Retry-After", "")
            later = f"Try again in {wait} s." if wait.isdecimal() and len(wait) < 6 else _LATER
            return f"it has been asked too often ({code})", later
        case status if status >= 500:
            return f"it does not work now ({code})", _LATER
        case _:
            return f"it answers {code}", _look_at("url")
