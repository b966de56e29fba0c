"""The fixed texts around news; their words are in the catalogue."""

from collections.abc import Sequence

from lycatra_appservice.words.text import Said, Text


def not_proposed(news: Said, why: Said) -> Text:
    """News, and why nobody is asked about what could be done."""
    return Text("news_not_proposed", news=news, why=why)


def subscribed(namespace: str, about: str) -> Text:
    """After `!subscribe`."""
    return (
        Text("subscribed_to", namespace=namespace, about=about)
        if about
        else Text("subscribed", namespace=namespace)
    )


def already_subscribed(what: str) -> Text:
    """After `!subscribe` for what the room is told already."""
    return Text("already_subscribed", what=what)


def unsubscribed(what: str) -> Text:
    """After `!unsubscribe`."""
    return Text("unsubscribed", what=what)


def not_subscribed(what: str) -> Text:
    """After `!unsubscribe` for what the room was not told."""
    return Text("not_subscribed", what=what)


def configured(what: str) -> Text:
    """After `!unsubscribe` for what the configuration says."""
    return Text("subscribed_by_configuration", what=what)


def subscriptions(lines: Sequence[str], possible: Sequence[str]) -> Text:
    """What a room is told, and what it could be."""
    could = ", ".join(f"`!subscribe {each}`" for each in possible)
    if not lines:
        return Text("no_subscriptions", could=could)
    return Text("subscriptions", lines="\n".join(f"- {each}" for each in lines), could=could)


def unknown_news(word: str, possible: Sequence[str]) -> Text:
    """For a namespace that tells nothing by itself."""
    return Text("unknown_news", word=word, possible=", ".join(f"`{each}`" for each in possible))


def no_news_at_all() -> Text:
    """Where no namespace tells anything by itself."""
    return Text("no_news_at_all")


def may_not_subscribe(people: Sequence[str]) -> Text:
    """For who may not choose what a room is told; `people` are some who may, by name."""
    if not people:
        return Text("subscribe_refused_by_all")
    asked: Said = f"`{people[-1]}`"
    for person in reversed(people[:-1]):
        asked = Text("or", first=f"`{person}`", second=asked)
    return Text("subscribe_refused", people=asked)
