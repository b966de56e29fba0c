"""What the answer of a Prometheus-compatible API means, and what to do about one that is none."""

from collections.abc import Mapping
from typing import Final

from lycatra_appservice.toolkit.base import JSON, HttpAnswer, OutboundError, ToolFailedError
from lycatra_appservice.tools._tables import one_line
from lycatra_appservice.tools.metrics._settings import NamedQuery

NOT_PROMETHEUS: Final = "what answers there is not Prometheus"
WHERE: Final = (
    "Whoever runs me should look at `tools.metrics.url`: it is what stands before `/api/v1`."
)
QUERY: Final = "Whoever runs me should correct it in `tools.metrics.queries`."

_WHO: Final = (
    "Whoever runs me should look at `token`, or `user` and `password`, in `tools.metrics`."
)
_LATER: Final = "Try again in a minute."
_SHOWN_ERROR: Final = 300


class AskingError(ToolFailedError):
    """A figure could not be had. `phrase` says why in a few words, for a list."""

    def __init__(self, query: NamedQuery, phrase: str, remedy: str) -> None:
        super().__init__(f"I cannot get `{query.name}`: {phrase}. {remedy}")
        self.phrase = phrase


def data_of(query: NamedQuery, answer: HttpAnswer) -> JSON:
    """What a success is about. Raises AskingError for everything else."""
    try:
        body = answer.json()
    except OutboundError:
        body = None
    error = _error_in(body)
    if answer.status == 200 and isinstance(body, Mapping) and not error:
        return body.get("data")
    raise AskingError(query, *_failure(answer.status, error))


def _failure(status: int, error: str) -> tuple[str, str]:
    match status:
        case 401 | 403:
            return f"I am not let in (HTTP {status})", _WHO
        case 404:
            return "there is no Prometheus at its address (HTTP 404)", WHERE
        case 429 | 502 | 503 | 504:
            return _with(error, f"the monitoring is busy (HTTP {status})"), _LATER
        case 200 | 400 | 422 if error:
            return f"the query is refused: {error}", QUERY
        case 200:
            return NOT_PROMETHEUS, WHERE
        case _:
            return _with(error, f"the monitoring answers HTTP {status}"), WHERE


def _error_in(body: JSON) -> str:
    said = body.get("error") if isinstance(body, Mapping) else None
    if not isinstance(said, str):
        return ""
    return one_line(said.replace("`", "'"))[:_SHOWN_ERROR].rstrip(".")


def _with(error: str, phrase: str) -> str:
    return f"{phrase}: {error}" if error else phrase
