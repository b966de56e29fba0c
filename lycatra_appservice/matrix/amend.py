"""Changes to a message that its homeserver refused as it was: pure, each helps once."""

from collections.abc import Mapping
from html import escape
from typing import Final

from lycatra_appservice.matrix.files import INSTEAD
from lycatra_appservice.matrix.render import MARKER, encoded_size
from lycatra_appservice.model import JSON
from lycatra_appservice.words.catalogue import ENGLISH, load_catalogue
from lycatra_appservice.words.text import Text

_SHORT_BODY_BYTES: Final = 8_000
_SHORT_CONTENT_BYTES: Final = 20_000  # what is no larger than this was shortened already
_OF_THE_FILE: Final = frozenset({"filename", "info", "url", INSTEAD})


def spoken_for(content: Mapping[str, JSON], display_name: str) -> dict[str, JSON]:
    """What another user says instead of the one called `display_name`, with that name in front.

    An edit becomes a message: nobody can edit what somebody else wrote.
    """
    said = as_message(content)
    body = str(said.get("body", ""))
    said["body"] = f"{display_name}:{chr(10) if chr(10) in body else ' '}{body}"
    if isinstance(said.get("formatted_body"), str):
        name = f"<p><strong>{escape(display_name)}:</strong></p>\n"
        said["formatted_body"] = name + said["formatted_body"]
    return said


def as_message(content: Mapping[str, JSON]) -> dict[str, JSON]:
    """The message that an edit wanted to leave behind; a message as it is."""
    new = content.get("m.new_content")
    return dict(new) if isinstance(new, Mapping) else dict(content)


def without_relation(content: Mapping[str, JSON]) -> dict[str, JSON]:
    """The same in the room's timeline, belonging to nothing."""
    return {key: value for key, value in as_message(content).items() if key != "m.relates_to"}


def said_instead(content: Mapping[str, JSON]) -> dict[str, JSON] | None:
    """The line in the place of a file that could not be uploaded; None when nobody wrote one."""
    line = content.get(INSTEAD)
    if not isinstance(line, str):
        return None
    kept = {key: value for key, value in content.items() if key not in _OF_THE_FILE}
    return {**kept, "msgtype": "m.notice", "body": line}


def shortened(content: Mapping[str, JSON]) -> dict[str, JSON] | None:
    """The beginning as plain text, saying so; None when it is short already."""
    if encoded_size(content) <= _SHORT_CONTENT_BYTES:
        return None
    short = _short(content)
    if isinstance(content.get("m.new_content"), Mapping):
        short["m.new_content"] = _short(content["m.new_content"])
    return short


def is_draft(content: Mapping[str, JSON]) -> bool:
    """Whether this is a text that a later one will replace."""
    marker = content.get(MARKER)
    return isinstance(marker, Mapping) and marker.get("kind") == "draft"


def _short(content: Mapping[str, JSON]) -> dict[str, JSON]:
    left_out = {"format", "formatted_body", "m.new_content"}
    kept = {key: value for key, value in content.items() if key not in left_out}
    begin = str(content.get("body", "")).encode()[:_SHORT_BODY_BYTES].decode(errors="ignore")
    # Nobody here knows who asked, and in which language; the answer itself does.
    catalogue = load_catalogue()
    language = catalogue.recognise(begin) or ENGLISH
    return {**kept, "body": catalogue.say(Text("shortened", beginning=begin), language)}
