"""What a message says of the picture or file that it brings; anybody may have written it. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from lycatra_appservice.matrix.events import MEDIA, mapping, text
from lycatra_appservice.matrix.files import safe_name
from lycatra_appservice.model import JSON

_MXC: Final = re.compile(r"mxc://[A-Za-z0-9.:\[\]-]{1,255}/[A-Za-z0-9_-]{1,255}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SentMedia:
    """A picture, file, sound, video or place; all but `mxc` is only what the sender says.

    Without `mxc` there is nothing to look at. `key` opens what is encrypted: an `EncryptedFile` of
    the specification.
    """

    msgtype: str
    name: str
    mimetype: str
    size: int | None
    mxc: str | None
    key: Mapping[str, JSON] | None


def media_in(content: Mapping[str, JSON]) -> SentMedia | None:
    """What a message's content brings; None for words alone."""
    msgtype = text(content.get("msgtype"))
    if msgtype not in MEDIA:
        return None
    info = mapping(content.get("info"))
    key = mapping(content.get("file"))
    url, size = key.get("url") or content.get("url"), info.get("size")
    return SentMedia(
        msgtype=msgtype,
        name=safe_name(text(content.get("filename")) or text(content.get("body"))),
        mimetype=text(info.get("mimetype")).partition(";")[0].strip().lower()[:100],
        size=size if isinstance(size, int) and not isinstance(size, bool) else None,
        mxc=url if isinstance(url, str) and _MXC.fullmatch(url) else None,
        key=key or None,
    )
