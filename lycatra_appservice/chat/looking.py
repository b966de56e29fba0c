"""Looks at what people attach: text files become text, pictures go to models that take them."""

import asyncio
import base64
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from lycatra_appservice.agent.messages import Attached, AttachedKind
from lycatra_appservice.chat.text_files import MAX_BYTES, MAX_CHARS, may_be_text, text_in
from lycatra_appservice.errors import LycatraError
from lycatra_appservice.matrix.client import MatrixClient
from lycatra_appservice.matrix.errors import TooManyBytesError
from lycatra_appservice.matrix.images import read_picture
from lycatra_appservice.matrix.seals import FileSeals
from lycatra_appservice.matrix.sent_media import SentMedia
from lycatra_appservice.model import JSON, EventID, UserID

logger = logging.getLogger(__name__)

MAX_PICTURES: Final = 3  # of one question
_MAX_PICTURE_BYTES: Final = 5 * 1024 * 1024  # what model servers take; base64 adds a third
_MAX_PIXELS: Final = 20_000_000
_CUT: Final = "\n… cut off here, {} more characters …"


class Reason(StrEnum):
    """Why something that a person attached is not looked at, or not all of it."""

    VIDEO = "video"
    AUDIO = "audio"
    LOCATION = "location"
    KIND = "kind"  # neither text nor a picture
    ENCRYPTED = "encrypted"
    TOO_LARGE = "too_large"
    NO_MODEL = "no_model"  # no model here looks at pictures
    GONE = "gone"  # the homeserver does not give it
    CUT = "cut"  # only the beginning was read


_NEVER: Final = {
    "m.video": Reason.VIDEO,
    "m.audio": Reason.AUDIO,
    "m.location": Reason.LOCATION,
}


@dataclass(frozen=True, slots=True)
class Unseen:
    """Something that was not looked at, by name, and why."""

    reason: Reason
    name: str


@dataclass(frozen=True, slots=True)
class Looked:
    """What a model is given of it, and what the person is told."""

    attached: Attached
    unseen: Unseen | None = None


class _NotSeenError(LycatraError):
    """It cannot be looked at."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason


class Looking:
    """Downloads as one of us. Nothing of it is kept here."""

    def __init__(self, client: MatrixClient, files: FileSeals | None = None) -> None:
        """`files` opens what is encrypted, where that can be done."""
        self._client = client
        self._files = files

    async def at(
        self, media: SentMedia, event_id: EventID, at_ms: int, *, as_user: UserID, pictures: bool
    ) -> Looked:
        """Read a text file; of a picture only make sure that it can be looked at later.

        `pictures`: there is a model that looks at them. What cannot be looked at has no `mxc`.
        """
        attached = Attached(
            kind=AttachedKind.FILE, name=media.name, event_id=event_id, at_ms=at_ms
        )
        try:
            kind = kind_of(media, opens=self._files is not None)
            if kind is AttachedKind.IMAGE:
                attached = replace(attached, kind=kind)
                _check_picture(media, pictures=pictures)
                return Looked(replace(attached, mxc=media.mxc, key=media.key))
            text = await self._text(media, as_user)
        except _NotSeenError as error:
            return Looked(attached, Unseen(error.reason, media.name))
        cut = Unseen(Reason.CUT, media.name) if len(text) > MAX_CHARS else None
        return Looked(replace(attached, text=_bounded(text), mxc=media.mxc, key=media.key), cut)

    async def at_pictures(
        self, attached: Sequence[Attached], *, as_user: UserID
    ) -> tuple[Sequence[Attached], Sequence[Unseen]]:
        """The same with the pictures in it, the latest of too many; and which cannot be had."""
        wanted = [each for each in attached if each.kind is AttachedKind.IMAGE and each.mxc]
        wanted = wanted[-MAX_PICTURES:]
        found = await asyncio.gather(*(self._picture(each, as_user) for each in wanted))
        looked = {id(each): picture for each, picture in zip(wanted, found, strict=True)}
        shown = [looked[id(each)].attached if id(each) in looked else each for each in attached]
        return shown, [each.unseen for each in found if each.unseen is not None]

    async def _picture(self, attached: Attached, as_user: UserID) -> Looked:
        try:
            data = await self._load(attached.mxc, attached.key, _MAX_PICTURE_BYTES, as_user)
            url = _data_url(data)
        except _NotSeenError as error:
            return Looked(attached, Unseen(error.reason, attached.name))
        return Looked(replace(attached, image=url))

    async def _text(self, media: SentMedia, as_user: UserID) -> str:
        _check(media, MAX_BYTES)
        text = text_in(await self._load(media.mxc, media.key, MAX_BYTES, as_user))
        if text is None:
            raise _NotSeenError(Reason.KIND)
        return text or "(an empty file)"

    async def _load(
        self, mxc: str | None, key: Mapping[str, JSON] | None, max_bytes: int, as_user: UserID
    ) -> bytes:
        if mxc is None:
            raise _NotSeenError(Reason.GONE)
        try:
            data = await self._client.download(mxc, max_bytes=max_bytes, as_user=as_user)
            return data if key is None else self._opened(data, key)
        except TooManyBytesError as error:
            raise _NotSeenError(Reason.TOO_LARGE) from error
        except LycatraError as error:
            logger.warning("media_not_loaded", extra={"mxc": mxc, "error": repr(error)})
            raise _NotSeenError(Reason.GONE) from error

    def _opened(self, data: bytes, key: Mapping[str, JSON]) -> bytes:
        if self._files is None:
            raise _NotSeenError(Reason.ENCRYPTED)
        try:
            return self._files.open(data, key)
        except ValueError as error:
            raise _NotSeenError(Reason.GONE) from error


def kind_of(media: SentMedia, *, opens: bool = False) -> AttachedKind:
    """What it would be to a model. Raises LycatraError for what no model takes."""
    if media.msgtype in _NEVER:
        raise _NotSeenError(_NEVER[media.msgtype])
    if media.key is not None and not opens:
        raise _NotSeenError(Reason.ENCRYPTED)
    is_picture = media.msgtype == "m.image" or media.mimetype.startswith("image/")
    if is_picture and media.mimetype != "image/svg+xml":
        return AttachedKind.IMAGE
    if not may_be_text(media.name, media.mimetype):
        raise _NotSeenError(Reason.KIND)
    return AttachedKind.FILE


def _check(media: SentMedia, max_bytes: int) -> None:
    if media.mxc is None:
        raise _NotSeenError(Reason.GONE)
    if media.size is not None and media.size > max_bytes:
        raise _NotSeenError(Reason.TOO_LARGE)


def _check_picture(media: SentMedia, *, pictures: bool) -> None:
    if not pictures:
        raise _NotSeenError(Reason.NO_MODEL)
    _check(media, _MAX_PICTURE_BYTES)


def _data_url(data: bytes) -> str:
    picture = read_picture(data)
    if picture is None:
        raise _NotSeenError(Reason.KIND)
    if picture.width * picture.height > _MAX_PIXELS:
        raise _NotSeenError(Reason.TOO_LARGE)
    return f"data:{picture.content_type};base64,{base64.b64encode(data).decode()}"


def _bounded(text: str) -> str:
    if len(text) <= MAX_CHARS:
        return text
    return text[:MAX_CHARS] + _CUT.format(len(text) - MAX_CHARS)
