"""The texts about approvals by name, each with what is filled in."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime

from lycatra_appservice.actors import ActorKind, read_actor
from lycatra_appservice.model import JSON, EventID, Level, RoomID, UserID
from lycatra_appservice.toolkit.approvals import Rule
from lycatra_appservice.words.text import Said, Text


def card(
    title: str,
    target: str | None,
    requester: UserID,
    arguments: Mapping[str, JSON],
    steps: Sequence[str],
    state: Said,
) -> Text:
    """The whole card; `state` is its last paragraph."""
    lines: list[Said] = [
        *(Text("item", said=step) for step in steps),
        *(Text("card_argument", name=name, value=_code(arguments[name])) for name in arguments),
        Text("card_asked_by", person=requester),
    ]
    head = title if target is None else Text("card_head", title=title, target=_code(target))
    return Text("card", head=head, lines=lines, state=state)


def is_open(who: Said, until: str, code: str) -> Text:
    """The last paragraph of a card that can be voted on."""
    return Text("card_open", who=who, until=until, code=code)


def superseded(room_id: RoomID, newer: EventID) -> Text:
    """The last paragraph of a card that a newer one replaces."""
    return Text("card_superseded", newer=f"https://matrix.to/#/{room_id}/{newer}")


def below_news(news: Said, said: Said) -> Text:
    """What could be done about news, below them."""
    return Text("below_news", news=news, said=said)


def approvers(rule: Rule, requester: UserID) -> Said:
    """Who may approve, as in "waiting for …"."""
    who = _named(rule) if rule.people else _by_level(rule)
    if rule.not_requester:
        return Text("approvers_not_requester", who=who, person=requester)
    return who


def _by_level(rule: Rule) -> Text:
    level = Level(rule.level).name.lower()
    if rule.quorum > 1:
        return Text(f"several_approvers_{level}", n=rule.quorum)
    return Text(f"approvers_{level}")


def _named(rule: Rule) -> Text:
    if rule.quorum > 1:
        return Text("approvers_of_people", n=rule.quorum, people=_one_of(rule.people))
    return Text("approvers_people", people=_one_of(rule.people))


def people(user_ids: Sequence[UserID]) -> str:
    """Several people by name."""
    return _people(user_ids)


def _people(names: Sequence[str]) -> str:
    return ", ".join(f"`{_code(name)}`" for name in names)


def _one_of(names: Sequence[str]) -> Said:
    said = _named_by(names[-1])
    for name in reversed(names[:-1]):
        said = Text("or", first=_named_by(name), second=said)
    return said


def _named_by(written: str) -> Said:
    """An entry of a rule as people say it."""
    actor = read_actor(written)
    match actor.kind:
        case ActorKind.ROOM:
            return Text("member_of_room", room=f"https://matrix.to/#/{actor.room}")
        case ActorKind.POWER | ActorKind.POWER_IN_ROOM:
            return Text("somebody_with_power", power=actor.power)
        case ActorKind.SERVER:
            return Text("somebody_of_server", server=_code(actor.name))
        case ActorKind.EVERYBODY:
            return Text("anybody_here")
        case _:
            return f"`{_code(written)}`"


def moment(at: datetime, now: datetime) -> str:
    """A time for people; both in the configured zone. The day only where it is another one."""
    clock = at.strftime("%H:%M" if at.date() == now.date() else "%Y-%m-%d %H:%M")
    return f"{clock} ({at.tzinfo})"


def asked_elsewhere(room_id: RoomID) -> Text:
    """For who asked, when the card is in another room."""
    return Text("asked_elsewhere", room=f"https://matrix.to/#/{room_id}")


def frozen(until: str) -> Text:
    """For a request while nothing may be changed."""
    return Text("change_frozen", until=until)


def nobody_can(tool: str, who: Said, who_could: Said, *, here: bool) -> Text:
    """For a request that nobody present can approve."""
    if here:
        return Text("nobody_can_approve", tool=tool, who=who, who_could=who_could)
    return Text("nobody_can_approve_there", tool=tool, who=who, who_could=who_could)


def no_room() -> Text:
    """For a request whose card belongs into a room that we are not in."""
    return Text("no_approvals_room")


def interrupted(look: str | None) -> Text:
    """For a change that had begun when a process ended."""
    if look is None:
        return Text("outcome_unknown")
    return Text("outcome_unknown_look", look=look)


def look_with(said: Said, look: str) -> Text:
    """For what a change has done."""
    return Text("look_with", said=said, look=look)


def may_not(voter: UserID, who: Said) -> Text:
    """For a vote that does not count."""
    return Text("may_not_approve", person=voter, who=who)


def vote_frozen(until: str) -> Text:
    """For an approval while nothing may be changed."""
    return Text("vote_frozen", until=until)


def counted(n: int, of: int) -> Text:
    """After `!approve`, when more people have to."""
    return Text("vote_counted", n=n, of=of)


def decided() -> Text:
    """After `!approve` or `!deny`, when that was enough."""
    return Text("vote_decided")


def too_late() -> Text:
    """After `!approve` or `!deny` for what is over."""
    return Text("vote_too_late")


def nothing_waits() -> Text:
    """After `!approve` where nothing waits."""
    return Text("nothing_to_approve")


def which_one(codes: Sequence[str]) -> Text:
    """After `!approve` where several wait."""
    return Text("which_approval", codes=_people(codes))


def unknown_code(code: str) -> Text:
    """After `!approve` with a code that there is not."""
    return Text("unknown_code", code=_code(code))


def _code(value: JSON) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    plain = " ".join(text.replace("`", "'").split())
    return "".join(sign if sign.isprintable() else _by_number(sign) for sign in plain)


def _by_number(sign: str) -> str:
    """What is not seen, or changes how the rest is read, as its number."""
    return sign.encode("unicode-escape").decode()
