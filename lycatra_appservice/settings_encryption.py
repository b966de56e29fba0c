"""The `encryption` section: whether encrypted rooms are read, and by which secret."""

from typing import Annotated, Literal, Self, TypeAlias

from pydantic import AfterValidator, Field, SecretStr, model_validator

from lycatra_appservice.settings_section import Section

_SECRET_CHARS = 32


def _long_enough(secret: SecretStr) -> SecretStr:
    if len(secret.get_secret_value()) < _SECRET_CHARS:
        raise ValueError(f"should have at least {_SECRET_CHARS} characters")
    return secret


KeySecret: TypeAlias = Annotated[SecretStr, AfterValidator(_long_enough)]


class Encryption(Section):
    """End-to-end encryption."""

    mode: Literal["off", "allow", "default"] = Field(
        "off", description="allow: rooms of others are read; default: new rooms are encrypted, too"
    )
    secret: KeySecret | None = Field(
        None, description="of at least 32 characters; better by secret_file or the environment"
    )
    keys: Literal["push", "sync"] = Field(
        "push", description="push: the homeserver brings keys; sync: they are asked for"
    )

    @model_validator(mode="before")
    @classmethod
    def _mode_alone(cls, raw: object) -> object:
        return {"mode": raw} if isinstance(raw, str) else raw

    @model_validator(mode="after")
    def _secret_is_needed(self) -> Self:
        if self.mode != "off" and self.secret is None:
            raise ValueError(
                "should have a secret: run `openssl rand -hex 32 > secrets/encryption-secret`, "
                "name that file as secret_file, and keep it as long as the bot lives"
            )
        return self

    @property
    def decrypts(self) -> bool:
        """Whether encrypted rooms are read and answered."""
        return self.mode != "off"
