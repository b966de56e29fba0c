"""Where releases are looked for, and who may tell of them: `watch` and `hooks`."""

import re
from datetime import timedelta
from typing import Annotated, Final, Literal, Self, TypeAlias

from pydantic import HttpUrl, SecretStr, field_validator, model_validator

from lycatra_appservice.toolkit.base import Field, Span, Target, ToolSettings
from lycatra_appservice.tools.updates._versions import IMAGE, repository_of

MOST_WATCHED: Final = 40

_DOCKER_HUB: Final = "docker.io"
_DOCKER_HUB_API: Final = "https://registry-1.docker.io"
_WHOLE_VERSIONS: Final = r"v?\d+\.\d+\.\d+"  # `8` and `8.2` are tags that move

_Repository: TypeAlias = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}/[A-Za-z0-9_.-]{1,100}$",
        description="owner and name, such as me/shop",
    ),
]


class _Watched(ToolSettings):
    """What all of them have.

    `tags` is a regular expression that a whole tag has to fit; if it has a group in brackets, what
    that fits is the version: `v(.+)` makes 1.4.2 of v1.4.2.
    """

    name: Annotated[str, Field(min_length=1, max_length=60)]
    service: Annotated[str, Field(min_length=1, max_length=60)] | None = None  # default: the name
    tags: Annotated[str, Field(min_length=1, max_length=200)] | None = None

    @property
    def default_service(self) -> str:
        """The service whose releases these are."""
        return self.service or self.name

    def version_of(self, tag: str) -> str | None:
        """The version that a tag stands for; None for one that does not fit."""
        if self.tags is None:
            return tag
        found = re.fullmatch(self.tags, tag)
        if found is None:
            return None
        return found[1] if found.re.groups else tag

    @field_validator("tags")
    @classmethod
    def _can_be_read(cls, tags: str | None) -> str | None:
        try:
            if tags is not None and re.compile(tags).groups > 1:
                raise ValueError("should have one group in brackets at most; (?:…) is none")
        except re.error as exc:
            raise ValueError(f"is no regular expression: {exc.msg}") from None
        return tags


class _Polled(_Watched):
    """What is looked at from time to time."""

    every: Annotated[Span, Field(ge=timedelta(minutes=1), le=timedelta(days=7))] = timedelta(
        minutes=15
    )
    timeout_seconds: Annotated[float, Field(gt=0, le=30)] = 15


class GithubWatch(_Polled):
    """Releases by GitHub's API, which Gitea and Forgejo speak, too.

    `base_url` is the address of the API: by default GitHub's own, of Gitea and Forgejo with
    `/api/v1` at its end.
    """

    kind: Literal["github"]
    repository: _Repository
    base_url: HttpUrl = HttpUrl("https://api.github.com")
    token: SecretStr | None = None
    prereleases: bool = False

    @property
    def targets(self) -> tuple[Target, ...]:
        """What is asked."""
        return (Target.of_url(str(self.base_url)),)


class AtomWatch(_Polled):
    """An Atom feed. `tags` is for what stands in the titles or at the end of the links."""

    kind: Literal["atom"]
    url: HttpUrl

    @property
    def targets(self) -> tuple[Target, ...]:
        """What is asked."""
        return (Target.of_url(str(self.url)),)


class ImageWatch(_Polled):
    """The tags of an image in a registry. `digest` has that of a new one told, too.

    Without `tags` only those like 1.4.2 and v1.4.2 count. `registry` is the address of its API,
    where that is not the image's host by https.
    """

    kind: Literal["image"]
    image: Annotated[str, Field(pattern=IMAGE, description="such as ghcr.io/me/shop or redis")]
    registry: HttpUrl | None = None
    username: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    password: SecretStr | None = None
    digest: bool = False

    @property
    def api(self) -> str:
        """The registry's address, without a slash at its end."""
        if self.registry is not None:
            return str(self.registry).rstrip("/")
        host, _ = self._parts
        return _DOCKER_HUB_API if host == _DOCKER_HUB else f"https://{host}"

    @property
    def path(self) -> str:
        """The image's name inside the registry."""
        host, path = self._parts
        return f"library/{path}" if host == _DOCKER_HUB and "/" not in path else path

    @property
    def targets(self) -> tuple[Target, ...]:
        """What is asked."""
        return (Target.of_url(self.api),)

    def version_of(self, tag: str) -> str | None:
        """The version that a tag stands for; None for one that does not fit."""
        if self.tags is None and not re.fullmatch(_WHOLE_VERSIONS, tag):
            return None
        return super().version_of(tag)

    @property
    def _parts(self) -> tuple[str, str]:
        host, slash, path = self.image.partition("/")
        if slash and ("." in host or ":" in host or host == "localhost"):
            return host, path
        return _DOCKER_HUB, self.image

    @model_validator(mode="after")
    def _login_is_whole(self) -> Self:
        if (self.username is None) != (self.password is None):
            raise ValueError("should have both a username and a password, or none of them")
        return self

    @field_validator("image")
    @classmethod
    def _has_no_tag(cls, image: str) -> str:
        if repository_of(image) != image or not re.fullmatch(r"[A-Za-z0-9.:-]+(/.+)?", image):
            raise ValueError("should be an image without its tag, such as ghcr.io/me/shop")
        return image


class HookWatch(_Watched):
    """Releases that only hooks tell of; `repository` is for the hook of GitHub."""

    kind: Literal["hook"]
    repository: _Repository | None = None
    prereleases: bool = False


Polled: TypeAlias = GithubWatch | AtomWatch | ImageWatch
Watch: TypeAlias = Annotated[Polled | HookWatch, Field(discriminator="kind")]


class HookSecret(ToolSettings):
    """What its requests are signed with; while it is changed, also by the one before."""

    secret: Annotated[SecretStr, Field(min_length=16)]
    previous_secret: Annotated[SecretStr, Field(min_length=16)] | None = None

    @property
    def accepted(self) -> tuple[bytes, ...]:
        """All that may have signed a request."""
        both = (self.secret, self.previous_secret)
        return tuple(each.get_secret_value().encode() for each in both if each is not None)


class Hooks(ToolSettings):
    """Who may tell of releases by HTTP; a hook without a secret is as if it were not there."""

    github: HookSecret | None = None
    updates: HookSecret | None = None
