"""Ranks sections by the words in them (Okapi BM25), in the memory of this process."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

_SATURATION: Final = 1.2  # BM25's k1: how soon a word said again counts no more
_LENGTH: Final = 0.75  # BM25's b: how much long sections are held back
_SHORTEST_BEGINNING: Final = 4
_AS_BEGINNING: Final = 0.4  # what a word counts that only begins like one that is looked for


class Ranking:
    """Made of the counted stems of all sections; changes no more."""

    def __init__(self, sections: Sequence[Mapping[str, int]], weights: Sequence[float]) -> None:
        """Sections are known by their position; `weights` are what their words count."""
        self._weights = weights
        self._postings: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for number, counts in enumerate(sections):
            for stem, count in counts.items():
                self._postings[stem].append((number, count))
        self._lengths = [sum(counts.values()) for counts in sections]
        self._usual = sum(self._lengths) / len(sections) if sections else 1.0

    def best(self, stems: Sequence[str]) -> Sequence[int]:
        """The sections that hold any of these, the best first; ties in their order."""
        scores: defaultdict[int, float] = defaultdict(float)
        for stem in stems:
            for known, weight in self._known(stem):
                rarity = self._rarity(known)
                for number, count in self._postings[known]:
                    worth = weight * rarity * self._weights[number]
                    scores[number] += worth * self._frequency(number, count)
        return sorted(scores, key=lambda number: (-scores[number], number))

    def _known(self, stem: str) -> Sequence[tuple[str, float]]:
        if stem in self._postings:
            return [(stem, 1.0)]
        if len(stem) < _SHORTEST_BEGINNING:
            return []
        return [(each, _AS_BEGINNING) for each in self._postings if each.startswith(stem)]

    def _rarity(self, stem: str) -> float:
        having, all_of_them = len(self._postings[stem]), len(self._lengths)
        return math.log(1 + (all_of_them - having + 0.5) / (having + 0.5))

    def _frequency(self, number: int, count: int) -> float:
        length = 1 - _LENGTH + _LENGTH * self._lengths[number] / self._usual
        return count * (_SATURATION + 1) / (count + _SATURATION * length)
