"""Runs what the model calls, and answers each call exactly once, whatever it was."""

import asyncio
import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from lycatra_appservice.agent.accumulator import storable
from lycatra_appservice.agent.choice import CHOOSING
from lycatra_appservice.agent.files import file_from_json, file_to_json, for_answer
from lycatra_appservice.agent.messages import ModelAnswer, ToolCall, ToolMessage
from lycatra_appservice.agent.offering import Offering
from lycatra_appservice.agent.ports import HearerPort, StepsPort, ToolboxPort
from lycatra_appservice.agent.results import Mistake, failed, found, mistake_in, problem
from lycatra_appservice.agent.tracing import (
    ARGUMENTS,
    CALL,
    NO_TRACES,
    OPERATION,
    RESULT,
    TOOL,
    Span,
    Tracer,
    error_type,
    told,
)
from lycatra_appservice.errors import ToolError
from lycatra_appservice.model import JSON, File

MAX_AT_ONCE = 4
MAX_CALLS = 16  # in one answer; a model that wants more is running away
MAX_REPAIRS = 2  # of calls to one tool in a turn
MAX_SAME_CALLS = 2  # with the same arguments in a turn; some local models call for ever
MAX_NAMES = 24  # that are told to a model which called something else

_STEP_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Handled:
    """What came of the calls of one answer, in their order.

    `hopeless` names the tool that the model cannot call rightly; `repeating`: it goes in circles.
    `mistakes` are the kinds of those that it was told of.
    """

    messages: Sequence[ToolMessage]
    mistakes: Sequence[str]
    hopeless: str | None
    repeating: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    text: str
    mistake: str | None = None
    ran: bool = False
    repeated: bool = False
    files: Sequence[File] = ()


class CallDesk:
    """Handles the calls of one turn, and remembers them."""

    def __init__(
        self,
        toolbox: ToolboxPort,
        steps: StepsPort,
        hearer: HearerPort,
        offering: Offering,
        tracer: Tracer = NO_TRACES,
    ) -> None:
        self._tracer = tracer
        self._toolbox = toolbox
        self._steps = steps
        self._hearer = hearer
        self._offering = offering
        self._at_work: list[str] = []
        tools = toolbox.tools()
        self._names = sorted(tool.name for tool in tools)
        self._changing = frozenset(tool.name for tool in tools if tool.changes)
        self._slots = asyncio.Semaphore(MAX_AT_ONCE)
        self._made: Counter[tuple[str, str]] = Counter()
        self._mistakes: Counter[str] = Counter()
        self._used: dict[str, None] = {}
        self._files: list[File] = []

    @property
    def files(self) -> tuple[File, ...]:
        """What the tools gave to be shown with the answer."""
        return for_answer(self._files)

    @property
    def used(self) -> tuple[str, ...]:
        """The tools that gave a result, by first use."""
        return tuple(self._used)

    async def handle(self, number: int, answer: ModelAnswer) -> Handled:
        """Run the calls of the turn's `number`-th answer; reads run together, changes after."""
        ready = [self._look_at(place, call, answer) for place, call in enumerate(answer.calls)]
        outcomes = await self._run_all(number, answer.calls, ready)
        self._used |= {
            call.name: None for call, done in zip(answer.calls, outcomes, strict=True) if done.ran
        }
        self._files += [file for done in outcomes for file in done.files]
        return Handled(
            messages=[
                ToolMessage(call_id=call.id, text=done.text)
                for call, done in zip(answer.calls, outcomes, strict=True)
            ],
            mistakes=[done.mistake for done in outcomes if done.mistake],
            hopeless=self._count_mistakes(answer.calls, outcomes),
            repeating=any(done.repeated for done in outcomes),
        )

    def _look_at(
        self, place: int, call: ToolCall, answer: ModelAnswer
    ) -> dict[str, JSON] | _Outcome:
        """The arguments of a call that may run, else what to tell the model."""
        name = _plain_name(call.name)
        if place >= MAX_CALLS:
            return _Outcome(
                text=problem(name, "Too many calls at once.", f"At most {MAX_CALLS}; go on later.")
            )
        if name != call.name:
            return _unknown(name, self._near(name))
        arguments = _parsed(call.arguments)
        if isinstance(arguments, str):
            cut = answer.truncated and place == len(answer.calls) - 1
            return _unreadable(name, "The arguments were cut off." if cut else arguments, cut=cut)
        same = _identity(name, arguments)
        self._made[same] += 1
        return _repeated(name) if self._made[same] > MAX_SAME_CALLS else arguments

    async def _run_all(
        self,
        number: int,
        calls: Sequence[ToolCall],
        ready: Sequence[dict[str, JSON] | _Outcome],
    ) -> Sequence[_Outcome]:
        asked = list(zip(calls, ready, strict=True))
        looking = [place for place, call in enumerate(calls) if call.name not in self._changing]
        try:
            async with asyncio.TaskGroup() as together:
                tasks = {
                    place: together.create_task(self._outcome(number, *asked[place]))
                    for place in looking
                }
        except BaseExceptionGroup as group:
            # One cause is enough, and whoever catches it expects it bare.
            raise group.exceptions[0] from None
        found = {place: task.result() for place, task in tasks.items()}
        # Afterwards, and one by one: each may wait for people, and what was found by then is kept.
        for place, (call, arguments) in enumerate(asked):
            if place not in found:
                found[place] = await self._outcome(number, call, arguments)
        return [found[place] for place in range(len(asked))]

    @contextmanager
    def _heard(self, tool: str) -> Iterator[None]:
        self._at_work.append(tool)
        self._hearer.calls(tuple(self._at_work))
        try:
            yield
        finally:
            self._at_work.remove(tool)
            self._hearer.calls(tuple(self._at_work))

    async def _outcome(
        self, number: int, call: ToolCall, arguments: dict[str, JSON] | _Outcome
    ) -> _Outcome:
        if isinstance(arguments, _Outcome):
            return arguments

        name = step_of_call(number, call)

        async def run() -> JSON:
            if call.name in CHOOSING:
                return self._widened(call)
            with self._heard(call.name):
                return await self._traced(call, arguments, key=name)

        async with self._slots:
            journaled = await self._steps.step(name, run, args=arguments)
        if journaled.get("widened"):
            self._offering.widen(journaled["widened"])
        self._offering.called(call.name)
        if journaled["mistake"]:  # counted as such, not as a repetition
            self._made[_identity(call.name, arguments)] -= 1
        return _Outcome(
            text=journaled["text"],
            mistake=journaled["mistake"],
            ran=journaled["ran"],
            files=[file_from_json(row) for row in journaled.get("files", ())],
        )

    async def _traced(self, call: ToolCall, arguments: dict[str, JSON], *, key: str) -> JSON:
        attributes = {OPERATION: "execute_tool", TOOL: call.name, CALL: call.id}
        if self._tracer.with_contents:
            attributes[ARGUMENTS] = json.dumps(arguments, ensure_ascii=False)
        name = f"execute_tool {call.name}"
        with self._tracer.span(name, attributes) as span, told(span):
            made = await self._call(call.name, arguments, span, key=key)
            if self._tracer.with_contents:
                span.put({RESULT: made["text"]})
            return made

    async def _call(self, name: str, arguments: dict[str, JSON], span: Span, *, key: str) -> JSON:
        try:
            finding = await self._toolbox.call(name, arguments, key=key)
        except ToolError as error:
            span.failed(mistake_in(error) or error_type(error))
            text = failed(name, error, offered=self._near(name))
            return {"text": text, "mistake": mistake_in(error), "ran": False}
        shown = {"files": [file_to_json(file) for file in finding.files]} if finding.files else {}
        return {"text": found(name, finding), "mistake": None, "ran": True, **shown}

    def _widened(self, call: ToolCall) -> JSON:
        """What comes of asking for other tools; the gate has no part in it."""
        widening = self._offering.widening(call.arguments)
        widened = list(widening.namespaces)
        return {"text": widening.text, "mistake": None, "ran": False, "widened": widened}

    def _near(self, name: str) -> str:
        """The names of the tools that there are; of many, those most like this one."""
        if len(self._names) <= MAX_NAMES:
            return ", ".join(self._names)
        return ", ".join(get_close_matches(name, self._names, n=MAX_NAMES, cutoff=0))

    def _count_mistakes(
        self, calls: Sequence[ToolCall], outcomes: Sequence[_Outcome]
    ) -> str | None:
        """Count one mistake per tool and answer: parallel ones had no chance to learn."""
        mistaken = {
            _plain_name(call.name)
            for call, done in zip(calls, outcomes, strict=True)
            if done.mistake
        }
        self._mistakes.update(mistaken)
        return next(
            (name for name in sorted(mistaken) if self._mistakes[name] > MAX_REPAIRS), None
        )


def step_of_call(number: int, call: ToolCall) -> str:
    """The name under which the call of a turn's `number`-th answer is journaled."""
    return f"{number}:{call.name}:{_step_id(call.id)}"


def _unknown(name: str, offered: str) -> _Outcome:
    text = problem(name, "There is no tool of that name.", f"The tools are: {offered}.")
    return _Outcome(text=text, mistake=Mistake.UNKNOWN_TOOL)


def _unreadable(name: str, why: str, *, cut: bool) -> _Outcome:
    hint = "Call again with shorter arguments." if cut else "Call again with one JSON object."
    return _Outcome(text=problem(name, why, hint), mistake=Mistake.ARGUMENTS)


def _repeated(name: str) -> _Outcome:
    text = problem(
        name,
        "Not run: you made this call with these arguments before.",
        "Answer the person now from the results you have.",
    )
    return _Outcome(text=text, repeated=True)


def _parsed(arguments: str) -> dict[str, Any] | str:
    """The arguments, or the sentence that says why they are none."""
    try:
        parsed = _usable(json.loads(arguments))
    except json.JSONDecodeError as wrong:
        return f"The arguments are not valid JSON: {wrong.msg} at character {wrong.pos}."
    except (ValueError, RecursionError):
        return "The arguments are not usable JSON."
    if isinstance(parsed, dict):
        return parsed
    return "The arguments are JSON, but not an object."


def _identity(name: str, arguments: JSON) -> tuple[str, str]:
    return name, json.dumps(arguments, sort_keys=True)


def _usable(value: JSON) -> JSON:
    """The value without what JSON knows and databases do not. Raises ValueError."""
    if isinstance(value, dict):
        return {storable(name): _usable(below) for name, below in value.items()}
    if isinstance(value, list):
        return [_usable(below) for below in value]
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("a number that is none")
    return storable(value) if isinstance(value, str) else value


def _plain_name(name: str) -> str:
    """The name, if it could be one; it goes into step names and back to the model."""
    return name if _STEP_NAME.fullmatch(name) else "unknown"


def _step_id(call_id: str) -> str:
    if _STEP_NAME.fullmatch(call_id):
        return call_id
    return hashlib.sha256(call_id.encode()).hexdigest()[:16]
