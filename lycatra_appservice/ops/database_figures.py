"""Figures that come from the database: shown by the leader alone, and only while it leads.

Every replica reads the same rows, so dashboards take `max`, never `sum`. A replica that no longer
leads shows none, rather than what was true when it did.
"""

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Final

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from lycatra_appservice.model import LaneKind

STATES: Final = ("queued", "running", "waiting", "sending")


class DatabaseFigures(Collector):
    """The figures as they were last read."""

    def __init__(self) -> None:
        self._turns: Mapping[tuple[str, str], int] | None = None
        self._unsent = 0
        self._oldest_ready_s = 0.0

    def show(
        self, turns: Mapping[tuple[str, str], int], unsent: int, oldest_ready_s: float
    ) -> None:
        """Take what was read; `turns` by (state, kind)."""
        self._turns, self._unsent, self._oldest_ready_s = turns, unsent, oldest_ready_s

    def hide(self) -> None:
        """Show nothing from now on."""
        self._turns = None

    def collect(self) -> Iterator[Metric]:
        """Make the families; called by the registry at each scrape."""
        turns = GaugeMetricFamily(
            "lycatra_db_turns",
            "Requests that are not finished, by state (waiting: for approval) and kind",
            labels=("state", "kind"),
        )
        unsent = GaugeMetricFamily(
            "lycatra_db_unsent_replies", "Unsent replies: written down, not yet in their room"
        )
        oldest = GaugeMetricFamily(
            "lycatra_db_oldest_ready_seconds",
            "How long the conversation that waits longest for a worker has waited",
        )
        if self._turns is not None:
            for state, kind in product(STATES, LaneKind):
                turns.add_metric((state, kind), self._turns.get((state, kind), 0))
            unsent.add_metric((), self._unsent)
            oldest.add_metric((), self._oldest_ready_s)
        yield from (turns, unsent, oldest)
