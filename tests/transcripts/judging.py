"""What is wrong with a play of a transcript, in words for whoever measures a model; pure."""

import json
from collections.abc import Iterator, Sequence

from lycatra_appservice.words.catalogue import load_catalogue
from tests.transcripts.facts import holds, not_told
from tests.transcripts.playing import Played
from tests.transcripts.stand_ins import Made
from tests.transcripts.transcript import Call, Transcript


def differences(transcript: Transcript, played: Played) -> Sequence[str]:
    """Every way in which a play is not what the transcript says; none for a good one."""
    if played.failed:
        return [f"no answer: {played.failed}"]
    return [*_wrong_calls(transcript, played.made), *_wrong_words(transcript, played)]


def slips(played: Played) -> int:
    """How many calls the gate sent back."""
    return sum(each.mistake is not None for each in played.made)


def _wrong_calls(transcript: Transcript, made: Sequence[Made]) -> Iterator[str]:
    for each in made:
        if each.mistake is None and each.expected is None:
            yield f"called {in_words(each)}, which nobody expects"
    for group in transcript.groups():
        wanted = not any(each.may for each in group)
        if wanted and not any(each.expected is call for each in made for call in group):
            yield f"did not call {' or '.join(_wanted(each) for each in group)}"


def _wrong_words(transcript: Transcript, played: Played) -> Iterator[str]:
    answer = played.answer
    for fact in transcript.facts:
        if not holds(answer, fact):
            yield f"does not say: {fact}"
    for fact in transcript.never:
        if holds(answer, fact):
            yield f"must not say: {fact}"
    sources = [*played.read, *transcript.may_say, *_counts(transcript)]
    for token in not_told(answer, sources, transcript.facts):
        yield f"says {token}, which nothing told it"
    spoken = load_catalogue().recognise(answer)
    if spoken not in (None, transcript.language):
        yield f"answers in {spoken}, not {transcript.language}"
    if transcript.asks_back and "?" not in answer:
        yield "does not ask back"


def in_words(made: Made) -> str:
    """`list_updates {"limit": 2}`."""
    return f"{made.tool} {json.dumps(dict(made.arguments), ensure_ascii=False)}"


def _wanted(call: Call) -> str:
    return f"{call.call} {json.dumps(call.written(), ensure_ascii=False)}"


def _counts(transcript: Transcript) -> Iterator[str]:
    """How many there are of something may be counted."""
    results = [each.result for each in transcript.calls]
    results += [each.result for earlier in transcript.history for each in earlier.calls]
    yield from (str(number) for number in range(max(map(_records, results), default=0) + 1))


def _records(value: object) -> int:
    if isinstance(value, dict):
        return sum(map(_records, value.values()))
    return sum(1 + _records(each) for each in value) if isinstance(value, list) else 0
