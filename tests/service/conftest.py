"""One Synapse for all service tests; each test, or module, gets a stage on it with own data."""

from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio

from tests.support.live import Live, open_live
from tests.support.site import Site, running_site
from tests.support.stage import Stage, open_stage

_SHOWN_LINES: Final = 120  # of each log


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show with a failure what the replicas of this test have logged."""
    report = yield
    folder = getattr(item, "funcargs", {}).get("tmp_path")
    if report.failed and folder is not None:
        for log in sorted(folder.rglob("*.log")):
            whole = log.read_text(encoding="utf-8", errors="replace").splitlines()
            lines = [line for line in whole if '"level": "debug"' not in line]
            report.sections.append((f"the end of {log.name}", "\n".join(lines[-_SHOWN_LINES:])))
    return report


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    """The shared Synapse; a test that restarts it leaves it running."""
    with running_site() as running:
        yield running


@pytest.fixture
async def stage(site: Site, tmp_path: Path) -> AsyncIterator[Stage]:
    """A stage of this test's own."""
    async with open_stage(site, tmp_path) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def live_service(
    site: Site, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Live]:
    """One running service for a whole module, whose tests neither stop nor break it."""
    async with open_live(site, tmp_path_factory.mktemp("live")) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="module")
async def live(live_service: Live) -> AsyncIterator[Live]:
    """The module's service, with a model that must be asked exactly what the test scripts."""
    live_service.model.forget()
    yield live_service
    live_service.model.check()
