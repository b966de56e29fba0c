"""The public suite, whole, against our transport."""

from pathlib import Path

import pytest

from tests.conformance.install import SUITE
from tests.conformance.legs import Leg, Outcome, legs, run_leg


@pytest.mark.parametrize("leg", legs(), ids=lambda leg: str(leg.name))
async def test_every_check_of_the_public_suite_passes(leg: Leg, url: str, tmp_path: Path) -> None:
    assert SUITE.is_file(), "make conformance installs the suite"
    outcome = await run_leg(leg, url, tmp_path)
    assert outcome.trouble() is None, outcome.trouble()


async def test_a_leg_that_reaches_no_server_is_red(unused_tcp_port: int, tmp_path: Path) -> None:
    nowhere = f"http://127.0.0.1:{unused_tcp_port}/mcp"
    outcome = await run_leg(legs()[0], nowhere, tmp_path)
    assert outcome.trouble() is not None


def test_a_leg_that_ran_nothing_is_red() -> None:
    leg = legs()[0]
    nothing = Outcome(leg=leg, passed=0, failed=(), exit_code=0, printed="")
    assert nothing.line() == "2025-06-18 0 0"
    assert nothing.trouble() is not None
