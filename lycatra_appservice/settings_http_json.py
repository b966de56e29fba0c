"""Tools without code: an address that answers with JSON, and what to ask and tell of it."""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Final, Literal, Self, TypeAlias
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, StringConstraints, field_validator, model_validator

from lycatra_appservice.settings_section import Section
from lycatra_appservice.settings_types import HeaderName, HeaderValue

PLACEHOLDER: Final = re.compile(r"\{([^{}]*)\}")
PAGE, OFFSET, PAGE_SIZE = "page", "offset", "page_size"  # what an address may have of paging
PAGING: Final = frozenset({PAGE, OFFSET, PAGE_SIZE})

# They say whom and how we ask, which the guard of what goes out settles.
_GUARDED: Final = frozenset(
    {
        *("accept-encoding", "connection", "expect", "proxy-authorization", "te", "trailer"),
        "upgrade",
    }
)
_ASCII: Final = r"^[\x20-\x7e]*$"
_NAME: Final = r"^[a-z][a-z0-9_]*$"
_PATH: Final = r"^[^.\s]+(\.[^.\s]+)*$"

Line: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[^\r\n]+$")]


class HttpJsonArgument(Section):
    """What people say, and where `{name}` stands in the address.

    `text` (up to `max_length` letters), a whole `number` from `least` to `most`, one of `choices`,
    or `yes_no`. It has to be said unless there is a `default` or it is `optional`: then what has
    `{name}` in it is left out of the address.
    """

    name: str = Field(max_length=30, pattern=_NAME)
    description: Line = Field(max_length=150, description="for people and for the model")
    kind: Literal["text", "number", "choice", "yes_no"] = "text"
    choices: tuple[Annotated[Line, Field(max_length=100)], ...] = Field((), max_length=20)
    max_length: int = Field(100, ge=1, le=300)
    least: int = Field(0, ge=-(10**9), le=10**9)
    most: int = Field(1_000_000, ge=-(10**9), le=10**9)
    default: bool | int | str | None = None
    optional: bool = False

    @field_validator("name")
    @classmethod
    def _is_free(cls, name: str) -> str:
        if name in PAGING or name.startswith("model_") or hasattr(BaseModel, name):
            raise ValueError("is a name that is taken; choose another one")
        return name

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        if (self.kind == "choice") != bool(self.choices):
            raise ValueError("should have choices if, and only if, its kind is choice")
        if self.least > self.most:
            raise ValueError("has a least that is above most")
        if self.default is not None and self.optional:
            raise ValueError("has a default, and so need not be optional")
        if self.default is not None and not self._takes(self.default):
            raise ValueError("has a default that it does not take")
        return self

    def _takes(self, value: bool | int | str) -> bool:
        match self.kind:
            case "text":
                return isinstance(value, str) and len(value) <= self.max_length
            case "choice":
                return value in self.choices
            case "yes_no":
                return isinstance(value, bool)
            case "number":
                is_number = isinstance(value, int) and not isinstance(value, bool)
                return is_number and self.least <= int(value) <= self.most


class HttpJsonHeader(Section):
    """A header of the request. Its value is a secret, as in `value_file: secrets/tracker-token`.

    `before` is what stands before it, such as `Bearer `.
    """

    name: HeaderName
    value: HeaderValue = Field(min_length=1)
    before: Annotated[
        str, StringConstraints(strip_whitespace=False, max_length=50, pattern=_ASCII)
    ] = ""

    @field_validator("name")
    @classmethod
    def _is_not_guarded(cls, name: str) -> str:
        if name.lower() in _GUARDED:
            raise ValueError("should be a header that Lycatra does not set itself")
        return name


class HttpJsonField(Section):
    """A fact of each entry: `key` is where it stands (`user.login`), `label` what people read.

    `words` say what values mean. A `time` is shown in the time zone, a `link` can be opened.
    """

    key: str = Field(max_length=100, pattern=rf"{_PATH}|^\.$")
    label: Line | None = Field(None, max_length=40)
    kind: Literal["text", "time", "link"] = "text"
    unit: str = Field("", max_length=20)
    words: dict[str, Line] = Field(default={}, max_length=30)

    @property
    def title(self) -> str:
        """What people read before it."""
        return self.label or self.key.rpartition(".")[2]

    @field_validator("words", mode="before")
    @classmethod
    def _of_texts(cls, words: object) -> object:
        """YAML reads `true:` and `1:` as no texts."""
        if not isinstance(words, Mapping):
            return words
        return {
            str(value).lower() if isinstance(value, bool) else str(value): said
            for value, said in words.items()
        }


class HttpJsonTool(Section):
    """A tool that gets an address and tells what is in the JSON that it answers."""

    name: str = Field(max_length=41, pattern=_NAME, description="verb_noun, such as list_issues")
    namespace: str = Field("web", max_length=31, pattern=_NAME)
    title: Line = Field(max_length=60)
    summary: Line = Field(
        min_length=40, max_length=600, description="what comes back and when to use it"
    )
    example: Line | None = Field(None, max_length=200, description="as it is typed, without !")
    level: Literal["viewer", "operator", "admin"] = "viewer"
    url: str = Field(max_length=1000, description="with {names} of arguments behind the host")
    arguments: tuple[HttpJsonArgument, ...] = Field((), max_length=8)
    headers: tuple[HttpJsonHeader, ...] = Field((), max_length=8)
    timeout_seconds: float = Field(10, gt=0, le=20)
    items: str = Field("", max_length=100, pattern=rf"^$|{_PATH}")
    fields: tuple[HttpJsonField, ...] = Field(max_length=12)
    page_size: int = Field(20, ge=1, le=50)
    when_empty: Line = Field("There is nothing.", max_length=200)

    @property
    def has_paging(self) -> bool:
        """Whether the address is asked for one page, and not for everything."""
        return bool({PAGE, OFFSET} & set(placeholders(self.url)))

    @field_validator("url")
    @classmethod
    def _has_a_fixed_host(cls, url: str) -> str:
        try:
            parts = urlsplit(url)
            usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            usable = False
            parts = urlsplit("")
        if not usable or re.search(r"[\s\\\x00-\x1f]", url):
            raise ValueError("should be an address beginning with http:// or https://")
        if PLACEHOLDER.search(parts.netloc):
            raise ValueError("should have its {names} behind the host, which is always the same")
        if "@" in parts.netloc or parts.fragment:
            raise ValueError("should have no user, password or '#' in it; headers are for secrets")
        return url

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        known, used = [each.name for each in self.arguments], placeholders(self.url)
        if strange := sorted(set(used) - set(known) - PAGING):
            raise ValueError(f"has {{{strange[0]}}} in its url, which is none of its arguments")
        if unused := sorted(set(known) - set(used)):
            raise ValueError(f"has the argument {unused[0]}, which its url has no place for")
        if not self.fields:
            raise ValueError("has no fields, so there is nothing to tell")
        _all_differ(known, "arguments")
        _all_differ([each.title.casefold() for each in self.fields], "fields")
        _all_differ([each.name.casefold() for each in self.headers], "headers")
        in_path = placeholders(self.url.partition("?")[0])
        for each in self.arguments:
            if each.name in in_path and (each.optional or each.default == ""):
                raise ValueError(f"has {{{each.name}}} in its path, so that has to be said")
        return self


def placeholders(text: str) -> Sequence[str]:
    """The names in braces."""
    return PLACEHOLDER.findall(text)


def _all_differ(names: Sequence[str], what: str) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"has two {what} called {twice[0]}")
