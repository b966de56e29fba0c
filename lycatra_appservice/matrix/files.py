"""A file as the content of Matrix events: how it is uploaded, and the message that shows it."""

import re
import unicodedata
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Final

from lycatra_appservice.matrix.defuse import clean, defuse, defuse_start
from lycatra_appservice.matrix.images import read_picture
from lycatra_appservice.matrix.relation import relation
from lycatra_appservice.matrix.render import MARKER
from lycatra_appservice.model import JSON, Address, File

# Stands in a file's message until it goes out: the sentence to say if the upload was refused.
INSTEAD: Final = "org.lycatra.instead"

_MOST_NAME: Final = 80  # characters; with four bytes each still below what file systems allow
_MOST_DESCRIPTION: Final = 1000
_ANY_TYPE: Final = "application/octet-stream"
_TYPE: Final = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,60}/[a-z0-9][a-z0-9!#$&^_.+-]{0,60}")
# What some systems refuse in a name, and what names somebody in Matrix.
_NOT_IN_NAMES: Final = re.compile(r'[<>:"|?*@`\ufffd]')


def upload_content(file: File) -> dict[str, JSON]:
    """The content of the row that uploads it."""
    return {"content_type": _content_type(file), "filename": safe_name(file.name)}


def render_file(
    file: File, address: Address, marker: Mapping[str, JSON], instead: str
) -> dict[str, JSON]:
    """An `m.room.message` content without its `url`, which is known after the upload.

    `marker` is whole, with `part` and `of`. `instead` is said when there is no upload.
    """
    name = safe_name(file.name)
    content: dict[str, JSON] = {
        "msgtype": "m.image" if read_picture(file.data) else "m.file",
        "body": _caption(file.description) or name,
        "filename": name,
        "info": _info(file),
        "m.mentions": {},
        MARKER: {**marker},
        INSTEAD: instead,
    }
    related = relation(address, marker["part"])
    return {**content, "m.relates_to": related} if related else content


def safe_name(name: str) -> str:
    """A name that stays in its folder on every system and looks like what it is. Never empty."""
    last = re.split(r"[/\\]", clean(name))[-1]
    shown = "".join(each for each in last if unicodedata.category(each) not in {"Cc", "Cf", "Cs"})
    plain = " ".join(_NOT_IN_NAMES.sub("_", shown).split()).strip("!. ")
    path = PurePosixPath(plain or "file")
    suffix = path.suffix[: _MOST_NAME // 4]
    return f"{path.stem[: _MOST_NAME - len(suffix)]}{suffix}"


def _content_type(file: File) -> str:
    picture = read_picture(file.data)
    if picture is not None:
        return picture.content_type
    declared = file.content_type.partition(";")[0].strip().lower()
    return declared if _TYPE.fullmatch(declared) else _ANY_TYPE


def _info(file: File) -> dict[str, JSON]:
    info: dict[str, JSON] = {"mimetype": _content_type(file), "size": len(file.data)}
    picture = read_picture(file.data)
    return {**info, "w": picture.width, "h": picture.height} if picture else info


def _caption(description: str) -> str:
    text = " ".join(clean(description).split())
    if len(text) > _MOST_DESCRIPTION:
        text = f"{text[: _MOST_DESCRIPTION - 1]}…"
    return defuse_start(defuse(text, ()))
