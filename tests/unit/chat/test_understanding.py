"""How a message is understood: who answers, what is done, in which lane, and where it is said.

Read a row as: in this room this message makes this user of ours do that. The lane is where it
waits; with a question mark only the worker can tell whether it is ours, and "never" is not even
stored. Rooms are listed in `understanding.py`.
"""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lycatra_appservice.model import JSON
from tests.unit.chat.conversing import DOCS, MAIN, SERVICES, UPDATES, pill
from tests.unit.chat.understanding import (
    BEN,
    CLEO,
    OTHER_BOT,
    ROOMS,
    Outcome,
    in_thread,
    outcome,
    replies,
    says,
    sends,
    with_key,
)

Rows: TypeAlias = Sequence[tuple[str, JSON, str, str, str, str]]

NOTHING = ("-", "nothing")
UNHEARD = (*NOTHING, "never", "-")
MORNING = "ask 'good morning'"

TYPED_NAMES: Rows = [
    # A name at the beginning, typed: clients send an empty m.mentions with it.
    ("group", "lycatra: good morning", "lycatra", MORNING, "ask", "new thread"),
    ("group", "lycatra good morning", "lycatra", MORNING, "ask", "new thread"),
    ("group", "lycatra, good morning", "lycatra", MORNING, "ask", "new thread"),
    ("group", "@lycatra good morning", "lycatra", MORNING, "ask", "new thread"),
    ("group", "@lycatra: good morning", "lycatra", MORNING, "ask", "new thread"),
    ("group", "Lycatra, good morning", "lycatra", MORNING, "ask", "new thread"),
    ("group", "LYCATRA good morning", "lycatra", MORNING, "ask", "new thread"),
    ("group", "lycatra:good morning", "lycatra", MORNING, "ask", "new thread"),
    ("group", "lycatra\ngood morning", "lycatra", MORNING, "ask", "new thread"),
    ("group", "lycatra! good morning", "lycatra", MORNING, "ask", "new thread"),
    ("group", "lycatra... good morning", "lycatra", MORNING, "ask", "new thread"),
    ("group", "lycatra\uff1agood morning", "lycatra", MORNING, "ask", "new thread"),
    ("group", "lycatra\uff0cgood morning", "lycatra", MORNING, "ask", "new thread"),
    ("group", "\uff20lycatra good morning", "lycatra", MORNING, "ask", "new thread"),
    ("group", "@lycatra:hs.test good morning", "lycatra", MORNING, "ask", "new thread"),
    ("group", "@lycatra:hs.test: good morning", "lycatra", MORNING, "ask", "new thread"),
    ("group", "lycatra:hs.test good morning", "lycatra", MORNING, "ask", "new thread"),
    ("group", "  lycatra: good morning  ", "lycatra", MORNING, "ask", "new thread"),
    ("group", "\u200flycatra: good morning", "lycatra", MORNING, "ask", "new thread"),
    ("group", "\u200b\ufeff lycatra\u200b: good morning", "lycatra", MORNING, "ask", "new thread"),
    ("group", "\u2068lycatra\u2069 good morning", "lycatra", MORNING, "ask", "new thread"),
    # A greeting may stand before it.
    ("group", "hey lycatra, good morning", "lycatra", MORNING, "ask", "new thread"),
    ("group", "Hi @lycatra, good morning", "lycatra", MORNING, "ask", "new thread"),
    ("group", "ok lycatra good morning", "lycatra", MORNING, "ask", "new thread"),
    ("group", "hello, lycatra: good morning", "lycatra", MORNING, "ask", "new thread"),
    ("group", "Hallo Lycatra, was gibt es?", "lycatra", "ask 'was gibt es?'", "ask", "new thread"),
    ("group", "guten  Morgen lycatra wie?", "lycatra", "ask 'wie?'", "ask", "new thread"),
    ("group", "hey lycatra", "lycatra", "ask 'hey'", "ask", "new thread"),
    ("group", "hello @lycatra!", "lycatra", "ask 'hello'", "ask", "new thread"),
    ("group", "lycatra: hello", "lycatra", "ask 'hello'", "ask", "new thread"),
    # Other names of ours.
    (
        "group",
        "lycatra_updates: what is new?",
        "updates",
        "ask 'what is new?' (updates only)",
        "ask",
        "new thread",
    ),
    (
        "group",
        "Lycatra Updates, what is new?",
        "updates",
        "ask 'what is new?' (updates only)",
        "ask",
        "new thread",
    ),
    (
        "group",
        "@Lycatra  Updates what is new?",
        "updates",
        "ask 'what is new?' (updates only)",
        "ask",
        "new thread",
    ),
    ("group", "docs: how?", "docs comes in", "ask 'how?' (docs only)", "ask", "new thread"),
    ("group", "lycatra docs?", "lycatra", "ask 'docs?'", "ask", "new thread"),
]

NO_NAMES: Rows = [
    # What only looks like a name, or stands where it is talked about.
    ("group", "good morning", *UNHEARD),
    ("group", "I like lycatra", *UNHEARD),
    ("group", "what does lycatra say?", *UNHEARD),
    ("group", "thanks to lycatra we know", *UNHEARD),
    ("group", "they said hey lycatra", *UNHEARD),
    ("group", "hey, I like lycatra", *UNHEARD),
    ("group", "heylycatra what is new?", *UNHEARD),
    ("group", "lycatra's docs are good", *UNHEARD),
    ("group", "lycatra\u2019s docs are good", *UNHEARD),
    ("group", "lycatra.example.org is down", *UNHEARD),
    ("group", "lycatra:8080 is down", *UNHEARD),
    ("group", "lycatra@example.org is my address", *UNHEARD),
    ("group", "https://lycatra.example.org is down", *UNHEARD),
    ("group", "see https://matrix.to/#/@lycatra:hs.test", *UNHEARD),
    ("group", "mail root@lycatra:hs.test", *UNHEARD),
    ("group", "@lycatra:elsewhere.org good morning", *UNHEARD),
    ("group", "@lycatra2 good morning", *UNHEARD),
    ("group", "@lycatra_sender good morning", *UNHEARD),
    ("group", "@\u200blycatra good morning", *UNHEARD),  # how bridges write who is not meant
    ("group", "lycatra-appservice has a release", *UNHEARD),
    ("group", "lycatras are nice", *UNHEARD),
    ("group", "/lycatra good morning", *UNHEARD),
    ("group", "@room: good morning", *UNHEARD),
    ("group", "@room lycatra is down", *UNHEARD),
    ("group", "`lycatra: good morning`", *UNHEARD),
    ("group", "```\nlycatra: good morning\n```", *UNHEARD),
    ("group", "use `@lycatra:hs.test` for that", *UNHEARD),
    ("group", "> lycatra: good morning", *UNHEARD),
    ("group", "> @lycatra:hs.test good morning\n\nhow rude", *UNHEARD),
    ("group", '"lycatra: good morning" was the answer', *UNHEARD),
    ("group", "", *UNHEARD),
    ("group", "thanks", *UNHEARD),
    ("group", "\U0001f44d", *UNHEARD),
    ("group", "help", *UNHEARD),
    ("group", "stop", *UNHEARD),
    ("group", "?", *UNHEARD),
    ("pair", "stop", *NOTHING, "control?", "-"),
    ("pair", "good morning", *NOTHING, "ask?", "-"),
    ("updates' group", "good morning", *UNHEARD),
    ("deserted", "good morning", *NOTHING, "ask?", "-"),
]

MENTIONS: Rows = [
    ("group", says("good morning", mention=MAIN), "lycatra", MORNING, "ask", "new thread"),
    (
        "group",
        says("what is new?", mention=UPDATES),
        "updates",
        "ask 'what is new?' (updates only)",
        "ask",
        "new thread",
    ),
    # A pill shows the display name; the plain body has it, too.
    (
        "group",
        says("Lycatra Updates: what is new?", formatted_body=f"{pill(UPDATES)}: what is new?"),
        "updates",
        "ask 'what is new?' (updates only)",
        "ask",
        "new thread",
    ),
    (
        "group",
        says("what can Lycatra do?", formatted_body=f"what can {pill(MAIN)} do?"),
        "lycatra",
        "ask 'what can Lycatra do?'",
        "ask",
        "new thread",
    ),
    (
        "group",
        "does @lycatra:hs.test know?",
        "lycatra",
        "ask 'does @lycatra:hs.test know?'",
        "ask",
        "new thread",
    ),
    ("group", says("good morning", mention=BEN), *UNHEARD),
    ("group", says("good morning", formatted_body=pill(BEN)), *UNHEARD),
    ("group", says("x", formatted_body=f"<code>{pill(MAIN)}</code>"), *UNHEARD),
    ("group", says("x", formatted_body=f"<blockquote>{pill(MAIN)}</blockquote>x"), *UNHEARD),
    ("group", says("@room look", m_mentions={"room": True}), *UNHEARD),
    (
        "group",
        says(None, formatted_body=f"<b>{pill(MAIN)}</b> good morning"),
        "lycatra",
        "ask 'somebody good morning'",
        "ask",
        "new thread",
    ),
    (
        "group",
        says("", formatted_body="<p>lycatra: good morning</p>"),
        "lycatra",
        MORNING,
        "ask",
        "new thread",
    ),
    (
        "group",
        says("good morning", msgtype="m.emote", mention=MAIN),
        "lycatra",
        MORNING,
        "ask",
        "new thread",
    ),
    (
        "group",
        says("lycatra good morning", msgtype="m.emote"),
        "lycatra",
        MORNING,
        "ask",
        "new thread",
    ),
]

DIRECT: Rows = [
    ("dm", "good morning", "lycatra", MORNING, "ask?", "reply"),
    ("dm", "lycatra: good morning", "lycatra", MORNING, "ask", "reply"),
    ("public dm", "good morning", "lycatra", MORNING, "ask?", "reply"),
    ("threaded dm", "good morning", "lycatra", MORNING, "ask?", "new thread"),
    ("dm", "list updates", "lycatra", "ask 'list updates'", "ask?", "reply"),
    ("dm", "I like lycatra", "lycatra", "ask 'I like lycatra'", "ask?", "reply"),
    ("dm", "> disk full\n\nwhy?", "lycatra", "ask '> disk full\\n\\nwhy?'", "ask?", "reply"),
    ("dm", "/etc/hosts is wrong", "lycatra", "ask '/etc/hosts is wrong'", "ask?", "reply"),
    ("dm", "!1", "lycatra", "ask '!1'", "ask?", "reply"),
    ("dm", "ok", "lycatra", "ask 'ok'", "ask?", "reply"),
    ("dm", "yes please", "lycatra", "ask 'yes please'", "ask?", "reply"),
    (
        "dm",
        "lycatra_updates: what is new?",
        "lycatra for Lycatra Updates",
        "ask 'what is new?' (updates only)",
        "ask",
        "reply",
    ),
    (
        "updates' dm",
        "good morning",
        "updates",
        "ask 'good morning' (updates only)",
        "ask?",
        "reply",
    ),
    ("updates' dm", "list", "updates", "run list_updates", "ask?", "reply"),
    ("updates' dm", "List updates!", "updates", "run list_updates", "ask?", "reply"),
    ("updates' dm", "!list", "updates", "run list_updates", "command?", "reply"),
    ("updates' dm", "lycatra: good morning", "updates for Lycatra", MORNING, "ask", "reply"),
    (
        "dm of two of us",
        "good morning",
        "services",
        "ask 'good morning' (services only)",
        "ask?",
        "reply",
    ),
]

COMMANDS: Rows = [
    ("group", "!list updates", "updates", "run list_updates", "command", "reply"),
    ("group", "/list updates", "updates", "run list_updates", "command", "reply"),
    ("group", "!list_updates", "updates", "run list_updates", "command", "reply"),
    ("group", "!updates list", "updates", "run list_updates", "command", "reply"),
    ("group", "!LIST Updates", "updates", "run list_updates", "command", "reply"),
    ("group", "\u200e !list updates", "updates", "run list_updates", "command", "reply"),
    (
        "group",
        "!list updates limit=5",
        "updates",
        "run list_updates {'limit': '5'}",
        "command",
        "reply",
    ),
    (
        "group",
        '!list updates {"limit": 5}',
        "updates",
        "run list_updates {'limit': 5}",
        "command",
        "reply",
    ),
    ("group", "lycatra: !list updates", "updates", "run list_updates", "command", "reply"),
    ("group", "hey lycatra !list updates", "updates", "run list_updates", "command", "reply"),
    (
        "group",
        "@lycatra_services !list updates",
        "updates",
        "run list_updates",
        "command",
        "reply",
    ),
    ("group", "@lycatra_updates list", "updates", "run list_updates", "command", "reply"),
    ("group", "@lycatra_updates !list", "updates", "run list_updates", "command", "reply"),
    (
        "group",
        "@lycatra_updates !list 7",
        "updates",
        "run list_updates {'since': '7'}",
        "command",
        "reply",
    ),
    ("group", says("list", mention=UPDATES), "updates", "run list_updates", "command", "reply"),
    (
        "group",
        "list updates @lycatra_updates:hs.test",
        "updates",
        "run list_updates",
        "command",
        "reply",
    ),
    (
        "group",
        "@lycatra_updates list of all",
        "updates",
        "ask 'list of all' (updates only)",
        "ask",
        "new thread",
    ),
    ("group", "lycatra: list updates", "lycatra", "ask 'list updates'", "ask", "new thread"),
    ("dm", "!list updates", "lycatra for Lycatra Updates", "run list_updates", "command", "reply"),
    (
        "group of lycatra",
        "!list updates",
        "updates comes in",
        "run list_updates",
        "command",
        "reply",
    ),
    (
        "labelled group",
        "!list updates",
        "lycatra for Lycatra Updates",
        "run list_updates",
        "command",
        "reply",
    ),
    ("updates' group", "!health", "services", "run get_service_status", "command", "reply"),
    ("group", "!get uptime me", "lycatra", "cannot be read", "command", "reply"),
    # Unknown words may be another bot's.
    ("group", "!weather", *UNHEARD),
    ("group", "!lst updates", *UNHEARD),
    ("pair", "!lst updates", *NOTHING, "command?", "-"),
    ("dm", "!lst updates", "lycatra", "unknown, near list_updates", "command?", "reply"),
    ("dm", "!xyzzy", "lycatra", "unknown", "command?", "reply"),
    ("dm", "!helo", "lycatra", "unknown, near help", "command?", "reply"),
    ("dm", "!stop nginx", "lycatra", "unknown, near stop", "command?", "reply"),
    (
        "group",
        "lycatra: !lst updates",
        "lycatra",
        "unknown, near list_updates",
        "command",
        "reply",
    ),
    (
        "group",
        "lycatra_updates: !lst",
        "updates",
        "unknown, near list_updates",
        "command",
        "reply",
    ),
    ("group", "!", *UNHEARD),
    ("group", "!!", *UNHEARD),
    ("group", "! list updates", *UNHEARD),
    ("group", "/etc/hosts is wrong", *UNHEARD),
    ("group", "`!list updates`", *UNHEARD),
    ("group", "> !list updates", *UNHEARD),
    ("group", "say !list updates", *UNHEARD),
]

CONTROL_WORDS: Rows = [
    ("group", "!help", "lycatra", "help", "command", "reply"),
    ("group", "!help updates", "lycatra", "help updates", "command", "reply"),
    ("group", "!HELP", "lycatra", "help", "command", "reply"),
    ("group", "/help", "lycatra", "help", "command", "reply"),
    ("group", "lycatra: !help", "lycatra", "help", "command", "reply"),
    ("group", "lycatra help", "lycatra", "help", "command", "reply"),
    ("group", "lycatra", "lycatra", "help", "command", "reply"),
    ("group", "@lycatra", "lycatra", "help", "command", "reply"),
    ("group", "lycatra?", "lycatra", "help", "command", "reply"),
    ("group", "lycatra ?", "lycatra", "help", "command", "reply"),
    ("group", "lycatra hilfe", "lycatra", "help", "command", "reply"),
    ("group", says("Lycatra", mention=MAIN), "lycatra", "help", "command", "reply"),
    ("group", "@lycatra_updates", "lycatra", "help updates", "command", "reply"),
    ("group", "@lycatra_updates help", "lycatra", "help", "command", "reply"),
    ("updates' group", "!help", "services", "help", "command", "reply"),
    ("updates' group", "@lycatra_updates", "updates", "help updates", "command", "reply"),
    ("dm", "help", "lycatra", "help", "ask?", "reply"),
    ("dm", "?", "lycatra", "help", "ask?", "reply"),
    ("dm", "??!", "lycatra", "help", "ask?", "reply"),
    ("dm", "\uff1f", "lycatra", "help", "ask?", "reply"),
    ("dm", "", "lycatra", "help", "ask?", "reply"),
    ("dm", "\u200b \u200e", "lycatra", "help", "ask?", "reply"),
    ("updates' dm", "help", "updates", "help", "ask?", "reply"),
    # They go before what they stop, and behind what they end.
    ("dm", "!stop", "lycatra", "stop", "control", "reply"),
    ("dm", "stop", "lycatra", "stop", "control?", "reply"),
    ("dm", "STOP!", "lycatra", "stop", "control?", "reply"),
    ("dm", "stopp", "lycatra", "stop", "control?", "reply"),
    ("dm", "stop talking to me", "lycatra", "ask 'stop talking to me'", "ask?", "reply"),
    ("group", "lycatra: stop", "lycatra", "stop", "control", "reply"),
    ("group", "@lycatra stop", "lycatra", "stop", "control", "reply"),
    ("group", "@lycatra_updates stop", "lycatra", "stop", "control", "reply"),
    ("group", "lycatra: !stop", "lycatra", "stop", "control", "reply"),
    ("group", in_thread("stop", "$our-thread"), "lycatra", "stop", "control?", "$our-thread"),
    ("group", replies("stop", "$lycatra-said"), "lycatra", "stop", "control?", "reply"),
    ("dm", "!reset", "lycatra", "reset", "ask", "reply"),
    ("dm", "reset", "lycatra", "ask 'reset'", "ask?", "reply"),
    ("group", in_thread("!reset", "$our-thread"), "lycatra", "reset", "ask", "$our-thread"),
    ("group", "!settings", "lycatra", "settings", "command", "reply"),
    ("group", "!settings reply plain", "lycatra", "settings reply plain", "command", "reply"),
    ("group", "!whoami", "lycatra", "whoami", "command", "reply"),
    ("group", "!stop", "lycatra", "stop", "control", "reply"),
    ("dm", "settings", "lycatra", "ask 'settings'", "ask?", "reply"),
    # Where another bot is known to be, only !help is surely meant for us, too.
    ("group with a bot", "!help", "lycatra", "help", "command", "reply"),
    ("group with a bot", "!settings", *NOTHING, "command", "-"),
    ("group with a bot", "!whoami", *NOTHING, "command", "-"),
    ("group with a bot", "!stop", *NOTHING, "control", "-"),
    ("group with a bot", "!reset", *NOTHING, "ask", "-"),
    ("group with a bot", "lycatra: !settings", "lycatra", "settings", "command", "reply"),
    ("group", "!approve K7QF", "lycatra", "approve K7QF", "control", "reply"),
    ("group with a bot", "!deny K7QF", *NOTHING, "control", "-"),
    ("group", "!approve the budget", *UNHEARD),
    # Words of later versions are nobody's tools, and unknown until then.
    ("dm", "!status", "lycatra", "unknown, near get_service_status", "command?", "reply"),
]

SMALL_TALK: Rows = [
    ("dm", "thanks", "lycatra", "react \U0001f642", "ask?", "reaction"),
    ("dm", "Thank you!", "lycatra", "react \U0001f642", "ask?", "reaction"),
    ("dm", "Vielen Dank \U0001f60a", "lycatra", "react \U0001f642", "ask?", "reaction"),
    ("dm", "ok, danke.", "lycatra", "react \U0001f642", "ask?", "reaction"),
    ("dm", "\U0001f44d", "lycatra", "react \U0001f44d", "ask?", "reaction"),
    ("dm", "\U0001f44d\U0001f3fd \U0001f389", "lycatra", "react \U0001f44d", "ask?", "reaction"),
    ("dm", "\u2764\ufe0f", "lycatra", "react \U0001f44d", "ask?", "reaction"),
    ("dm", ":-)", "lycatra", "react \U0001f44d", "ask?", "reaction"),
    ("dm", "\U0001f44e", "lycatra", "react \U0001f615", "ask?", "reaction"),
    ("dm", "\U0001f44e\U0001f3fd \U0001f621", "lycatra", "react \U0001f615", "ask?", "reaction"),
    ("updates' dm", "danke", "updates", "react \U0001f642", "ask?", "reaction"),
    ("group", "lycatra: thanks", "lycatra", "react \U0001f642", "ask", "reaction"),
    ("group", "thanks lycatra", "lycatra", "react \U0001f642", "ask", "reaction"),
    ("group", "danke @lycatra!", "lycatra", "react \U0001f642", "ask", "reaction"),
    ("group", "thanks @lycatra:hs.test", "lycatra", "react \U0001f642", "ask", "reaction"),
    ("group", says("\U0001f44d", mention=MAIN), "lycatra", "react \U0001f44d", "ask", "reaction"),
    (
        "group",
        replies("thanks", "$updates-said"),
        "updates",
        "react \U0001f642",
        "ask?",
        "reaction",
    ),
    ("group", in_thread("thx", "$our-thread"), "lycatra", "react \U0001f642", "ask?", "reaction"),
    ("group", in_thread("thx", "$thread-with-ben"), *NOTHING, "ask?", "-"),
    (
        "group of lycatra",
        "lycatra_updates: thanks",
        "lycatra",
        "react \U0001f642",
        "ask",
        "reaction",
    ),
    ("dm", "thanks, and the logs?", "lycatra", "ask 'thanks, and the logs?'", "ask?", "reply"),
    ("dm", "hello", "lycatra", "ask 'hello'", "ask?", "reply"),
]

THREADS_AND_REPLIES: Rows = [
    # A thread that we answer in needs no name while one person writes there.
    (
        "group",
        in_thread("and why?", "$our-thread"),
        "lycatra",
        "ask 'and why?'",
        "ask?",
        "$our-thread",
    ),
    (
        "pair",
        in_thread("and why?", "$our-thread"),
        "lycatra",
        "ask 'and why?'",
        "ask?",
        "$our-thread",
    ),
    ("group", in_thread("and why?", "$thread-with-ben"), *NOTHING, "ask?", "-"),
    (
        "group",
        in_thread("lycatra, why?", "$thread-with-ben"),
        "lycatra",
        "ask 'why?'",
        "ask",
        "$thread-with-ben",
    ),
    ("group", in_thread("and why?", "$their-thread"), *NOTHING, "ask?", "-"),
    (
        "group",
        in_thread("lycatra why?", "$their-thread"),
        "lycatra",
        "ask 'why?'",
        "ask",
        "$their-thread",
    ),
    (
        "plain group",
        in_thread("and why?", "$our-thread"),
        "lycatra",
        "ask 'and why?'",
        "ask?",
        "$our-thread",
    ),
    (
        "dm",
        in_thread("and why?", "$their-thread"),
        "lycatra",
        "ask 'and why?'",
        "ask?",
        "$their-thread",
    ),
    (
        "group",
        in_thread("!list updates", "$their-thread"),
        "updates",
        "run list_updates",
        "command",
        "$their-thread",
    ),
    (
        "group",
        in_thread("!lst updates", "$our-thread"),
        "lycatra",
        "unknown, near list_updates",
        "command?",
        "$our-thread",
    ),
    ("group", in_thread("!lst updates", "$their-thread"), *NOTHING, "command?", "-"),
    (
        "group",
        in_thread("hello", "$thread-with-ben", mention=UPDATES),
        "updates",
        "ask 'hello' (updates only)",
        "ask",
        "$thread-with-ben",
    ),
    # A reply to one of us is always ours.
    (
        "group",
        replies("and why?", "$lycatra-said"),
        "lycatra",
        "ask 'and why?'",
        "ask?",
        "new thread",
    ),
    (
        "group",
        replies("and why?", "$updates-said"),
        "updates",
        "ask 'and why?' (updates only)",
        "ask?",
        "new thread",
    ),
    ("group", replies("list", "$updates-said"), "updates", "run list_updates", "ask?", "reply"),
    (
        "group",
        replies("lycatra_services: and you?", "$updates-said"),
        "services",
        "ask 'and you?' (services only)",
        "ask",
        "new thread",
    ),
    ("pair", replies("and why?", "$lycatra-said"), "lycatra", "ask 'and why?'", "ask?", "reply"),
    (
        "wide",
        replies("and why?", "$lycatra-said"),
        "lycatra",
        "ask 'and why?'",
        "ask?",
        "new thread",
    ),
    ("group", replies("and why?", "$ben-said"), *NOTHING, "ask?", "-"),
    ("group", replies("lycatra: why?", "$ben-said"), "lycatra", "ask 'why?'", "ask", "new thread"),
    # A client without threads replies to what was said in one: it goes on there.
    (
        "group",
        replies("and why?", "$said-in-our-thread"),
        "lycatra",
        "ask 'and why?'",
        "ask?",
        "$our-thread",
    ),
    # A genuine reply inside of a thread.
    (
        "group",
        says(
            "and why?",
            m_relates_to={
                "rel_type": "m.thread",
                "event_id": "$thread-with-ben",
                "is_falling_back": False,
                "m.in_reply_to": {"event_id": "$lycatra-said"},
            },
        ),
        "lycatra",
        "ask 'and why?'",
        "ask?",
        "$thread-with-ben",
    ),
    # The quoted lines that older clients put before a reply are not read.
    (
        "group",
        replies("> <@lycatra:hs.test> all is up\n\nand why?", "$ben-said"),
        *NOTHING,
        "ask?",
        "-",
    ),
    (
        "group",
        replies("> <@ben:hs.test> all is up\n\nlycatra: why?", "$ben-said"),
        "lycatra",
        "ask 'why?'",
        "ask",
        "new thread",
    ),
    # The asker's next message within five minutes is a reply, or begins with the name.
    ("group", "and what about yesterday?", *UNHEARD),
    (
        "group",
        "lycatra and what about yesterday?",
        "lycatra",
        "ask 'and what about yesterday?'",
        "ask",
        "new thread",
    ),
    # Where the answer goes.
    ("pair", "lycatra: good morning", "lycatra", MORNING, "ask", "reply"),
    ("plain group", "lycatra: good morning", "lycatra", MORNING, "ask", "reply"),
    (
        "updates' group",
        "lycatra: good morning",
        "services for Lycatra",
        MORNING,
        "ask",
        "new thread",
    ),
    (
        "group of lycatra",
        "lycatra_updates: what is new?",
        "updates comes in",
        "ask 'what is new?' (updates only)",
        "ask",
        "new thread",
    ),
]

SEVERAL: Rows = [
    (
        "group",
        "@lycatra_updates list @lycatra_services get uptime",
        "updates, services",
        "run list_updates, get_uptime",
        "command",
        "reply",
    ),
    (
        "group",
        "lycatra_updates: list\nlycatra_services: health",
        "updates, services",
        "run list_updates, get_service_status",
        "command",
        "reply",
    ),
    (
        "group",
        "@lycatra_updates: !list 7\n@lycatra_services: !health",
        "updates, services",
        "run list_updates {'since': '7'}, get_service_status",
        "command",
        "reply",
    ),
    (
        "group",
        says(
            "Lycatra Updates list Lycatra Services health",
            formatted_body=(f"{pill(UPDATES)} list {pill(SERVICES)} health"),
        ),
        "updates, services",
        "run list_updates, get_service_status",
        "command",
        "reply",
    ),
    (
        "dm",
        "@lycatra_updates list @lycatra_services get uptime",
        "lycatra for Lycatra Updates, lycatra for Lycatra Services",
        "run list_updates, get_uptime",
        "command",
        "reply",
    ),
    (
        "group of lycatra",
        "@lycatra_updates list @lycatra_services health",
        "updates comes in, services comes in",
        "run list_updates, get_service_status",
        "command",
        "reply",
    ),
    # Anything else is one question to the first.
    (
        "group",
        "@lycatra_updates @lycatra_services what is new?",
        "updates",
        "ask 'what is new?' (updates only)",
        "ask",
        "new thread",
    ),
    (
        "group",
        "@lycatra_updates list @lycatra_services why?",
        "updates",
        "ask 'list @lycatra_services why?' (updates only)",
        "ask",
        "new thread",
    ),
    (
        "group",
        "@lycatra_updates list @lycatra help",
        "updates",
        "ask 'list @lycatra help' (updates only)",
        "ask",
        "new thread",
    ),
    (
        "group",
        "@lycatra_updates @lycatra_services list",
        "updates",
        "run list_updates",
        "command",
        "reply",
    ),
    (
        "group",
        "lycatra, ask @lycatra_updates:hs.test",
        "lycatra",
        "ask 'ask @lycatra_updates:hs.test'",
        "ask",
        "new thread",
    ),
    (
        "group",
        "\n".join(["lycatra_updates: list"] * 7),
        "updates",
        f"ask {chr(10).join(['list', *['lycatra_updates: list'] * 6])!r} (updates only)",
        "ask",
        "new thread",
    ),
]

WIDE: Rows = [
    # Many read along: only who names us, or replies to us, is answered.
    ("public", "lycatra: good morning", "lycatra", MORNING, "ask", "reply"),
    ("wide", "lycatra: good morning", "lycatra", MORNING, "ask", "new thread"),
    ("wide", says("good morning", mention=MAIN), "lycatra", MORNING, "ask", "new thread"),
    (
        "wide",
        "lycatra: !list updates",
        "lycatra for Lycatra Updates",
        "run list_updates",
        "command",
        "reply",
    ),
    ("wide", "lycatra: !help", "lycatra", "help", "command", "reply"),
    ("wide", "!help", *NOTHING, "command", "-"),
    ("wide", "!list updates", *NOTHING, "command", "-"),
    ("wide", "!settings", *NOTHING, "command", "-"),
    ("public", "!list updates", *NOTHING, "command", "-"),
    ("public", "!weather", *NOTHING, "command?", "-"),
    ("wide", in_thread("and why?", "$our-thread"), *NOTHING, "ask?", "-"),
    (
        "wide",
        in_thread("lycatra: why?", "$our-thread"),
        "lycatra",
        "ask 'why?'",
        "ask",
        "$our-thread",
    ),
    (
        "wide",
        replies("!list updates", "$lycatra-said"),
        "lycatra for Lycatra Updates",
        "run list_updates",
        "command",
        "reply",
    ),
    ("wide", "thanks lycatra", "lycatra", "react \U0001f642", "ask", "reaction"),
]

MEDIA: Rows = [
    ("dm", sends("m.image"), "lycatra", "cannot look at m.image", "ask?", "reply"),
    (
        "dm",
        sends("m.image", "a.png", "a.png"),
        "lycatra",
        "cannot look at m.image",
        "ask?",
        "reply",
    ),
    ("dm", sends("m.file", "error.log"), "lycatra", "cannot look at m.file", "ask?", "reply"),
    ("dm", sends("m.video"), "lycatra", "cannot look at m.video", "ask?", "reply"),
    (
        "dm",
        with_key("org.matrix.msc3245.voice", {}, sends("m.audio")),
        "lycatra",
        "cannot look at m.audio",
        "ask?",
        "reply",
    ),
    (
        "dm",
        sends("m.location", "Location was shared at geo:1,2"),
        "lycatra",
        "cannot look at m.location",
        "ask?",
        "reply",
    ),
    ("updates' dm", sends("m.image"), "updates", "cannot look at m.image", "ask?", "reply"),
    (
        "dm",
        sends("m.image", caption="what is this?"),
        "lycatra",
        "ask 'what is this?' without its m.image",
        "ask?",
        "reply",
    ),
    ("dm", sends("m.image", caption="help"), "lycatra", "cannot look at m.image", "ask?", "reply"),
    ("dm", sends("m.image", caption="?"), "lycatra", "cannot look at m.image", "ask?", "reply"),
    (
        "dm",
        sends("m.image", caption="!list updates"),
        "lycatra for Lycatra Updates",
        "run list_updates",
        "command",
        "reply",
    ),
    ("group", sends("m.image"), *UNHEARD),
    ("group", sends("m.image", "lycatra.png"), *UNHEARD),
    ("group", sends("m.image", "lycatra: a.png"), *UNHEARD),
    ("pair", sends("m.image"), *NOTHING, "ask?", "-"),
    ("group", sends("m.image", caption="what a day"), *UNHEARD),
    (
        "group",
        sends("m.image", caption="lycatra: what is this?"),
        "lycatra",
        "ask 'what is this?' without its m.image",
        "ask",
        "new thread",
    ),
    (
        "group",
        sends("m.image", caption="lycatra"),
        "lycatra",
        "cannot look at m.image",
        "ask",
        "reply",
    ),
    ("group", sends("m.image", mention=MAIN), "lycatra", "cannot look at m.image", "ask", "reply"),
    (
        "group",
        replies("a.png", "$lycatra-said", msgtype="m.image"),
        "lycatra",
        "cannot look at m.image",
        "ask?",
        "reply",
    ),
    (
        "group",
        in_thread("a.png", "$our-thread", msgtype="m.image"),
        "lycatra",
        "cannot look at m.image",
        "ask?",
        "$our-thread",
    ),
    # Other kinds are no messages for people.
    ("dm", says("x", msgtype="m.key.verification.request"), *UNHEARD),
    ("dm", says("lycatra: x", msgtype="m.server_notice"), *UNHEARD),
    ("dm", says("lycatra: x", msgtype="org.example.new", mention=MAIN), *UNHEARD),
    ("dm", says("lycatra: x", msgtype=7), *UNHEARD),
]

LOOPS: Rows = [
    ("dm", says("lycatra: x", msgtype="m.notice"), *UNHEARD),
    ("dm", says("!help", msgtype="m.notice", mention=MAIN), *UNHEARD),
    ("dm", with_key("org.lycatra.reply", {}, says("lycatra: x")), *UNHEARD),
    ("dm", says("lycatra: x", sender=UPDATES), *UNHEARD),
    ("dm", says("lycatra: x", sender="@lycatra_sender:hs.test"), *UNHEARD),
    ("dm", says("lycatra: x", sender="@lycatra_gone:hs.test"), *UNHEARD),
    ("group with a bot", says("lycatra: x", sender=OTHER_BOT), *UNHEARD),
    ("group with a bot", says("!help", sender=OTHER_BOT, mention=MAIN), *UNHEARD),
    (
        "group",
        with_key("org.lycatra.hops", 3, says("lycatra: x")),
        "lycatra",
        "ask 'x'",
        "ask",
        "new thread",
    ),
    ("group", with_key("org.lycatra.hops", 4, says("lycatra: x")), *NOTHING, "ask", "-"),
    ("group", with_key("org.lycatra.hops", 999, says("!help")), *NOTHING, "command", "-"),
    (
        "group",
        with_key("org.lycatra.hops", "4", says("lycatra: x")),
        "lycatra",
        "ask 'x'",
        "ask",
        "new thread",
    ),
    ("group", says("lycatra: x", sender=CLEO), "lycatra", "ask 'x'", "ask", "new thread"),
]

MALFORMED: Rows = [
    # What federated servers may send: wrong types read as absent.
    ("group", says(7), *UNHEARD),
    ("dm", says(7), "lycatra", "help", "ask?", "reply"),
    ("dm", says(None), "lycatra", "help", "ask?", "reply"),
    ("group", says("lycatra: x", m_relates_to="y"), "lycatra", "ask 'x'", "ask", "new thread"),
    (
        "group",
        says("lycatra: x", m_relates_to={"rel_type": "m.thread"}),
        "lycatra",
        "ask 'x'",
        "ask",
        "new thread",
    ),
    (
        "group",
        says("lycatra: x", m_relates_to={"rel_type": "m.thread", "event_id": 7}),
        "lycatra",
        "ask 'x'",
        "ask",
        "new thread",
    ),
    (
        "group",
        says("lycatra: x", m_relates_to={"m.in_reply_to": 7}),
        "lycatra",
        "ask 'x'",
        "ask",
        "new thread",
    ),
    (
        "group",
        says("lycatra: x", m_mentions=[7], formatted_body={}),
        "lycatra",
        "ask 'x'",
        "ask",
        "new thread",
    ),
    ("group", says("x", m_mentions={"user_ids": MAIN}), *UNHEARD),
    (
        "group",
        says("lycatra: \0x", formatted_body="<![foo["),
        "lycatra",
        "ask '\\x00x'",
        "ask",
        "new thread",
    ),
    (
        "dm",
        says("what?", msgtype="m.image", filename=7),
        "lycatra",
        "cannot look at m.image",
        "ask?",
        "reply",
    ),
    ("group", {**says("lycatra: x"), "unsigned": 7}, "lycatra", "ask 'x'", "ask", "new thread"),
    ("group", {**says("lycatra: x"), "state_key": ""}, *UNHEARD),
    ("group", {**says("lycatra: x"), "content": "y"}, *UNHEARD),
    # An edit is not a question of its own.
    (
        "group",
        says("* lycatra: x", m_relates_to={"rel_type": "m.replace", "event_id": "$a"}),
        "-",
        "an edit",
        "control?",
        "-",
    ),
]

SECTIONS: Mapping[str, Rows] = {
    "typed names": TYPED_NAMES,
    "no names": NO_NAMES,
    "mentions": MENTIONS,
    "direct": DIRECT,
    "commands": COMMANDS,
    "control words": CONTROL_WORDS,
    "small talk": SMALL_TALK,
    "threads and replies": THREADS_AND_REPLIES,
    "several": SEVERAL,
    "wide": WIDE,
    "media": MEDIA,
    "loops": LOOPS,
    "malformed": MALFORMED,
}
ROWS = [
    pytest.param(where, message, Outcome(who, what, lane, place), id=f"{section}-{n}")
    for section, rows in SECTIONS.items()
    for n, (where, message, who, what, lane, place) in enumerate(rows)
]


@pytest.mark.parametrize(("where", "message", "expected"), ROWS)
def test_a_message_is_understood(where: str, message: JSON, expected: Outcome) -> None:
    event = says(message) if isinstance(message, str) else message

    assert outcome(where, event) == expected


@pytest.mark.parametrize(
    ("where", "body", "what"),
    [
        ("dm", "hello", "help"),
        ("dm", "Guten Morgen!", "help"),
        ("group", "hey lycatra", "help"),
        ("group", "hi @lycatra_updates", "help updates"),
        ("dm", "hello, what is new?", "ask 'hello, what is new?'"),
        ("dm", "list updates", "run list_updates"),
        ("group", "lycatra: list updates", "run list_updates"),
        ("group", "lycatra: list updates of the shop", "ask 'list updates of the shop'"),
    ],
)
def test_without_a_model_only_greetings_and_whole_commands_are_understood(
    where: str, body: str, what: str
) -> None:
    assert outcome(where, says(body), has_model=False).what == what


PIECES = st.sampled_from(
    [
        *(MAIN, UPDATES, SERVICES, DOCS, "lycatra", "Lycatra Updates", "docs", "hey", "thanks"),
        *("!list updates", "!help", "stop", "list", "@", ":", ",", "!", "?", ">", "`", "\n", " "),
        *("\u200b", "\ufe0f", "\U0001f44d", "limit=", "{", '"'),
    ]
)
BODIES = st.lists(PIECES | st.text(max_size=9), max_size=8).map("".join)


@given(st.sampled_from(sorted(ROOMS)), BODIES, st.sampled_from(["m.text", "m.image", "m.emote"]))
def test_anything_that_is_written_is_understood_somehow(
    where: str, body: str, msgtype: str
) -> None:
    found = outcome(where, says(body, msgtype=msgtype, filename="a.png"))

    assert (found.who == "-") == (found.what == "nothing")


@given(BODIES)
def test_what_is_surely_ours_on_the_way_in_is_never_lost_in_a_group(body: str) -> None:
    found = outcome("group", says(body))

    assert found.lane == "never" or "?" not in found.lane
    if found.lane != "never":
        assert found.what != "nothing"


@pytest.mark.parametrize(
    "piece",
    [
        "\n",
        " ",
        "\u200b",
        "hey ",
        "lycatra\n",
        "\nlycatra ",
        "@lycatra ",
        "@lycatra_updates list ",
        "!",
        "? ",
        "\U0001f44d",
        "lycatra:",
        "lycatra.",
        "lycatra",
        "Lycatra ",
        "thanks ",
        "<b>",
    ],
)
def test_a_message_as_long_as_can_be_is_understood_like_any_other(piece: str) -> None:
    # What grew with the square of the length would take minutes here.
    body = (piece * 65_000)[:65_000]

    for event in (says(body), says(f"lycatra {body}"), says("", formatted_body=body)):
        assert outcome("dm", event).lane
