"""The secret values in the settings of tools: by their type, and the passwords of addresses."""

from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence, Set
from urllib.parse import unquote, urlsplit

from pydantic import AnyUrl, BaseModel, SecretBytes, SecretStr


def secrets_in(value: object) -> Iterator[str]:
    """Every secret at any depth, in each form in which a tool may send it."""
    match value:
        case SecretStr():
            yield from _in_header(value.get_secret_value())
        case SecretBytes():
            yield value.get_secret_value().decode("utf-8", "replace")
        case str() | AnyUrl():
            yield from _in_address(str(value))
        case _:
            for below in _below(value):
                yield from secrets_in(below)


def _below(value: object) -> Sequence[object]:
    match value:
        case BaseModel():
            return [getattr(value, name) for name in type(value).model_fields]
        case Mapping():
            return list(value.values())
        case list() | tuple() | Set():
            return list(value)
        case _:
            return ()


def _in_header(secret: str) -> Iterator[str]:
    """Whole, and what stands behind a scheme such as `Bearer`: a server may repeat that alone."""
    yield secret
    _, space, credentials = secret.partition(" ")
    if space and " " not in credentials:
        yield credentials


def _in_address(text: str) -> Iterator[str]:
    if "://" not in text:
        return
    try:
        userinfo = urlsplit(text).netloc.rpartition("@")[0]
    except ValueError:
        return  # none that could be opened
    user, _, password = userinfo.partition(":")
    if password:
        yield password
        yield unquote(password)
        yield b64encode(f"{unquote(user)}:{unquote(password)}".encode()).decode()  # in a header
