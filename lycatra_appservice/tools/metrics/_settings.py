"""What can be asked of which monitoring: the `tools.metrics` section of the configuration."""

from collections.abc import Sequence
from typing import Annotated, Final, Self
from urllib.parse import quote

from pydantic import HttpUrl, SecretStr, field_validator, model_validator

from lycatra_appservice.toolkit.base import Extra, Field, Target, ToolSettings
from lycatra_appservice.tools._charts import CHARTS

_MOST_QUERIES: Final = 30
_LONGEST_ENCODED: Final = 3500  # an address may have 4096 signs


class NamedQuery(ToolSettings):
    """A figure, by the name under which people ask for it.

    `query` is PromQL; `$step` in it stands for the time between two points of a picture, five
    minutes or more, as in `rate(http_requests_total[$step])`. Of `unit`, B, s and what ends in /s
    are shown as KiB, ms and so on.
    """

    name: Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[^`\s]+$")]
    title: Annotated[str, Field(min_length=1, max_length=80)]
    query: Annotated[str, Field(min_length=1, max_length=3000)]
    unit: Annotated[str, Field(max_length=20, pattern=r"^[^`|]*$")] = ""

    @field_validator("query")
    @classmethod
    def _fits_an_address(cls, query: str) -> str:
        if len(quote(query)) > _LONGEST_ENCODED:
            raise ValueError("is too long for an address; make a recording rule of it")
        return query


class MetricsSettings(ToolSettings):
    """A Prometheus, or what answers like one (VictoriaMetrics, Thanos, Mimir).

    `url` is what stands before `/api/v1`. Nobody in a room can ask it anything but the `queries`.
    Without `pictures` there are only words.
    """

    url: HttpUrl | None = None
    token: SecretStr | None = None
    user: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^:]+$")] | None = None
    password: SecretStr | None = None
    timeout_seconds: Annotated[float, Field(gt=0, le=20)] = 10
    pictures: bool = True
    queries: Annotated[tuple[NamedQuery, ...], Field(max_length=_MOST_QUERIES)] = ()

    @property
    def has_work(self) -> bool:
        """Whether there is somebody to ask, and something."""
        return self.url is not None and bool(self.queries)

    @property
    def allowed_targets(self) -> Sequence[Target]:
        """The monitoring itself."""
        return [Target.of_url(str(self.url))] if self.url is not None else []

    @property
    def needed_extras(self) -> Sequence[Extra]:
        """What draws the pictures, if they are wanted."""
        return [CHARTS] if self.has_work and self.pictures else []

    @field_validator("queries")
    @classmethod
    def _names_differ(cls, queries: tuple[NamedQuery, ...]) -> tuple[NamedQuery, ...]:
        names = [each.name.casefold() for each in queries]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two queries are called {', '.join(map(repr, twice))}")
        return queries

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.queries and self.url is None:
            raise ValueError("has queries, which need the url of whom to ask")
        if (self.user is None) != (self.password is None):
            raise ValueError("should have user and password together")
        if self.user is not None and self.token is not None:
            raise ValueError("should have either a token or a user with a password")
        return self
