"""Where a way back leads when nobody can see which version runs."""

from datetime import UTC, datetime, timedelta

import pytest

from lycatra_appservice.tools.updates._book import Book, Entry, UnderWay
from lycatra_appservice.tools.updates._deploy_settings import CommandDeploy
from lycatra_appservice.tools.updates._deployers.port import Running
from lycatra_appservice.tools.updates._phase import Ended
from lycatra_appservice.tools.updates._wish import Wish, change_for, is_there

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
UNSEEN = Running(version=None, ok=True, detail="cannot be seen")


def wish(version: str | None) -> Wish:
    deploy = CommandDeploy(service="web", kind="command", apply=("roll-out", "{version}"))
    return Wish(deploy=deploy, version=version)


def entry(version: str, previous: str, ended: Ended | None) -> Entry:
    return Entry(
        deployment_id=f"{version} after {previous}",
        version=version,
        previous=previous,
        is_back=False,
        asked_by="@operator:example.org",
        approved_by=(),
        began_at=NOW - timedelta(hours=1),
        ended=ended,
    )


KEPT = entry("v2", "v1", Ended.KEPT)
V3_LEFT = entry("v3", "v2", Ended.NOT_ROLLED_BACK)
V4_NEVER = entry("v4", "v3", Ended.NOT_DEPLOYED)
LYING = UnderWay(entry=entry("v3", "v2", None), phase="apply", until=NOW - timedelta(minutes=1))
LEFT = {
    "left where it is": Book(entries=[V3_LEFT, KEPT], good="v2"),
    "and nothing changed since": Book(entries=[V4_NEVER, V3_LEFT, KEPT], good="v2"),
    "left lying": Book(entries=[KEPT], good="v2", under_way=LYING),
}


@pytest.mark.parametrize("book", LEFT.values(), ids=LEFT)
def test_rolling_back_what_was_not_well_leads_to_what_was(book: Book) -> None:
    change = change_for(wish(None), book.settled(NOW), UNSEEN)
    assert (change.version, change.previous) == ("v2", "v3")


@pytest.mark.parametrize("book", LEFT.values(), ids=LEFT)
def test_the_version_that_was_well_can_be_deployed_again(book: Book) -> None:
    assert not is_there(wish("v2"), book.settled(NOW), UNSEEN)


@pytest.mark.parametrize("book", LEFT.values(), ids=LEFT)
def test_a_new_version_never_goes_back_to_one_that_was_not_well(book: Book) -> None:
    assert change_for(wish("v5"), book.settled(NOW), UNSEEN).previous == "v2"
    seen = Running(version="v3", ok=True, detail="says v3")
    assert change_for(wish("v5"), book.settled(NOW), seen).previous == "v2"


def test_what_was_kept_last_runs() -> None:
    book = Book(entries=[KEPT], good="v2")
    assert is_there(wish("v2"), book, UNSEEN)
    assert change_for(wish("v5"), book, UNSEEN).previous == "v2"
    assert change_for(wish(None), book, UNSEEN).version == "v1"
