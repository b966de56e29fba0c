"""Small images, made by hand as far as anybody looks at them."""

import struct
import zlib


def png(width: int, height: int) -> bytes:
    """A whole black PNG; of sizes that would be absurd only its head."""
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = b"" if width * height > 1_000_000 else bytes(height * (width + 1))
    body = _chunk(b"IHDR", head) + _chunk(b"IDAT", zlib.compress(pixels)) + _chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def gif(width: int, height: int) -> bytes:
    """The head of a GIF."""
    return b"GIF89a" + struct.pack("<HH", width, height) + b"\x80\x00\x00" + bytes(6) + b"\x3b"


def jpeg(width: int, height: int, *, frame: int = 0xC0) -> bytes:
    """The segments of a JPEG up to its first frame, whose marker is `frame`."""
    start = b"\xff\xd8\xff\xe0" + struct.pack(">H", 16) + b"JFIF\x00" + bytes(9)
    tables = b"\xff\xdb" + struct.pack(">H", 67) + bytes(65)
    size = bytes([0xFF, frame]) + struct.pack(">HBHH", 17, 8, height, width) + bytes(10)
    return start + tables + size + b"\xff\xd9"


def webp_lossy(width: int, height: int) -> bytes:
    """The head of a simple WebP."""
    return _riff(
        b"VP8 " + bytes(4) + bytes(3) + b"\x9d\x01\x2a" + struct.pack("<HH", width, height)
    )


def webp_lossless(width: int, height: int) -> bytes:
    """The head of a lossless WebP."""
    bits = (width - 1) | (height - 1) << 14
    return _riff(b"VP8L" + bytes(4) + b"\x2f" + struct.pack("<I", bits))


def webp_extended(width: int, height: int) -> bytes:
    """The head of a WebP with more in it than an image."""
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return _riff(b"VP8X" + struct.pack("<I", 10) + bytes(4) + size)


def _riff(body: bytes) -> bytes:
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
