"""Which command answers a question as it stands, when no model can read it. Pure.

Better no answer than one to something else: a question is a command's only if each of its words
is one of the command's own, says nothing, or is plainly an argument; and if no other command, and
none that changes something, could be meant as well.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pydantic import ValidationError

from lycatra_appservice.chat.commands import Command
from lycatra_appservice.chat.question_words import QuestionWords, Spoken, stem, words_in
from lycatra_appservice.model import JSON
from lycatra_appservice.toolkit.base import Namespace
from lycatra_appservice.toolkit.registry import AnyTool

_MOST_WORDS: Final = 12  # that mean something; a longer question wants more than one list
_LONGEST: Final = 300  # characters
_SENTENCE: Final = re.compile(r"(?<=[.;])\s+")
_USE: Final = ("use it ", "use this ")
_DAYS_BACK: Final = ("since", "days")
_HOW_MANY: Final = "limit"
_VERBS: Final = frozenset(map(stem, ("list", "get", "show", "search", "find", "read", "check")))

# Words in which descriptions speak of whoever asks.
_ABOUT_ASKING: Final = frozenset(
    {"question", "ask", "somebody", "someone", "person", "people", "want", "use"}
)

_BY_NAME: Final = 3
_BY_NAMESPACE: Final = 2
_BY_SUMMARY: Final = 1


@dataclass(frozen=True, slots=True)
class _Vocabulary:
    """The stems of a tool's words. `telling` ones speak for it, each with its weight."""

    telling: Mapping[str, int]
    known: frozenset[str]
    named: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Hit:
    command: Command
    weight: int
    is_guessed: bool  # a word is taken for a name that the tool may not know


class PlainQuestions:
    """Made once for the tools that there are."""

    def __init__(self, tools: Iterable[tuple[AnyTool, Namespace]], words: QuestionWords) -> None:
        self._words = words
        self._vocabularies: dict[str, _Vocabulary] = {}
        changing: set[str] = set()
        reading: set[str] = set()
        for tool, namespace in tools:
            vocabulary = self._vocabularies[tool.name] = _vocabulary(tool, namespace)
            (changing if tool.changes else reading).update(vocabulary.named)
        self._changing = frozenset(changing - reading)
        self._names = frozenset(changing | reading)

    def commands_for(self, question: str, tools: Sequence[AnyTool]) -> Sequence[Command]:
        """The command that answers it; several where it could be one as well as another.

        Only those of `tools` that change nothing. A command may still refuse an argument that
        was taken for one: then it was not meant.
        """
        if len(question) > _LONGEST:
            return ()
        spoken = self._words.read(question)
        if spoken is None or not 0 < len(spoken.words) <= _MOST_WORDS:
            return ()
        if not self._changing.isdisjoint(map(stem, spoken.words)):
            return ()
        looked_at = [self._hit(spoken, tool) for tool in tools if not tool.changes]
        hits = [hit for hit in looked_at if hit is not None]
        sure = [hit for hit in hits if not hit.is_guessed] or hits
        best = max((hit.weight for hit in sure), default=0)
        return [hit.command for hit in sure if hit.weight == best]

    def _hit(self, spoken: Spoken, tool: AnyTool) -> _Hit | None:
        vocabulary = self._vocabularies[tool.name]
        stems = {word: {stem(word), *self._words.meanings(word)} for word in spoken.words}
        telling = {
            each: vocabulary.telling[each]
            for found in stems.values()
            for each in found & vocabulary.telling.keys()
        }
        if not telling or not _asks(spoken, vocabulary):
            return None
        # A question that names another tool is none of this one, though its namespace knows it.
        others = self._names - vocabulary.telling.keys()
        if any(found & others for found in stems.values()):
            return None
        left = [word for word, found in stems.items() if not found & vocabulary.known]
        arguments = _arguments(left, spoken.days, tool, vocabulary)
        if arguments is None:
            return None
        return _Hit(
            command=Command(tool.name, arguments),
            weight=sum(telling.values()),
            is_guessed=any(not word.isdecimal() for word in left),
        )


def _vocabulary(tool: AnyTool, namespace: Namespace) -> _Vocabulary:
    named = {*_stems(tool.name.replace("_", " ")), *_stems(" ".join(tool.also_called))} - _VERBS
    about, said = _sentences(tool.summary)
    telling = dict.fromkeys(_stems(about), _BY_SUMMARY)
    telling |= dict.fromkeys(_stems(namespace.name.replace("_", " ")), _BY_NAMESPACE)
    telling |= dict.fromkeys(named, _BY_NAME)
    for word in _VERBS | _ABOUT_ASKING:
        telling.pop(word, None)
    known = {*telling, *_stems(said), *_stems(tool.title), *_stems(namespace.summary)}
    return _Vocabulary(telling, frozenset(known), frozenset(named))


def _sentences(summary: str) -> tuple[str, str]:
    """What a summary says that the tool is for, and all that it says; not what it is not for."""
    sentences = [each for each in _SENTENCE.split(summary) if " not " not in each.casefold()]
    if not sentences:
        return "", ""
    uses = [each for each in sentences[1:] if each.casefold().startswith(_USE)]
    first, _, _ = sentences[0].partition(":")
    about = " ".join([first, *(use.partition(" ")[2] for use in uses)])
    return about, " ".join(sentences)


def _asks(spoken: Spoken, vocabulary: _Vocabulary) -> bool:
    """Whether it is a question of more than one word, or just what the tool is called."""
    if spoken.is_bare and (len(spoken.words) == 1 or not spoken.is_question):
        return all(stem(word) in vocabulary.named for word in spoken.words)
    return spoken.is_question


def _arguments(
    left: Sequence[str], days: int | None, tool: AnyTool, vocabulary: _Vocabulary
) -> Mapping[str, JSON] | None:
    """What the rest of the words are to the tool; None when they are nothing to it."""
    fields: Mapping[str, Mapping[str, JSON]] = tool.schema().get("properties", {})
    arguments: dict[str, JSON] = {}
    if days is not None:
        name = next((name for name in _DAYS_BACK if name in fields), None)
        if name is None:
            return None
        arguments[name] = days if _types(fields[name]) & {"integer", "number"} else str(days)
    if len(left) > 1:
        return None
    for word in left:
        name = _field_for(word, fields, vocabulary)
        if name is None:
            return None
        arguments[name] = int(word) if name == _HOW_MANY else word
    return arguments if _fit(arguments, tool) else None


def _field_for(
    word: str, fields: Mapping[str, Mapping[str, JSON]], vocabulary: _Vocabulary
) -> str | None:
    """A choice that the word is, the number of entries, or the name of what it is all about."""
    for name, about in fields.items():
        if any(word in map(str, branch.get("enum", ())) for branch in _branches(about)):
            return name
    if word.isdecimal():
        return _HOW_MANY if _HOW_MANY in fields else None
    things = [
        name
        for name, about in fields.items()
        if "string" in _types(about)
        and not any({"enum", "pattern", "format"} & branch.keys() for branch in _branches(about))
        and set(_stems(name.replace("_", " "))) <= vocabulary.known
    ]
    return things[0] if len(things) == 1 else None


def _fit(arguments: Mapping[str, JSON], tool: AnyTool) -> bool:
    try:
        tool.args.model_validate(arguments)
    except ValidationError:
        return False
    return True


def _branches(about: Mapping[str, JSON]) -> Sequence[Mapping[str, JSON]]:
    """A field and, where it may be left empty, what stands in its `anyOf`."""
    return [about, *about.get("anyOf", ())]


def _types(about: Mapping[str, JSON]) -> frozenset[str]:
    return frozenset(str(branch.get("type")) for branch in _branches(about))


def _stems(text: str) -> Sequence[str]:
    return [stem(word) for word in words_in(text)]
