from lycatra_appservice.demo.typed_text import message_content
from lycatra_appservice.model import UserID

ROBOT = UserID("@lycatra:hs.test")
UPDATES = UserID("@lycatra_updates:hs.test")
MEMBERS = {ROBOT: "Lycatra", UPDATES: "Lycatra <updates>", UserID("@alice:hs.test"): "Alice"}


def test_a_typed_name_of_a_member_becomes_a_mention_with_a_pill() -> None:
    content = message_content("@lycatra_updates list updates", MEMBERS)

    assert content["m.mentions"] == {"user_ids": [UPDATES]}
    assert content["body"] == "Lycatra <updates> list updates"
    assert content["formatted_body"] == (
        '<a href="https://matrix.to/#/@lycatra_updates:hs.test">Lycatra &lt;updates&gt;</a>'
        " list updates"
    )


def test_a_full_id_and_a_name_before_a_colon_are_mentions_too() -> None:
    content = message_content("@lycatra: ask @lycatra_updates:hs.test.", MEMBERS)

    assert content["m.mentions"] == {"user_ids": [ROBOT, UPDATES]}
    assert content["body"] == "Lycatra: ask Lycatra <updates>."


def test_who_is_no_member_stays_plain_text() -> None:
    text = "mail bob@lycatra.example or ask @carol and @lycatra:elsewhere.test <now>"

    assert message_content(text, MEMBERS) == {
        "msgtype": "m.text",
        "body": text,
        "m.mentions": {},
    }


def test_somebody_named_twice_is_mentioned_once_and_other_text_cannot_be_markup() -> None:
    content = message_content("@lycatra <b>@lycatra</b>", MEMBERS)

    pill = '<a href="https://matrix.to/#/@lycatra:hs.test">Lycatra</a>'
    assert content["m.mentions"] == {"user_ids": [ROBOT]}
    assert content["formatted_body"] == f"{pill} &lt;b&gt;{pill}&lt;/b&gt;"
