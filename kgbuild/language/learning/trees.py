"""A dependency tree that is corrected by links between its words, under the conventions of UD English."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass

from kgbuild.language.learning.attachment import BELOW
from kgbuild.language.learning.treebank import Sentence

Links = Mapping[int, Set[int]]
"""A modifier's place -> the places of what it modifies."""

_FAR = 10
"""Words between a modifier and a head after it, at most."""
_NOUNS = ("NN", "NNS", "NNP", "NNPS")
_BREAKS = frozenset({"IN", "TO", "VBZ", "VBP", "MD", "WDT", "WP", ".", ":"})
"""Tags that no noun phrase has before its head."""
_NO_NOUN = frozenset({"advmod", "advcl", "amod", "aux", "case", "cc", "cop", "det", "mark"})
"""Arcs that lead to no noun."""
_VERBAL = frozenset({"aux", "aux:pass", "cop"})
_OF_THE_PHRASE = frozenset({"case", "cc", "det", "mark", "nmod:poss", "punct"})
_MOVES_ALONG = frozenset({",", "CC", ":"})


@dataclass
class Tree(Sentence):
    """A sentence whose arcs move; `heads[i] == i` says a root, of which there may be several."""

    def correct(self, links: Links, listed: Set[int], *, is_title: bool) -> bool:
        """Hang every modifier below what it modifies; whether a sound tree came of it.

        Args:
            links: what is modified by what.
            listed: places that head a concept; they become nouns.
            is_title: a title is one phrase.
        """
        for place in listed:
            if self.tags[place] not in _NOUNS:
                self.tags[place] = "NNS" if self.words[place].lower().endswith("s") else "NN"
        before = sorted(
            (min(head for head in links[part] if head > part), -part) for part in links if max(links[part]) > part
        )
        for head, minus in before:
            if not self._agrees(-minus, links) and not self._hang_before(-minus, head):
                return False
        for part in sorted(part for part in links if max(links[part]) < part):
            if not self._agrees(part, links) and not self._hang_after(part, links):
                return False
        if is_title and listed:
            self._gather(max(listed))
        if not self._is_tree():
            return False
        self._follow(links)
        if any(self.deps[place] in _NO_NOUN for place in listed - links.keys()):
            return False
        return self._is_sound() and all(self._agrees(part, links) for part in links)

    def _agrees(self, part: int, links: Links) -> bool:
        """Whether the first linked word above a modifier is its own, or takes it ("and", "of", "made in") and shares an own with it."""
        if self._is_predicate(part):
            return True
        place, linked = part, links.keys() | {head for heads in links.values() for head in heads}
        for _ in self.words:
            if self.heads[place] == place or not self._is_nominal(place):
                return False
            joined = self.deps[place] in ("conj", "obl") or self._case(place) == "of"
            place = self.heads[place]
            if place in links[part] or (joined and links[part] & links.get(place, frozenset())):
                return True
            if place in linked:
                return False
        return False

    def _is_nominal(self, place: int) -> bool:
        dep = self.deps[place]
        return dep.split(":")[0] in BELOW or (dep == "advmod" and self.tags[self.heads[place]] not in _NOUNS)

    def _is_predicate(self, part: int) -> bool:
        """Said of its noun by a verb ("is made of cotton"): no arc of a noun phrase, and rightly so."""
        above = (part, self.heads[part])
        return any(dep in _VERBAL and head in above for dep, head in zip(self.deps, self.heads, strict=True))

    def _hang_before(self, part: int, head: int) -> bool:
        if head - part > _FAR or any(self.tags[place] in _BREAKS for place in range(part + 1, head)):
            return False
        word, noun = self.words[part].lower(), self.tags[head] in _NOUNS
        if self.tags[part] in ("VBD", "VB", "VBP", "VBZ") or (noun and self.tags[part] == "RB"):
            other = "JJ" if self.tags[part] == "RB" else "NN"
            self.tags[part] = "VBN" if word.endswith("ed") else "VBG" if word.endswith("ing") else other
        self._hang(part, head, self._label_before(part) if noun or self.tags[part] != "RB" else "advmod")
        return True

    def _label_before(self, part: int) -> str:
        if self.tags[part] in _NOUNS:
            return "compound"
        return "nummod" if self.tags[part] == "CD" else "amod"

    def _hang_after(self, part: int, links: Links) -> bool:
        """A phrase after its noun: "with stripes", "made of cotton", "embroidered", or one more of a list of such."""
        head, verb, start = max(place for place in links[part] if place < part), self.heads[part], self._start(part)
        participle = self.tags[part] in ("VBN", "VBD", "VBG")
        if start and self.tags[start - 1] == "IN" and not participle and not self._is_above(start - 1, part):
            self.heads[start - 1], self.deps[start - 1] = part, "case"
        if self._case(part):
            if head < verb == start - 2 and self.tags[verb] in ("VBN", "VBD"):
                self.deps[part], self.tags[verb] = "obl", "VBN"
                self._hang(verb, head, "acl")
            else:
                self._hang(part, head, "nmod")
            return True
        others = [other for other in links if head < other < start and links[other] & links[part]]
        if others and self.tags[start - 1] in (",", "CC"):
            self._hang(part, next((other for other in sorted(others) if self._case(other)), min(others)), "conj")
            return True
        if participle:
            self.tags[part] = "VBN" if self.tags[part] == "VBD" else self.tags[part]
            self._hang(part, head, "acl")
        return participle

    def _start(self, part: int) -> int:
        """The first word of the noun phrase that ends with a noun."""
        start = part
        while start and (self._is_above(part, start - 1) or self.tags[start - 1] in ("DT", "CD", "PRP$")):
            if self.tags[start - 1] in ("IN", "CC", ","):
                break
            start -= 1
        return start

    def _case(self, part: int) -> str:
        """The preposition of a phrase, in lower case; nothing if it has none."""
        cases = (c for c in range(part) if self.heads[c] == part and self.deps[c] == "case")
        return next((self.words[case].lower() for case in cases), "")

    def _hang(self, part: int, head: int, dep: str) -> None:
        """An arc from `head` to `part`; where `head` stood below `part` it takes its place, and what `part` governs beyond it."""
        if self._is_above(part, head):
            low, high = min(part, head), max(part, head)
            self.heads[head], self.deps[head] = self._place_of(part, head)
            for child in range(len(self.words)):
                if self.heads[child] != part or child in (part, head) or low < child < high:
                    continue
                if (child > part) == (head > part) or self.deps[child] in _OF_THE_PHRASE:
                    self.heads[child] = head
                    self.deps[child] = "case" if self.deps[child] == "mark" else self.deps[child]
        self.heads[part], self.deps[part] = head, dep

    def _place_of(self, part: int, new: int) -> tuple[int, str]:
        """Where `new` stands when it takes the place of `part`."""
        return (new, "ROOT") if self.heads[part] == part else (self.heads[part], self.deps[part])

    def _is_above(self, upper: int, place: int) -> bool:
        for _ in self.words:
            place = self.heads[place]
            if place == upper:
                return True
        return False

    def _gather(self, head: int) -> None:
        """A title is one phrase: what stands before its last head and has no place below it (a brand, a line) hangs on it."""
        if any(self.tags[place] in _BREAKS for place in range(head)):
            return
        inside = [self._is_above(head, place) for place in range(head)]
        above = self.heads[head]
        if above < head and above != head:
            self.heads[head], self.deps[head] = self._place_of(above, head)
        for place in range(head):
            if not (inside[place] or self._is_above(place, head)) and (
                self.heads[place] == place or self.heads[place] >= head or inside[self.heads[place]]
            ):
                self.heads[place] = head
                self.deps[place] = self._label_before(place)

    def _follow(self, links: Links) -> None:
        """Words that the links do not speak of, and whose arcs now cross others, go where their neighbours went."""
        for place in range(len(self.words) - 1):
            if place in links or not self._crosses(place):
                continue
            if self.tags[place] in _MOVES_ALONG:
                top = place + 1
                while self.heads[top] != top and self.heads[top] > place:
                    top = self.heads[top]
                dep = "cc" if self.tags[place] == "CC" else "punct"
            elif self.heads[place] > place:
                top = max([self.heads[place], *(self.heads[inner] for inner in range(place + 1, self.heads[place]))])
                dep = self.deps[place]
            else:
                continue
            if top != place and not self._is_above(place, top):
                self.heads[place], self.deps[place] = top, dep

    def _crosses(self, place: int) -> bool:
        low, high = sorted((place, self.heads[place]))
        return any(not low <= self.heads[inner] <= high for inner in range(low + 1, high)) or any(
            min(other, self.heads[other]) < place < max(other, self.heads[other])
            and not min(other, self.heads[other]) <= self.heads[place] <= max(other, self.heads[other])
            for other in range(len(self.words))
        )

    def _is_tree(self) -> bool:
        """Whether every word's arcs lead up to a root."""
        return not any(self.heads[place] != place and self._is_above(place, place) for place in range(len(self.words)))

    def _is_sound(self) -> bool:
        """No cycle, no crossing arcs, no arc over a root."""
        size = len(self.words)
        if not self._is_tree():
            return False
        return not any(
            not low <= self.heads[inner] <= high or self.heads[inner] == inner
            for low, high in (sorted((place, self.heads[place])) for place in range(size))
            for inner in range(low + 1, high)
        )

    def sentences(self) -> Iterator[Sentence]:
        """One for each root; a sound tree has its parts side by side."""
        size = len(self.words)
        roots = [self._root(place) for place in range(size)]
        start = 0
        for end in range(1, size + 1):
            if end == size or roots[end] != roots[start]:
                deps = ["ROOT" if self.heads[p] == p else self.deps[p] for p in range(start, end)]
                heads = [self.heads[p] - start for p in range(start, end)]
                yield Sentence(self.words[start:end], self.spaces[start:end], self.tags[start:end], heads, deps)
                start = end

    def _root(self, place: int) -> int:
        while self.heads[place] != place:
            place = self.heads[place]
        return place
