"""`python -m tests.transcripts.record --base-url URL --model NAME`: how good is this model here?

Asks a real model every question of the transcripts, with our prompt, our tools and our checks,
and prints a line for each, what is wrong below it, and how many were right. The tools' results
are those of the transcripts: nothing is looked up, and nothing is changed. The key, if the server
wants one, stands in the environment variable LYCATRA_MODEL_KEY.

Exit code 0 when all were right, 1 when some were not, 2 when nothing could be asked.
"""

import argparse
import asyncio
import os
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from pydantic import SecretStr, ValidationError

from lycatra_appservice.agent.chat_completions import ChatCompletionsBackend
from lycatra_appservice.agent.loop import Window
from lycatra_appservice.errors import ModelError
from lycatra_appservice.settings import Model
from tests.transcripts.judging import differences, in_words, slips
from tests.transcripts.playing import play
from tests.transcripts.seen import Seen, write_seen
from tests.transcripts.transcript import FOLDER, Transcript, WrongTranscriptError, load

KEY_VARIABLE: Final = "LYCATRA_MODEL_KEY"
_PATIENCE: Final = timedelta(minutes=10)  # for one question of a slow local model


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What was asked for on the command line."""

    settings: Model
    only: Sequence[str]
    times: int
    write: bool
    folder: Path


class Measuring:
    """One run over some transcripts; prints as it goes."""

    def __init__(self, wish: Wish, backend: ChatCompletionsBackend) -> None:
        self._wish = wish
        self._backend = backend
        self._window = Window(
            context_tokens=wish.settings.context_window,
            max_output_tokens=wish.settings.max_output_tokens,
        )
        self._of_kind: Counter[str] = Counter()
        self._right: Counter[str] = Counter()
        self.seen: dict[str, Seen] = {}

    async def ask_all(self, transcripts: Sequence[Transcript]) -> bool:
        """Ask them one after another; whether all were right every time."""
        all_right = True
        for transcript in transcripts:
            plays = [await self._ask(transcript) for _ in range(self._wish.times)]
            # Of several the worst is kept: it is what somebody will read one day.
            worst = max(plays, key=lambda each: len(each.differences))
            right = sum(not each.differences for each in plays)
            self._tell(transcript, worst, right)
            self.seen[transcript.name] = worst
            for kind in ("all", transcript.language, *transcript.about):
                self._of_kind[kind] += len(plays)
                self._right[kind] += right
            all_right = all_right and right == len(plays)
        self._summarise()
        return all_right

    async def _ask(self, transcript: Transcript) -> Seen:
        try:
            async with asyncio.timeout(_PATIENCE.total_seconds()):
                played = await play(transcript, self._backend, self._window)
        except TimeoutError:
            raise ModelError(f"no answer to {transcript.name!r} within {_PATIENCE}") from None
        return Seen(played=played, differences=tuple(differences(transcript, played)))

    def _tell(self, transcript: Transcript, seen: Seen, right: int) -> None:
        played, times = seen.played, self._wish.times
        verdict = "ok" if right == times else "WRONG"
        share = f" {right}/{times}" if times > 1 else ""
        repairs = f", {slips(played)} repaired" if slips(played) else ""
        print(
            f"{verdict:<5}{share} {transcript.name:<44} {played.seconds:6.1f} s"
            f" {played.requests:2} requests {played.tokens:6} tokens{repairs}",
            flush=True,
        )
        for difference in seen.differences:
            print(f"        {difference}")
        if seen.differences and played.answer:
            print(f"        called: {', '.join(map(in_words, played.made)) or 'nothing'}")
            print(f"        said:   {' '.join(played.answer.split())[:300]}")

    def _summarise(self) -> None:
        print()
        for kind, number in sorted(self._of_kind.items(), key=lambda each: (-each[1], each[0])):
            right = self._right[kind]
            print(f"{kind:<20} {right:4} of {number:4} right {100 * right // number:4} %")


async def measure(wish: Wish) -> int:
    """Ask what was wished for; the exit code."""
    chosen = [
        each
        for each in load(wish.folder)
        if not wish.only or {each.name, *each.about} & set(wish.only)
    ]
    if not chosen:
        print(f"No transcript is called {', '.join(wish.only)}, or is about it.", file=sys.stderr)
        return 2
    backend = ChatCompletionsBackend(wish.settings)
    measuring = Measuring(wish, backend)
    try:
        print(f"# {wish.settings.model}: {await backend.probe()}")
        all_right = await measuring.ask_all(chosen)
    except ModelError as error:
        print(f"{error.user_message} ({error})", file=sys.stderr)
        return 2
    finally:
        await backend.aclose()
        if wish.write and measuring.seen:
            write_seen(wish.folder, wish.settings.model, measuring.seen)
    return 0 if all_right else 1


def read_wish(arguments: Sequence[str] | None = None) -> Wish:
    """Read the command line. Raises ValidationError for what is no address and the like."""
    parser = argparse.ArgumentParser(prog="python -m tests.transcripts.record")
    parser.add_argument("--base-url", required=True, help="e.g. http://127.0.0.1:11434/v1")
    parser.add_argument("--model", required=True, help="the model's name, as its server calls it")
    parser.add_argument(
        "--only", action="append", default=[], help="a transcript, or a kind such as german"
    )
    parser.add_argument("--times", type=int, default=1, help="how often each question is asked")
    parser.add_argument("--context-window", type=int, default=8192, help="tokens, default 8192")
    parser.add_argument("--temperature", type=float, help="0 to 2; left to the server by default")
    parser.add_argument("--no-stream", action="store_true", help="ask for whole answers")
    parser.add_argument(
        "--no-tool-choice", action="store_true", help="for servers that refuse tool_choice"
    )
    parser.add_argument(
        "--write", action="store_true", help="put what was seen into the files, under `seen`"
    )
    parser.add_argument("--folder", type=Path, default=FOLDER, help="other transcripts than ours")
    given = parser.parse_args(arguments)
    key = os.environ.get(KEY_VARIABLE)
    settings = Model(
        base_url=given.base_url,
        model=given.model,
        api_key=SecretStr(key) if key else None,
        first_token_timeout=timedelta(minutes=5),
        context_window=given.context_window,
        temperature=given.temperature,
        stream=not given.no_stream,
        tool_choice=not given.no_tool_choice,
    )
    return Wish(
        settings=settings,
        only=given.only,
        times=max(given.times, 1),
        write=given.write,
        folder=given.folder,
    )


def main() -> int:
    """Measure, and say how it went."""
    try:
        return asyncio.run(measure(read_wish()))
    except (ValidationError, WrongTranscriptError) as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
