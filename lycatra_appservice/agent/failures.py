"""Which of our errors a server's failure is; the server's own words only reach the log."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from lycatra_appservice.agent.backend import (
    ContextOverflowError,
    ModelBusyError,
    ModelRefusedError,
    ModelUnreachableError,
)
from lycatra_appservice.errors import ModelError
from lycatra_appservice.model import JSON

_OVERFLOW = re.compile(
    r"context (length|size|window)|maximum context|ContextWindowExceeded|too many tokens",
    re.IGNORECASE,
)
# How OpenAI, vLLM and whoever relays their words name the window in such a sentence.
_WINDOW = re.compile(
    r"(?:maximum context length|context (?:window|size|length))\D{0,24}(\d{4,7})\b", re.IGNORECASE
)
_OVERFLOW_CODES = {"context_length_exceeded", "exceed_context_size_error"}
# What OpenAI calls a tool's schema that its strict mode does not take.
_NOT_STRICT = "invalid_function_parameters"
_IMAGES = "images"  # as `wire` calls the pictures of a request
# What servers say whose model cannot look at pictures; some of them with status 500.
_ABOUT_IMAGES = re.compile(
    r"\bimages?\b|image_url|multi-?modal|\bvision\b|mmproj|\bcontent\b.{0,80}\bstring\b",
    re.IGNORECASE | re.DOTALL,
)
_ABOUT_ONE_IMAGE = re.compile(
    r"too (?:large|big|small)|exceed|dimension|resolution|corrupt|invalid (?:image|base64)"
    r"|(?:decode|process|parse|load|identify)\b.{0,20}\bimage",
    re.IGNORECASE | re.DOTALL,
)
_TOO_COMMON = frozenset({"stream", "strict"})  # words of many a sentence, so only in quotes
_DETAIL_CHARS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What a server said about a request that failed; `status` is 0 if it did not say.

    `window` is how many tokens it takes, if it told that.
    """

    status: int
    message: str = ""
    code: str = ""
    kind: str = ""
    param: str = ""
    retry_after: timedelta | None = None
    window: int | None = None

    @property
    def detail(self) -> str:
        """One line for the log."""
        named = {"code": self.code, "type": self.kind, "param": self.param}
        words = " ".join(f"{key}={value}" for key, value in named.items() if value)
        text = " ".join(self.message.split())
        return f"status={self.status} {words} {text}"[:_DETAIL_CHARS]

    def unsupported(self, dispensable: Collection[str]) -> str | None:
        """Which of these parameters, all of them sent, the server does not take."""
        if self._is_overflow():
            return None
        if _IMAGES in dispensable and self._is_about_images():
            return _IMAGES
        if self.status not in {400, 422}:
            return None
        if self.param in dispensable:
            return self.param
        if self.code == _NOT_STRICT and "strict" in dispensable:
            return "strict"
        found = ((self._place_of(name), name) for name in dispensable if name != _IMAGES)
        return min(((at, name) for at, name in found if at >= 0), default=(0, None))[1]

    @property
    def is_about_one_image(self) -> bool:
        """Whether it may take others: this one is too large, or broken."""
        return bool(_ABOUT_ONE_IMAGE.search(self.message))

    def _is_about_images(self) -> bool:
        may_mean_it = self.status in {400, 404, 415, 422, 500, 501}
        return may_mean_it and bool(_ABOUT_IMAGES.search(f"{self.param} {self.message}"))

    def _place_of(self, parameter: str) -> int:
        """Where the server's words name a parameter; -1 if they do not."""
        name = re.escape(parameter)
        pattern = rf"['\"`.]{name}['\"`]" if parameter in _TOO_COMMON else rf"\b{name}\b"
        named = re.search(pattern, f"{self.param} {self.message}")
        return named.start() if named else -1

    def error(self) -> ModelError:
        """The error to raise."""
        if self._is_overflow():
            return ContextOverflowError(self.detail, window=self.window)
        if "insufficient_quota" in {self.code, self.kind}:  # a 429 that no waiting helps
            return ModelRefusedError(self.detail)
        if self.status == 429 or (self.status == 503 and self.retry_after):
            return ModelBusyError(self.detail, retry_after=self.retry_after)
        if self.status in {0, 408, 409} or self.status >= 500:
            return ModelUnreachableError(self.detail)
        return ModelRefusedError(self.detail)

    def _is_overflow(self) -> bool:
        if _OVERFLOW_CODES & {self.code, self.kind}:
            return True
        return self.status not in {401, 403, 429} and bool(_OVERFLOW.search(self.message))


def failure_in(error: JSON, *, status: int = 0, retry_after: timedelta | None = None) -> Failure:
    """Read the `error` of a body or of a stream: an object, a sentence, or a web page."""
    fields: Mapping[str, JSON] = error if isinstance(error, dict) else {"message": error}
    code = _words(fields.get("code"))
    if not status and re.fullmatch(r"[45]\d\d", code):  # inside a stream it stands here
        status = int(code)
    return Failure(
        status=status,
        message=_words(fields.get("message") or _listed(fields.get("detail"))),
        code=code,
        kind=_words(fields.get("type")),
        param=_words(fields.get("param")),
        retry_after=retry_after,
        window=_window_in(fields),
    )


def _window_in(fields: Mapping[str, JSON]) -> int | None:
    """How many tokens the server takes: llama.cpp has a field for it, others a sentence."""
    told = fields.get("n_ctx")
    if isinstance(told, int) and not isinstance(told, bool):
        return told
    found = _WINDOW.search(_words(fields.get("message")))
    return int(found[1]) if found else None


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> timedelta | None:
    """How long a server asks us to wait, in whichever of the three ways it says so."""
    try:
        if millis := headers.get("retry-after-ms"):
            return timedelta(milliseconds=float(millis))
        return _span(headers.get("retry-after", ""), now or datetime.now(UTC))
    except (ValueError, OverflowError):
        return None


def _span(value: str, now: datetime) -> timedelta | None:
    if not value:
        return None
    if re.fullmatch(r"\d+(\.\d+)?", value):
        return timedelta(seconds=float(value))
    at = parsedate_to_datetime(value)
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(at - now, timedelta(0))


def _listed(detail: JSON) -> JSON:
    """What FastAPI finds wrong, without the parts of the request that it repeats."""
    if not isinstance(detail, list):
        return detail
    wrong = [each for each in detail if isinstance(each, dict)]
    places = [each.get("loc") for each in wrong]
    named = [".".join(map(str, place)) if isinstance(place, list) else "" for place in places]
    said = zip(named, wrong, strict=True)
    return "; ".join(f"{place}: {_words(each.get('msg'))}" for place, each in said)


def _words(value: JSON) -> str:
    return "" if value is None else str(value)
