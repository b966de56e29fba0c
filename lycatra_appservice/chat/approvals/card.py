"""The card as it stands at a moment, made of what was kept with its approval. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import assert_never

from lycatra_appservice.chat.approvals import wording
from lycatra_appservice.model import JSON, EventID, UserID
from lycatra_appservice.toolkit.approvals import NeedsApprovalError, Rule, rule_from_json
from lycatra_appservice.turns.approvals import (
    Approval,
    ApprovalState,
    CallOutcome,
    Withdrawal,
)
from lycatra_appservice.words.text import Said, Text, said_from_json, said_to_json


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a card shows, and how: kept with the approval, so that its end looks like it."""

    title: str
    target: str | None
    arguments: Mapping[str, JSON]
    steps: tuple[str, ...]
    look: str | None
    until: str
    language: str
    reply_to: EventID | None
    thread: EventID | None
    news: Said | None = None

    def to_json(self) -> dict[str, JSON]:
        """For the approval's row."""
        return {
            "title": self.title,
            "target": self.target,
            "arguments": dict(self.arguments),
            "steps": list(self.steps),
            "look": self.look,
            "until": self.until,
            "language": self.language,
            "reply_to": self.reply_to,
            "thread": self.thread,
            "news": None if self.news is None else said_to_json(self.news),
        }

    @classmethod
    def of(cls, approval: Approval) -> "Shown | None":
        """What was kept; None when it was erased."""
        kept = approval.shown
        if not kept:
            return None
        return cls(
            title=kept["title"],
            target=kept["target"],
            arguments=kept["arguments"],
            steps=tuple(kept["steps"]),
            look=kept["look"],
            until=kept["until"],
            language=kept["language"],
            reply_to=EventID(kept["reply_to"]) if kept["reply_to"] else None,
            thread=EventID(kept["thread"]) if kept["thread"] else None,
            news=said_from_json(kept["news"]) if kept.get("news") else None,
        )


def shown_of(
    needed: NeedsApprovalError,
    *,
    until: str,
    language: str,
    reply_to: EventID | None,
    thread: EventID | None,
    news: Said | None = None,
) -> Shown:
    """What the card of a call is to show."""
    return Shown(
        title=needed.title,
        target=needed.plan.target,
        arguments=needed.shown,
        steps=(*needed.plan.steps, *needed.plan.now),
        look=needed.plan.look,
        until=until,
        language=language,
        reply_to=reply_to,
        thread=thread,
        news=news,
    )


def card_text(shown: Shown, approval: Approval, newer: Approval | None = None) -> Text:
    """The whole card; `newer` is the approval that supersedes it."""
    return _card(shown, approval.requester, _state(shown, approval, newer))


def new_card_text(shown: Shown, requester: UserID, rule: Rule, code: str) -> Text:
    """The card of an approval that is just being asked for."""
    who = wording.approvers(rule, requester)
    return _card(shown, requester, wording.is_open(who, shown.until, code))


def _card(shown: Shown, requester: UserID, state: Said) -> Text:
    card = wording.card(shown.title, shown.target, requester, shown.arguments, shown.steps, state)
    return card if shown.news is None else wording.below_news(shown.news, card)


def _state(shown: Shown, approval: Approval, newer: Approval | None) -> Said:
    people = wording.people(approval.decided_by)
    match approval.state:
        case ApprovalState.OPEN:
            rule = rule_from_json(approval.rule)
            who = wording.approvers(rule, approval.requester)
            return wording.is_open(who, shown.until, approval.code)
        case ApprovalState.APPROVED:
            return Text("card_approved", people=people)
        case ApprovalState.DENIED:
            return Text("card_denied", people=people)
        case ApprovalState.EXPIRED:
            return Text("card_expired")
        case ApprovalState.WITHDRAWN:
            return _withdrawn(approval, newer)
        case ApprovalState.USED:
            return _used(approval.outcome, people)
        case _:
            assert_never(approval.state)


def _withdrawn(approval: Approval, newer: Approval | None) -> Text:
    if newer is not None and newer.card is not None and newer.card_room is not None:
        return wording.superseded(newer.card_room, newer.card)
    if approval.why == Withdrawal.ASKED_ANEW:
        return Text("card_asked_anew")
    return Text("card_withdrawn")


def _used(outcome: CallOutcome | None, people: str) -> Text:
    match outcome:
        case None:
            return Text("card_approved", people=people)
        case CallOutcome.DONE:
            return Text("card_done", people=people)
        case CallOutcome.FAILED:
            return Text("card_failed", people=people)
        case CallOutcome.UNKNOWN:
            return Text("card_unknown", people=people)
        case _:
            assert_never(outcome)
