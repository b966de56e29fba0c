"""Reads from a certificate what people want to know of it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Final

from lycatra_appservice.tools.services._certificates.der import Element, only

_VERSION, _EXTENSIONS = 0xA0, 0xA3
_UTC_TIME = 0x17
_DNS_NAME, _IP_ADDRESS = 0x82, 0x87
_OCTETS = 0x04
_COMMON_NAME, _ORGANISATION = b"\x55\x04\x03", b"\x55\x04\x0a"
_ALTERNATIVE_NAMES = b"\x55\x1d\x11"
_ENCODINGS: Final[Mapping[int, str]] = {
    0x0C: "utf-8",
    0x13: "ascii",
    0x14: "latin-1",
    0x16: "ascii",
    0x1E: "utf-16-be",
}
_LONGEST_NAME = 80
_MOST_NAMES = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """What it says of itself, as text that is safe to show; nothing of it is verified.

    `names` are the hosts and addresses that it is for. `subject` and `issuer` are an organisation
    and a name, as far as there are such.
    """

    subject: str
    issuer: str
    names: Sequence[str]
    not_before: datetime
    not_after: datetime
    is_self_issued: bool

    def days_left(self, now: datetime) -> int:
        """Whole days until it expires; below 0 when it has."""
        return (self.not_after - now).days


def read_certificate(data: bytes) -> Certificate:
    """Read DER; ValueError for what is no certificate."""
    try:
        whole = next(only(data).inner())
        fields = [each for each in whole.inner() if each.tag != _VERSION]
        _serial, _algorithm, issuer, validity, subject, _key, *rest = fields
        not_before, not_after = map(_moment, validity.inner())
        names = [name for each in rest if each.tag == _EXTENSIONS for name in _names(each)]
    except StopIteration:
        raise ValueError("no certificate") from None
    return Certificate(
        subject=_who(subject),
        issuer=_who(issuer),
        names=list(dict.fromkeys(names)),
        not_before=not_before,
        not_after=not_after,
        is_self_issued=issuer == subject,
    )


def _moment(element: Element) -> datetime:
    text = element.content.decode("ascii")
    if element.tag == _UTC_TIME:  # two digits of the year, which mean 1950 to 2049
        text = f"{'19' if text[:2] >= '50' else '20'}{text}"
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)


def _who(name: Element) -> str:
    found: dict[bytes, str] = {}
    for group in name.inner():
        for each in group.inner():
            kind, value = each.inner()
            found.setdefault(kind.content, _text(value))
    said = [found[each] for each in (_ORGANISATION, _COMMON_NAME) if found.get(each)]
    return ", ".join(dict.fromkeys(said)) or "no name"


def _text(element: Element) -> str:
    """Of whatever is written there, what can be shown: no line breaks, no marks of Markdown."""
    text = element.content.decode(_ENCODINGS.get(element.tag, "ascii"), errors="replace")
    plain = "".join(each if each.isprintable() and each not in "`|<>" else "?" for each in text)
    return plain[:_LONGEST_NAME]


def _names(extensions: Element) -> Iterator[str]:
    for each in only(extensions.content).inner():
        kind, *_, value = each.inner()
        if kind.content == _ALTERNATIVE_NAMES and value.tag == _OCTETS:
            for count, name in enumerate(only(value.content).inner()):
                if count < _MOST_NAMES:
                    yield from _name(name)


def _name(name: Element) -> Iterator[str]:
    if name.tag == _DNS_NAME:
        yield _text(name).lower()
    elif name.tag == _IP_ADDRESS and len(name.content) in (4, 16):
        yield str(ip_address(name.content))
