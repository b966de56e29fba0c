"""Reads the response of a chat-completions server, streamed or whole, as it really comes."""

import asyncio
import json
import secrets
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, suppress

import httpx2

from lycatra_appservice.agent.accumulator import AnswerAccumulator
from lycatra_appservice.agent.backend import (
    ModelCutError,
    ModelRefusedError,
    ModelSilentError,
    ModelUnreachableError,
)
from lycatra_appservice.agent.failures import failure_in
from lycatra_appservice.agent.messages import Delta
from lycatra_appservice.agent.patience import Patience
from lycatra_appservice.agent.sse import DONE, MAX_EVENT_BYTES, EventReader, GarbledAnswerError
from lycatra_appservice.errors import ModelError
from lycatra_appservice.model import JSON

# The end of the body mostly comes with [DONE]; having read it keeps the connection for next time.
_LAST_BYTES_SECONDS = 0.2


class AnswerReader:
    """One response; whoever opened it closes it."""

    def __init__(self, patience: Patience, *, begins_in_thought: bool = False) -> None:
        """For `begins_in_thought` see `AnswerAccumulator`."""
        self._patience = patience
        self._answer = AnswerAccumulator(secrets.token_hex(4), begins_in_thought=begins_in_thought)
        self._something_said = False

    @property
    def began_in_thought(self) -> bool:
        """Whether the answer began with thinking that had no sign of it."""
        return self._answer.began_in_thought

    def read(self, response: httpx2.Response) -> AsyncGenerator[Delta, None]:
        """The deltas of the answer. Raises what `error_after` takes."""
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind == "text/html":
            raise ModelRefusedError("a web page came instead of an answer: is base_url right?")
        # Some servers answer a request for a stream with the whole answer.
        return self._whole(response) if kind == "application/json" else self._streamed(response)

    def error_after(self, failed: Exception) -> ModelError:
        """Our error for a failure at this point of the answer: what may be repeated, what not."""
        if self._something_said:
            partial = "" if self._answer.has_calls else self._answer.text.strip()
            return ModelCutError(causes(failed), partial=partial)
        if isinstance(failed, ModelError):
            return failed
        if isinstance(failed, TimeoutError):
            return ModelSilentError("no word within the first token timeout")
        return ModelUnreachableError(causes(failed))

    async def _whole(self, response: httpx2.Response) -> AsyncGenerator[Delta, None]:
        body = bytearray()
        async with aclosing(self._chunks(response)) as chunks:
            async for chunk in chunks:
                body += chunk
                if len(body) > MAX_EVENT_BYTES:
                    raise GarbledAnswerError("the answer is too long to be one")
        self._hear([body.decode("utf-8", "replace")])
        answer = self._answer.finish(ended_well=True)
        yield Delta(text=answer.text, answer=answer)

    async def _streamed(self, response: httpx2.Response) -> AsyncGenerator[Delta, None]:
        events = EventReader()
        ended_well = False
        async with aclosing(self._chunks(response)) as chunks:
            async for chunk in chunks:
                was_thought = self.began_in_thought
                said, ended_well = self._hear(events.feed(chunk))
                anew = self.began_in_thought and not was_thought
                if said or anew:
                    yield Delta(text=said or "", anew=anew)
                if said is not None:
                    self._patience.heard()
                if ended_well:
                    await _read_out(chunks)
                    break
        if not ended_well:
            _, ended_well = self._hear(events.finish())
        answer = self._answer.finish(ended_well=ended_well)
        if answer.truncated and not self._something_said:
            raise ModelUnreachableError("the stream ended before the first word")
        yield Delta(answer=answer)

    async def _chunks(self, response: httpx2.Response) -> AsyncGenerator[bytes, None]:
        chunks = response.aiter_bytes()
        while True:
            try:
                async with self._patience.bounded():
                    chunk = await anext(chunks)
            except StopAsyncIteration:
                return
            yield chunk

    def _hear(self, events: Sequence[str]) -> tuple[str | None, bool]:
        """The visible text of the events (None: nothing was said), and whether all is said."""
        texts: list[str] = []
        for event in events:
            if event == DONE:
                return _joined(texts), True
            text = self._answer.add(_chunk(event))
            if text is not None:
                texts.append(text)
                self._something_said = True
        return _joined(texts), False


def causes(error: BaseException) -> str:
    """An error with what lies below it, for the log: the SDK's own words say little."""
    found: list[str] = []
    below: BaseException | None = error
    while below is not None:
        found.append(f"{type(below).__name__}: {below}".rstrip(": "))
        below = below.__cause__
    return " < ".join(found)


def _chunk(event: str) -> dict[str, JSON]:
    try:
        chunk = json.loads(event)
    except (ValueError, RecursionError) as wrong:
        raise GarbledAnswerError("an event is no JSON") from wrong
    if not isinstance(chunk, dict):
        raise GarbledAnswerError("an event is no JSON object")
    if error := chunk.get("error"):
        raise failure_in(error).error()
    return chunk


def _joined(texts: Sequence[str]) -> str | None:
    return "".join(texts) if texts else None


async def _read_out(chunks: AsyncGenerator[bytes, None]) -> None:
    with suppress(TimeoutError, httpx2.HTTPError):
        async with asyncio.timeout(_LAST_BYTES_SECONDS):
            async for _ in chunks:
                pass
