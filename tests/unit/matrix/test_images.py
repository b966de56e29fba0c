"""What an image is by its own bytes."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lycatra_appservice.matrix.images import Picture, read_picture
from tests.support.pictures import gif, jpeg, png, webp_extended, webp_lossless, webp_lossy


@pytest.mark.parametrize(
    ("data", "content_type"),
    [
        (png(320, 80), "image/png"),
        (gif(320, 80), "image/gif"),
        (jpeg(320, 80), "image/jpeg"),
        (webp_lossy(320, 80), "image/webp"),
        (webp_lossless(320, 80), "image/webp"),
        (webp_extended(320, 80), "image/webp"),
    ],
    ids=["png", "gif", "jpeg", "webp lossy", "webp lossless", "webp extended"],
)
def test_an_image_tells_its_kind_and_size(data: bytes, content_type: str) -> None:
    assert read_picture(data) == Picture(content_type, 320, 80)
    for end in range(len(data)):  # cut off anywhere it is no image, or the same
        assert read_picture(data[:end]) in {None, Picture(content_type, 320, 80)}


def test_a_progressive_jpeg_with_a_preview_in_its_head_tells_its_own_size() -> None:
    inner = jpeg(16, 16)
    segment = b"\xff\xe1" + struct.pack(">H", len(inner) + 2) + inner
    outer = jpeg(320, 80, frame=0xC2)

    assert read_picture(outer[:2] + segment + b"\xff" + outer[2:]) == Picture(
        "image/jpeg", 320, 80
    )


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GIF",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"<html><img src=x></html>",
        png(0, 80),
        png(100_000, 100_000),
        b"\xff\xd8\xff\xd9",
        b"\xff\xd8" + b"\xff" * 20_000 + jpeg(320, 80)[2:],  # read byte by byte
        b"RIFF\x00\x00\x00\x00WAVEfmt ",
        b"RIFF\x00\x00\x00\x00WEBPVP9 " + bytes(20),
        b"%PDF-1.7",
    ],
)
def test_what_is_no_image_to_show_is_none(data: bytes) -> None:
    assert read_picture(data) is None


@given(
    st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"\xff\xd8\xff", b"RIFFxxxxWEBPVP8X"]),
    st.binary(max_size=60),
)
def test_any_bytes_are_read_without_failing(start: bytes, rest: bytes) -> None:
    picture = read_picture(start + rest)

    assert picture is None or min(picture.width, picture.height) > 0
