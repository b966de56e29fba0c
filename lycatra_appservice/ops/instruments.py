"""Instruments whose label values are all known, and shown as 0, from the start."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Final, Generic, TypeAlias, TypeVar

from prometheus_client import Metric
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.registry import Collector

OTHER: Final = "other"

Labels: TypeAlias = Mapping[str, Sequence[str]]
InstrumentT = TypeVar("InstrumentT", bound=MetricWrapperBase)


class Labelled(Generic[InstrumentT]):
    """An instrument with one series for each combination of its labels' values.

    A label gets no further value but by `learn`: what is not among the known ones counts as
    `other`, so that nothing anybody writes makes the series grow.
    """

    def __init__(self, instrument: InstrumentT, labels: Labels) -> None:
        self._instrument = instrument
        self._names = list(labels)
        self._known = [frozenset(values) for values in labels.values()]
        for values in product(*labels.values()):
            instrument.labels(*values)

    def learn(self, label: str, values: Sequence[str]) -> None:
        """Let a label have further values; those that it had stay."""
        place = self._names.index(label)
        self._known[place] |= frozenset(values)

    def at(self, *values: str) -> InstrumentT:
        """Return the series for these values, in the order of the labels."""
        bounded = (
            value if value in known else OTHER
            for value, known in zip(values, self._known, strict=True)
        )
        return self._instrument.labels(*bounded)


class WithoutCreated(Collector):
    """A registry without the time at which each series was made.

    Nobody here asks for it, it doubles the text, and the library's own switch is for all
    registries of the process.
    """

    def __init__(self, registry: Collector) -> None:
        self._registry = registry

    def collect(self) -> Iterator[Metric]:
        """Return the families, made anew by the registry each time, with fewer samples."""
        for family in self._registry.collect():
            family.samples = [
                sample for sample in family.samples if not sample.name.endswith("_created")
            ]
            yield family
