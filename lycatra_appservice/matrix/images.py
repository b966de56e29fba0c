"""Reads from the first bytes of an image what kind it is and how large, without decoding it."""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

Size: TypeAlias = tuple[int, int]

_MOST_PIXELS: Final = 32_000_000  # where Synapse stops making previews; clients would suffer
_MOST_SEGMENTS: Final = 10_000  # with filling bytes; megabytes of those would hold up everybody
_VP8_START: Final = b"\x9d\x01\x2a"
_VP8L_START: Final = b"\x2f"
_NO_SEGMENT_LENGTH: Final = frozenset({0x01, *range(0xD0, 0xD9)})
_FRAME_STARTS: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


@dataclass(frozen=True, slots=True)
class Picture:
    """An image that every client shows."""

    content_type: str
    width: int  # pixels, as stored: a camera's note to turn it is not read
    height: int


def read_picture(data: bytes) -> Picture | None:
    """What the bytes are, whatever they are called; None unless a PNG, JPEG, GIF or WebP."""
    for content_type, size_of in _KINDS:
        try:
            size = size_of(data)
        except (struct.error, IndexError):
            return None  # ends too early
        if size is not None:
            width, height = size
            is_sane = min(width, height) > 0 and width * height <= _MOST_PIXELS
            return Picture(content_type, width, height) if is_sane else None
    return None


def _png(data: bytes) -> Size | None:
    if not data.startswith(b"\x89PNG\r\n\x1a\n") or data[12:16] != b"IHDR":
        return None
    width, height = struct.unpack_from(">II", data, 16)
    return width, height


def _gif(data: bytes) -> Size | None:
    if not data.startswith((b"GIF87a", b"GIF89a")):
        return None
    width, height = struct.unpack_from("<HH", data, 6)
    return width, height


def _jpeg(data: bytes) -> Size | None:
    """The size stands in the first frame, after segments of which each tells its length."""
    if not data.startswith(b"\xff\xd8\xff"):
        return None
    at = 2
    for _ in range(_MOST_SEGMENTS):
        if data[at] != 0xFF:
            break
        marker = data[at + 1]
        if marker in _FRAME_STARTS:
            height, width = struct.unpack_from(">HH", data, at + 5)
            return width, height
        if marker == 0xFF:
            at += 1  # a filling byte
        elif marker in _NO_SEGMENT_LENGTH:
            at += 2
        else:
            (length,) = struct.unpack_from(">H", data, at + 2)
            at += 2 + length
    return 0, 0


def _webp(data: bytes) -> Size | None:
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP":
        return None
    match data[12:16]:
        case b"VP8 " if data[23:26] == _VP8_START:
            width, height = struct.unpack_from("<HH", data, 26)
            return width & 0x3FFF, height & 0x3FFF
        case b"VP8L" if data[20:21] == _VP8L_START:
            (bits,) = struct.unpack_from("<I", data, 21)
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8X" if len(data) >= 30:
            return (
                int.from_bytes(data[24:27], "little") + 1,
                int.from_bytes(data[27:30], "little") + 1,
            )
        case _:
            return 0, 0


_KINDS: Final[Sequence[tuple[str, Callable[[bytes], Size | None]]]] = (
    ("image/png", _png),
    ("image/jpeg", _jpeg),
    ("image/gif", _gif),
    ("image/webp", _webp),
)
