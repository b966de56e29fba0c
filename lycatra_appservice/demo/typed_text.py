"""What a Matrix client makes of a line that a person typed: mentions become pills."""

import re
from collections.abc import Mapping
from html import escape
from urllib.parse import quote

from lycatra_appservice.model import JSON, UserID

# `@name` or `@name:server` at the start of a word; a full stop behind it ends the sentence.
_MENTION = re.compile(
    r"(?<![\w@/])@([a-z0-9._=+/-]*[a-z0-9_=+/-])(:[\w.:\[\]-]*\w)?", re.IGNORECASE
)


def message_content(text: str, members: Mapping[UserID, str]) -> dict[str, JSON]:
    """The content of `m.room.message` for this text in a room of these members (id → name).

    As Element writes it: the mentioned member's name in the body, a link in the formatted body,
    and `m.mentions` always there, empty if nobody is mentioned.
    """
    mentioned: list[UserID] = []
    plain: list[str] = []
    html: list[str] = []
    end = 0
    for match in _MENTION.finditer(text):
        user_id = _member(match[1], match[2], members)
        if user_id is None:
            continue
        before = text[end : match.start()]
        plain += (before, members[user_id])
        html += (_html(before), _pill(user_id, members[user_id]))
        mentioned.append(user_id)
        end = match.end()
    content: dict[str, JSON] = {"msgtype": "m.text", "body": "".join((*plain, text[end:]))}
    if not mentioned:
        return {**content, "m.mentions": {}}
    content["format"] = "org.matrix.custom.html"
    content["formatted_body"] = "".join((*html, _html(text[end:])))
    content["m.mentions"] = {"user_ids": list(dict.fromkeys(mentioned))}
    return content


def _member(localpart: str, server: str | None, members: Mapping[UserID, str]) -> UserID | None:
    wanted = f"@{localpart}{server or ''}".lower()
    for user_id in members:
        known = user_id.lower() if server else user_id.split(":", 1)[0].lower()
        if known == wanted:
            return user_id
    return None


def _pill(user_id: UserID, name: str) -> str:
    return f'<a href="https://matrix.to/#/{quote(user_id, safe="@:")}">{escape(name)}</a>'


def _html(text: str) -> str:
    return escape(text, quote=False).replace("\n", "<br>")
