"""What a Prometheus-compatible API answers, as series of numbers; pure."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from lycatra_appservice.toolkit.base import JSON
from lycatra_appservice.tools.metrics._stretch import Stretch

_METRIC_NAME = "__name__"
_SHOWN_NAME = 80


class NotFiguresError(ValueError):
    """An answer has nothing in it that can be shown; the message says why, for people."""


class NotPrometheusError(ValueError):
    """An answer of something else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Numbers by their times, in order; what is no number is not among them."""

    labels: Mapping[str, str]
    points: Sequence[tuple[datetime, float]]

    def on(self, stretch: Stretch) -> Sequence[tuple[datetime, float | None]]:
        """A value for each moment of the stretch; None where there is none."""
        begin_s, step_s = stretch.begin.timestamp(), stretch.step.total_seconds()
        by_step = {
            round((when.timestamp() - begin_s) / step_s): value for when, value in self.points
        }
        return [(when, by_step.get(number)) for number, when in enumerate(stretch.times)]


def read_series(data: JSON) -> Sequence[Series]:
    """The `data` of an answer. Raises NotFiguresError and NotPrometheusError."""
    match data:
        case {"resultType": "matrix" | "vector", "result": [*results]}:
            return [each for result in results if (each := _one(result)).points]
        case {"resultType": "scalar", "result": [*sample]}:
            return [Series(labels={}, points=list(_numbers([sample])))]
        case {"resultType": "string"}:
            raise NotFiguresError("its result is a text")
        case _:
            raise NotPrometheusError


def _one(result: JSON) -> Series:
    match result:
        case {"values": [*samples]}:
            points = list(_numbers(samples))
        case {"value": [*sample]}:
            points = list(_numbers([sample]))
        case {"histogram": _} | {"histograms": _}:
            raise NotFiguresError("its result is a histogram; it needs `histogram_quantile(…)`")
        case _:
            raise NotPrometheusError
    labels = result.get("metric")
    if not isinstance(labels, Mapping):
        raise NotPrometheusError
    return Series(labels={str(k): str(v) for k, v in labels.items()}, points=points)


def _numbers(samples: Sequence[JSON]) -> Iterator[tuple[datetime, float]]:
    for sample in samples:
        try:
            when, text = sample
            moment, value = datetime.fromtimestamp(float(when), UTC), float(text)
        except (TypeError, ValueError, OverflowError, OSError) as exc:
            raise NotPrometheusError from exc
        if math.isfinite(value):
            yield moment, value


def names_of(series: Sequence[Series]) -> Sequence[str]:
    """What tells them apart: labels that differ; nothing for one alone."""
    if len(series) < 2:
        return [""] * len(series)
    known = sorted({label for each in series for label in each.labels})
    differing = [label for label in known if len({_label(each, label) for each in series}) > 1]
    return [_name(each, differing) for each in series]


def _name(series: Series, differing: Sequence[str]) -> str:
    if len(differing) == 1:
        return _cut(_label(series, differing[0]) or f"no {differing[0]}")
    said = [
        f"{label}={_label(series, label)}" if label != _METRIC_NAME else _label(series, label)
        for label in differing
        if _label(series, label)
    ]
    return _cut(", ".join(said) or "the rest")


def _label(series: Series, label: str) -> str:
    return series.labels.get(label, "")


def _cut(name: str) -> str:
    plain = " ".join(name.replace("`", "'").split())
    return plain if len(plain) <= _SHOWN_NAME else f"{plain[: _SHOWN_NAME - 1]}…"
