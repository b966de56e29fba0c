"""What `!usage` says: to everybody the own use of today, to admins that of all."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from math import ceil
from typing import Final
from zoneinfo import ZoneInfo

from lycatra_appservice.budgets.budgets import Budgets
from lycatra_appservice.budgets.limits import UNLIMITED, Payer
from lycatra_appservice.budgets.store import UsedTokens
from lycatra_appservice.chat import budget_words as words
from lycatra_appservice.matrix.room_view import RoomView
from lycatra_appservice.matrix.rooms import RoomStore
from lycatra_appservice.model import RoomID, UserID
from lycatra_appservice.toolkit.rights import Rights
from lycatra_appservice.words.text import Said, Text

_DAYS: Final = 30
_SPANS: Final = (1, 7, _DAYS)  # the columns
_MOST_ROWS: Final = 10  # of people, rooms and models, the heaviest first
_LONGEST_NAME: Final = 60
_BARS: Final = "▁▂▃▄▅▆▇█"


class UsagePage:
    """Reads the budgets."""

    def __init__(self, budgets: Budgets, rights: Rights, rooms: RoomStore, zone: ZoneInfo) -> None:
        self._budgets = budgets
        self._rights = rights
        self._rooms = rooms
        self._zone = zone

    async def own(self, asker: UserID, room: RoomView) -> Text:
        """What the asker, and all people of the room together, have used today."""
        level = await self._rights.level(asker, room.room_id)
        payer = Payer(person=asker, level=level, room_id=room.room_id)
        now = await self._budgets.standing(payer)
        lines: list[Said] = [
            words.usage_own(
                now.used.of_person,
                now.person.tokens_per_day,
                now.ends_in,
                is_estimated=now.used.is_estimated,
            )
        ]
        if not room.is_direct:
            lines.append(words.usage_room(now.used.of_room, now.room.tokens_per_day))
        if now.person.turns_per_minute < UNLIMITED:
            lines.append(words.usage_turns(now.person.turns_per_minute))
        return words.usage(lines)

    async def of_all(self) -> Text:
        """The whole installation, which only its admins may read."""
        used = await self._budgets.used_in(_DAYS)
        today = self._budgets.today
        a_day = _by_day(used, today)
        if not any(a_day):
            return words.usage_nothing(_DAYS)
        rows = await self._rows(used, today)
        return words.usage_of_all(bars(a_day), max(a_day), rows, self._zone.key)

    async def _rows(self, used: Sequence[UsedTokens], today: date) -> Sequence[Said]:
        rooms = {each.room_id: await self._name_of(each.room_id) for each in used}
        naming: Mapping[str, Callable[[UsedTokens], str]] = {
            "person": lambda each: each.person,
            "room": lambda each: rooms[each.room_id],
            "level": lambda each: each.level,
            "model": lambda each: each.model,
        }
        total = words.usage_row(words.usage_head("all"), _tokens(used, today))
        rows: list[Said] = [total]
        for of, name in naming.items():
            rows += [words.usage_row(words.usage_head(of), (0, 0, 0)), *_table(used, today, name)]
        return rows

    async def _name_of(self, room_id: RoomID | None) -> str:
        room = await self._rooms.known(room_id) if room_id else None
        return (room.name if room else None) or room_id or ""


def bars(values: Sequence[int]) -> str:
    """A character for each value, by its share of the highest; the lowest one for nothing."""
    highest = max(values, default=0) or 1
    return "".join(_BARS[ceil(value / highest * (len(_BARS) - 1))] for value in values)


def _by_day(used: Sequence[UsedTokens], today: date) -> Sequence[int]:
    """The tokens of each of the last days, today last."""
    of_day: Counter[date] = Counter()
    for each in used:
        of_day[each.day] += each.tokens
    return [of_day[today - timedelta(days=ago)] for ago in reversed(range(_DAYS))]


def _table(
    used: Sequence[UsedTokens], today: date, name: Callable[[UsedTokens], str]
) -> Iterator[Said]:
    grouped: defaultdict[str, list[UsedTokens]] = defaultdict(list)
    for each in used:
        grouped[name(each)].append(each)
    heaviest = sorted(grouped.items(), key=lambda item: -_tokens(item[1], today)[-1])
    shown, rest = heaviest[:_MOST_ROWS], heaviest[_MOST_ROWS:]
    for title, those in shown:
        yield words.usage_row(_in_a_cell(title), _tokens(those, today))
    if rest:
        others = [each for _, those in rest for each in those]
        yield words.usage_row(words.usage_others(len(rest)), _tokens(others, today))


def _tokens(used: Sequence[UsedTokens], today: date) -> tuple[int, int, int]:
    """Those of today, a week and a month."""
    one, week, month = (
        sum(each.tokens for each in used if each.day > today - timedelta(days=days))
        for days in _SPANS
    )
    return one, week, month


def _in_a_cell(name: str) -> str:
    """Somebody's words as code that neither ends early nor breaks the table."""
    plain = " ".join(name.replace("`", "'").replace("|", "/").split())
    return f"`{plain[:_LONGEST_NAME]}`" if plain else ""
