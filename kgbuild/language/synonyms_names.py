"""One name for each group of spellings, and how a longer name is rewritten with them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

LONGEST_RUN: Final = 4
"""Words of a name that is replaced inside of a longer one, at most."""

_ROUNDS: Final = 8


@dataclass(frozen=True)
class Naming:
    """What names are called: a rewriting of words, of runs of words, and names that are left as they are.

    Attributes:
        words: a word -> its canonical spelling, wherever the word stands.
        runs: a name of one or more words -> its canonical form, alone or inside of a longer name.
        left: names that stay as they are (somebody said so).
    """

    words: Mapping[str, str] = field(default_factory=dict)
    runs: Mapping[str, str] = field(default_factory=dict)
    left: frozenset[str] = frozenset()

    def canonical(self, name: str) -> str:
        """The canonical form of a head or unit; that of a canonical form is itself."""
        current = name
        for _ in range(_ROUNDS):
            if current in self.left:
                return current
            following = self._once(current)
            if following == current:
                return current
            current = following
        return name  # it turns in a circle: two runs that overlap, and neither is the right one

    def _once(self, name: str) -> str:
        words = [self.words.get(word, word) for word in name.split()]
        done: list[str] = []
        at = 0
        while at < len(words):
            lengths = range(min(len(words) - at, LONGEST_RUN), 0, -1)
            length = next((n for n in lengths if " ".join(words[at : at + n]) in self.runs), 1)
            run = " ".join(words[at : at + length])
            done.append(self.runs.get(run, run))
            at += length
        return " ".join(done)


def attach(
    names: Iterable[str],
    likely: Mapping[str, Sequence[str]],
    support: Mapping[str, int],
    apart: Collection[frozenset[str]] = (),
) -> dict[str, str]:
    """Name -> canonical name, for those that have another one.

    Names come in the order of falling support (ties by the alphabet) and each joins the group of the first of its `likely` names
    that came before it, unless the group holds a name that is to be kept apart from it. So the canonical name of a group is its
    most frequent one, and there are no chains and no cycles.
    """
    members: dict[str, set[str]] = {}
    root: dict[str, str] = {}
    for name in sorted(names, key=lambda one: (-support.get(one, 0), one)):
        groups = (root[other] for other in likely.get(name, ()) if other in root)
        free = (one for one in groups if not any(frozenset({name, member}) in apart for member in members[one]))
        root[name] = next(free, name)
        members.setdefault(root[name], set()).add(name)
    return {name: canonical for name, canonical in root.items() if name != canonical}
