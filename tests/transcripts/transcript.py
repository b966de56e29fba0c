"""What a transcript says: a question, the calls it needs, and what its answer holds."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from ruamel.yaml import YAML

from lycatra_appservice.toolkit.discovery import discover

FOLDER: Final = Path(__file__).parent
NOW: Final = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)  # a Sunday

Plain: TypeAlias = str | int | float | bool | None


class WrongTranscriptError(Exception):
    """A file says something that this page does not know."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Fact(_Part):
    """One thing that an answer holds, in one of the ways in which it can be said.

    Written as a text, as a list of texts, or by one of these keys. `*` stands for an ending.
    """

    any: tuple[str, ...] = ()
    day: date | None = None
    time: str | None = Field(None, pattern=r"^\d\d:\d\d$")
    number: int | None = None

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, given: Any) -> Any:
        if isinstance(given, dict):
            return given
        return {"any": [str(each) for each in (given if isinstance(given, list) else [given])]}

    @model_validator(mode="after")
    def _says_one_thing(self) -> "Fact":
        kinds = (bool(self.any), self.day is not None, bool(self.time), self.number is not None)
        if sum(kinds) != 1:
            raise ValueError("a fact is texts, a day, a time or a number")
        return self

    def __str__(self) -> str:
        return " | ".join(self.any) or str(self.day or self.time or self.number)


class Allowed(_Part):
    """The values that an argument may have; the first is what the scripted model writes."""

    values: tuple[Plain, ...] = ()
    least: int | None = None
    most: int | None = None

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, given: Any) -> Any:
        if isinstance(given, dict):
            return given
        return {"values": given if isinstance(given, list) else [given]}

    @property
    def written(self) -> Plain:
        """One of them."""
        return self.values[0] if self.values else self.least

    def takes(self, value: Plain) -> bool:
        """Whether this is one of them; capitals do not count, nor whether a number is quoted."""
        if self.least is not None and self.most is not None:
            return isinstance(value, int) and self.least <= value <= self.most
        return str(value).casefold() in {str(each).casefold() for each in self.values}


class Wrong(_Part):
    """A tool's refusal of arguments that only the tool itself can judge."""

    said: str
    problems: tuple[str, ...] = ()


class Call(_Part):
    """One call that is expected, and what comes of it.

    `with` are its arguments: those with `?` at the end may be left out, all that are not named
    are. By itself each call waits for the one before; `beside` is made together with it,
    `instead` may be made in its place (the scripted model never does), and one that `may` be made
    need not be. A `slip` is the scripted model's own mistake: no model has to make it, and one
    that does may repair it. `reads` are pieces of what the model is then sent.
    """

    call: str
    arguments: Mapping[str, Allowed] = Field(default_factory=dict, alias="with")
    writes: str | None = None
    beside: bool = False
    instead: bool = False
    may: bool = False
    slip: bool = False
    result: Any = None
    note: str | None = None
    fails: str | None = None
    wrong: Wrong | None = None
    slow: bool = False
    people: Literal["approve", "deny", "nobody"] = "approve"
    reads: tuple[str, ...] = ()

    def written(self) -> dict[str, Plain]:
        """The arguments as the scripted model writes them."""
        return {
            name: allowed.written
            for name, allowed in self.arguments.items()
            if not name.endswith("?")
        }

    def fits(self, given: Mapping[str, Plain], defaults: Mapping[str, Plain]) -> bool:
        """Whether these arguments, complete by the tool's defaults, are what is expected."""
        return all(self._takes(name, value, defaults[name]) for name, value in given.items())

    def _takes(self, name: str, value: Plain, default: Plain) -> bool:
        if name in self.arguments:
            return self.arguments[name].takes(value)
        optional = self.arguments.get(f"{name}?")
        return value == default or (optional is not None and optional.takes(value))


class Earlier(_Part):
    """Something that was said in this conversation before, by a person or by us."""

    person: str | None = None
    by: str = "@person:example.org"
    calls: tuple[Call, ...] = ()
    lycatra: str | None = None


class Ready(_Part):
    """A ready-made question that ships, with what is written into its gaps."""

    name: str
    given: Mapping[str, str] = Field(default_factory=dict, alias="with")

    def words(self) -> str:
        """What the agent is asked."""
        prompt = discover().prompt(self.name)
        if prompt is None:
            raise ValueError(f"there is no ready-made question {self.name!r}")
        return prompt.filled(self.given)


class Transcript(_Part):
    """One question with all that belongs to it; see docs/QUALITY.md."""

    name: str = Field(pattern=r"^[a-z0-9-]+$")
    about: tuple[str, ...] = ()
    question: str
    ready: Ready | None = None
    language: Literal["en", "de"] = "en"
    person: Literal["viewer", "operator"] = "viewer"
    room: str | None = None
    zone: ZoneInfo = ZoneInfo("Europe/Berlin")
    now: datetime = NOW
    only: str | None = None
    history: tuple[Earlier, ...] = ()
    calls: tuple[Call, ...] = ()
    answer: str
    facts: tuple[Fact, ...] = ()
    never: tuple[Fact, ...] = ()
    may_say: tuple[str, ...] = ()
    asks_back: bool = False
    offline: str | None = None
    seen: Mapping[str, Any] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _asks_what_is_ready(cls, given: Any) -> Any:
        if not isinstance(given, dict) or "ready" not in given:
            return given
        return {"question": Ready.model_validate(given["ready"]).words(), **given}

    @model_validator(mode="after")
    def _begins_with_a_call_of_its_own(self) -> "Transcript":
        first = self.calls[:1]
        if any(each.beside or each.instead for each in first):
            raise ValueError("the first call is beside nothing, and instead of nothing")
        return self

    def rounds(self) -> Sequence[Sequence[Call]]:
        """The calls that the scripted model makes, those together that it makes at once."""
        rounds: list[list[Call]] = []
        for each in self.calls:
            if each.instead:
                continue
            if each.beside:
                rounds[-1].append(each)
            else:
                rounds.append([each])
        return rounds

    def groups(self) -> Sequence[Sequence[Call]]:
        """The calls of which one each has to be made, without slips."""
        groups: list[list[Call]] = []
        for each in self.calls:
            if each.slip:
                continue
            if each.instead and groups:
                groups[-1].append(each)
            else:
                groups.append([each])
        return groups


def load(folder: Path = FOLDER) -> Sequence[Transcript]:
    """All transcripts of a folder, by file and in their order. Raises WrongTranscriptError."""
    found = [each for file in sorted(folder.glob("*.yaml")) for each in _read(file)]
    names = [each.name for each in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise WrongTranscriptError(f"several transcripts are called {', '.join(twice)}")
    return found


@cache
def shipped() -> Sequence[Transcript]:
    """Those of this folder, read once."""
    return load()


def _read(file: Path) -> Iterator[Transcript]:
    for entry in YAML(typ="safe", pure=True).load(file.read_text("utf-8")) or ():
        try:
            yield Transcript.model_validate(entry)
        except ValidationError as exc:
            name = entry.get("name") if isinstance(entry, dict) else entry
            raise WrongTranscriptError(f"{file.name}, {name}: {exc}") from exc
