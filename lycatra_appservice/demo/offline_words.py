"""The small vocabulary of the stand-in model: stems, topics, and how long ago people mean."""

import re
from collections.abc import Iterable

_WORD = re.compile(r"[a-z0-9]+")
_ENDINGS = ("ations", "ation", "ments", "ment", "ings", "ing", "edly", "ed", "es", "s", "e")
_SHORTEST_STEM = 3

# Words of a question that say nothing about which tool is meant.
_EMPTY_TEXT = (
    "a about all also am an and any anything are as at be been can could did do does everything "
    "find for from get give has have hello hey hi how i in is it its list look lycatra me my of "
    "on or our please say see show some tell than thanks that the their them then "
    "there these they this to us use using was we were what when where which who why will "
    "with would you your"
)
_EMPTY = frozenset(_WORD.findall(_EMPTY_TEXT))


def stems(text: str) -> list[str]:
    """The words of a text that mean something, cut to their stems, in order."""
    words = _WORD.findall(text.lower().replace("_", " "))
    return [_stem(word) for word in words if word not in _EMPTY]


def _stem(word: str) -> str:
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= _SHORTEST_STEM:
            return word[: -len(ending)]
    return word


def _set(words: str) -> frozenset[str]:
    return frozenset(_stem(word) for word in words.split())


# What people say -> what tools that answer it are called.
TOPICS: tuple[tuple[frozenset[str], frozenset[str]], ...] = (
    (
        _set(
            "changed change changelog new news latest recent recently released release shipped "
            "deployed deployment upgraded updated update happen happened"
        ),
        _set("update change changelog release deploy deployment news version"),
    ),
    (
        _set(
            "up down run running status state health healthy alive working works online "
            "offline broken ok okay fine reachable responding slow outage"
        ),
        _set("status health service state ping uptime"),
    ),
    (_set("log logs error errors exception crash crashed trace failed"), _set("log logs error")),
    (_set("document documents documentation docs manual handbook guide readme"), _set("docs")),
    (_set("help commands able abilities tools"), _set("help")),
)

_AGREED = frozenset({"ok", "okay", "fine", "alright"})  # alone it asks nothing
_ABILITIES = re.compile(r"\bwhat (?:can|could) (?:you|i|we)\b")


def question_stems(question: str) -> list[str]:
    """The stems of a question; asking what can be done is asking for help."""
    if question.strip(" .!").lower() in _AGREED:
        return []
    return stems(f"{question} help" if _ABILITIES.search(question.lower()) else question)


def done_stems(question: str) -> frozenset[str]:
    """The stems of what was done: "deployed" tells of updates as much as of deployments."""
    return frozenset(_stem(word) for word in _WORD.findall(question.lower()) if _is_done(word))


def _is_done(word: str) -> bool:
    return word.endswith("ed") and any(_stem(word) in said for said, _ in TOPICS)


def asks_for_abilities(question: str) -> bool:
    """Whether somebody wants to know what can be done."""
    return bool(_ABILITIES.search(question.lower())) or "help" in question_stems(question)


_SPANS = {"day": 1, "week": 7, "fortnight": 14, "month": 30, "quarter": 91, "year": 365}
_NUMBERS = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "ten": 10}
_COUNTED = re.compile(rf"\b(\d{{1,3}}|{'|'.join(_NUMBERS)}) (day|week|month|year)s?\b")
_NAMED = re.compile(rf"\b(?:this|last|past|previous) ({'|'.join(_SPANS)})\b")
_HOW_MANY = re.compile(
    r"\b(?:last|latest|newest|recent|top|first) (\d{1,3})\b(?! (?:day|week|mon|y))"
)


def days_meant(text: str) -> int | None:
    """How many days back a question looks, 0 for today; None when it names no time."""
    low = " ".join(text.lower().split())
    if counted := _COUNTED.search(low):
        return _number(counted[1]) * _SPANS[counted[2]]
    if named := _NAMED.search(low):
        return _SPANS[named[1]]
    if "yesterday" in low or "last 24 hours" in low:
        return 1
    return 0 if re.search(r"\btoday\b", low) else None


def count_meant(text: str) -> int | None:
    """How many entries a question asks for ("the last 3 updates")."""
    found = _HOW_MANY.search(text.lower())
    return int(found[1]) if found else None


# An email address, or something in quotes.
_QUOTED = re.compile(r"([\w.+-]+@[\w-]+\.[\w.-]*\w)|[\"'`“]([^\"'`”]{1,60})[\"'`”]")

# "is X up", "status of X", "the X service", "restart X".
_THING = (
    re.compile(
        r"\b(?:is|are) (?:the |our |my )?([\w.-]+)(?: \w+)? "
        r"(?:up|down|ok|okay|fine|running|healthy|alive|working|online|offline|reachable)\b"
    ),
    re.compile(r"\b(?:status|state|health|version|logs?) of (?:the |our |my )?([\w.-]+)"),
    re.compile(r"\b(?:the|our|my) ([\w.-]+) (?:service|server|component|container)\b"),
    re.compile(r"\brestart (?:the |our |my )?(?:service |server )?([\w.-]+)"),
)


def quoted_in(text: str) -> str | None:
    """The words that a question gives literally."""
    found = _QUOTED.search(text)
    return found[1] or found[2] if found else None


def thing_meant(text: str, known: Iterable[str] = ()) -> str | None:
    """The name that a question is about, if it clearly names one that is not a general word.

    `known` are stems that describe the tool itself and are therefore nobody's name.
    """
    general = {*known, *stems("service services server system thing homelab")}
    for pattern in _THING:
        if found := pattern.search(text.lower()):
            meaning = stems(found[1])
            if meaning and not general.issuperset(meaning):
                return found[1].strip(".")
    return None


def _number(word: str) -> int:
    return _NUMBERS[word] if word in _NUMBERS else int(word)
