"""Asks a Prometheus-compatible API; each way in which that can fail says what to do."""

import asyncio
from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final
from urllib.parse import urlencode

from lycatra_appservice.toolkit.base import (
    AnswerTooLargeError,
    HttpAnswer,
    Outbound,
    OutboundError,
    OutboundRefusedError,
)
from lycatra_appservice.tools._web import web_address
from lycatra_appservice.tools.metrics._answers import (
    NOT_PROMETHEUS,
    QUERY,
    WHERE,
    AskingError,
    data_of,
)
from lycatra_appservice.tools.metrics._series import (
    NotFiguresError,
    NotPrometheusError,
    Series,
    read_series,
)
from lycatra_appservice.tools.metrics._settings import MetricsSettings, NamedQuery
from lycatra_appservice.tools.metrics._stretch import Stretch, with_window

_MAX_BYTES: Final = 2 * 1024 * 1024  # some three hundred series of a day
_TOO_MANY: Final = "Whoever runs me can have it give fewer, as by `sum by (…)` or `topk(10, …)`."
_SHORTER: Final = "Ask for a shorter time; a query that is always slow needs a recording rule."


class Asking:
    """Asks for the configured queries; one of these for a call."""

    def __init__(self, settings: MetricsSettings, http: Outbound) -> None:
        self._settings = settings
        self._http = http

    async def now(self, query: NamedQuery, at: datetime) -> Sequence[Series]:
        """One value each. Raises AskingError."""
        asked = {"query": with_window(query.query, None), "time": _moment(at)}
        return await self._series(query, "query", asked)

    async def over(self, query: NamedQuery, stretch: Stretch) -> Sequence[Series]:
        """Values at the moments of the stretch. Raises AskingError."""
        asked = {
            "query": with_window(query.query, stretch.step),
            "start": _moment(stretch.begin),
            "end": _moment(stretch.end),
            "step": f"{stretch.step.total_seconds():.0f}",
        }
        return await self._series(query, "query_range", asked)

    async def _series(
        self, query: NamedQuery, kind: str, asked: Mapping[str, str]
    ) -> Sequence[Series]:
        limit_s = self._settings.timeout_seconds
        try:
            async with asyncio.timeout(limit_s):
                answer = await self._answer(query, kind, {**asked, "timeout": f"{limit_s:g}s"})
        except TimeoutError as exc:
            raise AskingError(query, f"no answer within {limit_s:g} s", _SHORTER) from exc
        try:
            return read_series(data_of(query, answer))
        except NotFiguresError as exc:
            raise AskingError(query, str(exc), QUERY) from exc
        except NotPrometheusError as exc:
            raise AskingError(query, NOT_PROMETHEUS, WHERE) from exc

    async def _answer(self, query: NamedQuery, kind: str, asked: Mapping[str, str]) -> HttpAnswer:
        if self._settings.url is None:
            raise AskingError(query, "nobody has said where figures are kept", WHERE)
        address = web_address(self._settings.url)
        base = address.url.partition("?")[0].rstrip("/")
        try:
            return await self._http.get(
                f"{base}/api/v1/{kind}?{urlencode(asked)}",
                headers={**address.headers, **self._credentials()},
                max_body_bytes=_MAX_BYTES,
            )
        except AnswerTooLargeError as exc:
            raise AskingError(query, "it gives too many series", _TOO_MANY) from exc
        except OutboundRefusedError as exc:
            raise AskingError(query, exc.phrase, WHERE) from exc
        except OutboundError as exc:
            raise AskingError(
                query, f"the monitoring does not answer: {exc.phrase}", WHERE
            ) from exc

    def _credentials(self) -> Mapping[str, str]:
        settings = self._settings
        if settings.token is not None:
            return {"Authorization": f"Bearer {settings.token.get_secret_value()}"}
        if settings.user is not None and settings.password is not None:
            said = f"{settings.user}:{settings.password.get_secret_value()}".encode()
            return {"Authorization": f"Basic {b64encode(said).decode()}"}
        return {}


def _moment(when: datetime) -> str:
    return f"{when.timestamp():.3f}"
