import io
import json
import logging
from collections.abc import Iterator
from typing import Any, NoReturn
from urllib.parse import quote

import aiosqlite
import pytest

from lycatra_appservice import __version__
from lycatra_appservice.log_fields import bind
from lycatra_appservice.ops.logs import LogFormat, configure_logging

# The word stands nowhere else, so that source lines in a traceback do not count as a find.
CANARIES = (
    "zeisig-token/+x",
    'zeisig "quoted"\\key',
    "zeisig-token/+x-and-zeisig",
    "zeisig\u00e9",
)

log = logging.getLogger("lycatra_appservice.somewhere")


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    talkative = {name: logging.getLogger(name).level for name in ("openai", "httpx2", "aiosqlite")}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, before in talkative.items():
        logging.getLogger(name).setLevel(before)


def written(log_format: LogFormat = LogFormat.JSON, level: str = "DEBUG") -> io.StringIO:
    stream = io.StringIO()
    configure_logging(
        level=level, log_format=log_format, replica="replica-1", secrets=CANARIES, stream=stream
    )
    return stream


def only_line(stream: io.StringIO) -> dict[str, Any]:
    [line] = stream.getvalue().splitlines()
    fields = json.loads(line)
    assert isinstance(fields, dict)
    return fields


def fail(error: Exception, cause: Exception | None = None) -> NoReturn:
    raise error from cause


def test_a_record_is_one_json_line_with_the_fields_everybody_filters_by() -> None:
    stream = written()
    log.info("turn_done", extra={"outcome": "done", "total_ms": 12})
    fields = only_line(stream)
    assert fields.pop("ts").endswith("Z")
    assert fields == {
        "level": "info",
        "event": "turn_done",
        "logger": "lycatra_appservice.somewhere",
        "replica": "replica-1",
        "version": __version__,
        "outcome": "done",
        "total_ms": 12,
    }


def test_what_a_stage_bound_is_part_of_every_record_inside_and_of_none_after() -> None:
    stream = written()
    with bind(room_id="!room", tool="outer"):
        with bind(tool="inner"):
            log.info("inside")
        log.info("between")
    log.info("after")
    inside, between, after = map(json.loads, stream.getvalue().splitlines())
    assert (inside["room_id"], inside["tool"]) == ("!room", "inner")
    assert between["tool"] == "outer"
    assert "room_id" not in after


def test_an_extra_never_takes_the_place_of_a_fixed_field() -> None:
    stream = written()
    log.info("checked", extra={"version": "9.9", "level": "viewer"})
    fields = only_line(stream)
    assert (fields["version"], fields["version_"]) == (__version__, "9.9")
    assert (fields["level"], fields["level_"]) == ("info", "viewer")


def test_an_exception_is_text_in_the_same_line() -> None:
    stream = written()
    try:
        fail(LookupError("no such row"))
    except LookupError:
        log.exception("turn_broke")
    exception = only_line(stream)["exception"]
    assert exception.startswith("Traceback")
    assert exception.endswith("LookupError: no such row")


@pytest.mark.parametrize("log_format", list(LogFormat))
@pytest.mark.parametrize("canary", CANARIES)
def test_a_secret_appears_nowhere_in_the_log(log_format: LogFormat, canary: str) -> None:
    stream = written(log_format)
    with bind(bound=canary):
        log.info("message %s", canary)
        log.info("extras", extra={"plain": canary, "deep": [{"key": (canary,), canary: 1}]})
        log.info("as_repr", extra={"value": ValueError(canary), "body": canary.encode()})
        log.info("as_json %s", json.dumps({"token": canary}))
        log.info("as_address", extra={"url": f"http://127.0.0.1/?x={quote(canary, safe='')}"})
        try:
            fail(ValueError(f"refused {canary}"))
        except ValueError as error:
            try:
                fail(RuntimeError("while doing that"), error)
            except RuntimeError:
                log.exception("broke", stack_info=True)
    text = stream.getvalue()
    assert len(text.splitlines()) >= 6
    assert "zeisig" not in text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("GET /sync?access_token=abc123&x=1", "GET /sync?access_token=***&x=1"),
        ("Authorization: Bearer abc.def-123", "Authorization: Bearer ***"),
        ('{"as_token": "abc", "id": 1}', '{"as_token": "***", "id": 1}'),
        ("postgres://lycatra:hunter2@db/x", "postgres://lycatra:***@db/x"),
        ("http://127.0.0.1:8008/@user:host", "http://127.0.0.1:8008/@user:host"),
    ],
)
def test_what_looks_like_a_secret_is_masked_although_nobody_knows_it(
    text: str, shown: str
) -> None:
    stream = written()
    log.info("request", extra={"text": text})
    assert only_line(stream)["text"] == shown


def test_a_long_text_is_cut_after_masking_and_keeps_its_end() -> None:
    stream = written()
    log.info("long", extra={"text": "x" * 3995 + CANARIES[0] * 4000 + "the end"})
    fields = only_line(stream)
    assert len(stream.getvalue()) < 16_384
    assert fields["text"].endswith("the end")
    assert "zeisig" not in fields["text"]


def test_values_that_json_does_not_know_are_written_as_text() -> None:
    stream = written()
    endless: list[object] = []
    endless.append(endless)
    log.info(
        "odd", extra={"nan": float("nan"), "endless": endless, "half": "\ud800", "none": None}
    )
    fields = only_line(stream)
    assert fields["nan"] == "nan"
    assert fields["none"] is None


def test_a_record_whose_arguments_do_not_fit_is_still_written() -> None:
    logging.getLogger().handlers.clear()  # those of pytest would raise
    stream = written()
    log.info("only %s and %s", "one")
    assert only_line(stream)["event"] == "only %s and %s"


def test_a_broken_output_shows_no_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    stream = written()
    stream.close()
    log.info("message %s", "somebody's words")
    assert capsys.readouterr().err == (
        "a log record of lycatra_appservice.somewhere could not be written\n"
    )


def test_nobody_can_forge_a_line_or_a_colour_in_the_text_format() -> None:
    stream = written(LogFormat.TEXT)
    log.info(
        "odd\nINFO forged", extra={"body": "a\nb \x1b[31mred", "words": "gr\u00fc\u00df dich"}
    )
    [line] = stream.getvalue().splitlines()
    assert "\x1b" not in line
    assert "words=gr\u00fc\u00df dich" in line


def test_the_text_format_puts_a_traceback_below_its_line() -> None:
    stream = written(LogFormat.TEXT)
    try:
        fail(LookupError("no such row"))
    except LookupError:
        log.exception("turn_broke", extra={"kind": "ask"})
    first, *below = stream.getvalue().splitlines()
    assert first.endswith("ERROR    turn_broke kind=ask")
    assert below[-1] == "LookupError: no such row"


def test_configuring_again_replaces_the_first_output_and_keeps_foreign_ones() -> None:
    foreign = logging.NullHandler()
    logging.getLogger().addHandler(foreign)
    first, second = written(), written()
    log.info("once")
    assert first.getvalue() == ""
    assert only_line(second)["event"] == "once"
    assert foreign in logging.getLogger().handlers


def test_libraries_are_quiet_until_debugging() -> None:
    stream = written(level="INFO")
    logging.getLogger("httpx2").info("HTTP Request: POST")
    assert stream.getvalue() == ""
    stream = written(level="DEBUG")
    logging.getLogger("httpx2").info("HTTP Request: POST")
    assert only_line(stream)["logger"] == "httpx2"


async def test_no_statement_is_logged_with_its_values_even_when_debugging() -> None:
    stream = written(level="DEBUG")
    async with aiosqlite.connect(":memory:") as database:
        await database.execute("SELECT :said", {"said": "zeisig sings"})
    assert "zeisig" not in stream.getvalue()
