"""`python -m benchmarks [--only NAME] [--json FILE]`: one line a figure, then where the rest is.

Exit code 0 whether goals are met or not; 1 when something did not do the work it was measured by;
2 for a name that is none, or without a Postgres.
"""

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks import (
    agent_turn,
    claim_to_start,
    command_over_synapse,
    drain,
    encrypted_rooms,
    ingest,
    mcp_calls,
    questions_at_once,
    start,
)
from benchmarks.measuring import CannotMeasureError, Figure, WrongWorkError
from benchmarks.postgres import DurablePostgres
from benchmarks.question import Bench, Question
from benchmarks.results import RESULTS, draw, surroundings, write_json
from lycatra_appservice.model import JSON
from lycatra_appservice.ops.logs import LogFormat, configure_logging
from tests.support.postgres import NoPostgresError

QUESTIONS: Final = (
    ingest.QUESTION,
    claim_to_start.QUESTION,
    drain.QUESTION,
    command_over_synapse.QUESTION,
    encrypted_rooms.QUESTION,
    start.QUESTION,
    agent_turn.QUESTION,
    questions_at_once.QUESTION,
    questions_at_once.FAIRNESS,
    questions_at_once.STOP,
    mcp_calls.QUESTION,
)


class Run:
    """One run: asks, says what it hears, and keeps it."""

    def __init__(self, postgres: DurablePostgres, folder: Path) -> None:
        self._postgres = postgres
        self._bench = Bench(postgres=postgres, folder=folder)
        self._about: list[dict[str, JSON]] = []
        self.figures: list[Figure] = []
        self.went_wrong = False

    async def ask(self, questions: Sequence[Question]) -> Mapping[str, JSON]:
        """Ask one after another; returns what to know about the figures."""
        await self._postgres.wear_in()
        around = surroundings(await self._postgres.facts())
        server = around["postgres"]
        print(
            f"# {around['cpus']} CPUs, load {around['load'][0]:.1f}, Python {around['python']},"
            f" PostgreSQL {server['server_version']} with fsync {server['fsync']}"
        )
        for question in questions:
            await self._ask(question)
        return {**around, "questions": self._about}

    async def _ask(self, question: Question) -> None:
        # The same disk takes a fiftieth of the time minutes later: to be known with the figures.
        commit_ms = await self._postgres.commit_ms()
        began = time.monotonic()
        try:
            for figure in await question.measure(self._bench):
                self.figures.append(figure)
                print(figure.line(), flush=True)
        except CannotMeasureError as error:
            print(f"# {question.name} was not measured: {error}", flush=True)
        except WrongWorkError as error:
            self.went_wrong = True
            print(f"{question.name}: wrong work, so no figure: {error}", file=sys.stderr)
        self._about.append(
            {
                "name": question.name,
                "took_s": time.monotonic() - began,
                "commit_ms": commit_ms,
                "load_after": list(os.getloadavg()),
            }
        )


def main() -> int:
    """Ask what was asked for."""
    arguments = _arguments()
    questions = [each for each in QUESTIONS if arguments.only in (None, each.name, *each.figures)]
    if not questions:
        names = "; ".join(f"{each.name}: {', '.join(each.figures)}" for each in QUESTIONS)
        print(
            f"{arguments.only!r} is no question and no figure. There are {names}.", file=sys.stderr
        )
        return 2
    try:
        postgres = DurablePostgres.launch()
    except NoPostgresError as error:
        print(f"Nothing can be measured without a Postgres: {error}", file=sys.stderr)
        return 2
    try:
        return _measure(postgres, questions, arguments.json or _new_file())
    finally:
        postgres.close()


def _measure(postgres: DurablePostgres, questions: Sequence[Question], file: Path) -> int:
    with (
        TemporaryDirectory(prefix="lycatra-bench-", ignore_cleanup_errors=True) as folder,
        Path(os.devnull).open("w", encoding="utf-8") as nowhere,
    ):
        # What a replica logs costs time, here as in service.
        configure_logging(
            level="INFO", log_format=LogFormat.JSON, replica="bench", secrets=(), stream=nowhere
        )
        run = Run(postgres, Path(folder))
        about = asyncio.run(run.ask(questions))
        write_json(file, about, run.figures)
        picture = file.with_suffix(".png")
        drawn = draw(picture, run.figures)
    print(f"# {file}" + (f" and {picture.name}" if drawn else ", without a picture"))
    return int(run.went_wrong)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", metavar="NAME", help="one question, or the one of a figure")
    parser.add_argument("--json", metavar="FILE", type=Path, help="where to write the raw rounds")
    return parser.parse_args()


def _new_file() -> Path:
    return RESULTS / f"{datetime.now(UTC):%Y-%m-%dT%H-%M-%SZ}.json"


if __name__ == "__main__":
    sys.exit(main())
