"""Universal Dependencies English as training documents for catalogue language.

Source: UD English EWT (CC BY-SA 4.0). Words that the treebank splits at hyphens are joined again, and casing is varied,
because titles come in Title Case and descriptions in any.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from spacy.tokens import Doc
from spacy.vocab import Vocab


@dataclass
class Sentence:
    """One parsed sentence; `heads` are indices into the same lists, a root points to itself."""

    words: list[str]
    spaces: list[bool]
    tags: list[str]
    heads: list[int]
    deps: list[str]


def read_conllu(path: Path) -> Iterator[Sentence]:
    """Sentences of a CoNLL-U file with hyphenated words joined."""
    for block in path.read_text("utf-8").split("\n\n"):
        rows = [line.split("\t") for line in block.splitlines() if line and not line.startswith("#")]
        if rows:
            yield _join_hyphens(_sentence(rows))


def _sentence(rows: list[list[str]]) -> Sentence:
    glued_until: dict[int, bool] = {}
    for row in rows:
        if "-" in row[0]:
            first, last = (int(part) for part in row[0].split("-"))
            glued_until |= dict.fromkeys(range(first, last), False)
            glued_until[last] = "SpaceAfter=No" not in row[9]
    rows = [row for row in rows if row[0].isdigit()]
    spaces = [glued_until.get(int(row[0]), "SpaceAfter=No" not in row[9]) for row in rows]
    heads = [int(row[6]) - 1 if row[6] != "0" else place for place, row in enumerate(rows)]
    deps = ["ROOT" if row[7] == "root" else row[7].split(":")[0] if row[7] not in _KEPT else row[7] for row in rows]
    return Sentence([row[1] for row in rows], spaces, [row[4] for row in rows], heads, deps)


_KEPT = frozenset({"nsubj:pass", "acl:relcl", "compound:prt", "nmod:poss"})


def _join_hyphens(sentence: Sentence) -> Sentence:
    groups: list[list[int]] = []
    for place, word in enumerate(sentence.words):
        glued = place > 0 and not sentence.spaces[place - 1]
        after_hyphen = glued and place > 1 and sentence.words[place - 1] == "-" and len(groups[-1]) > 1
        opens_hyphen = glued and word == "-" and not sentence.spaces[place] and sentence.words[place - 1][-1:].isalpha()
        if groups and (opens_hyphen or after_hyphen):
            groups[-1].append(place)
        else:
            groups.append([place])
    group_of = {place: index for index, group in enumerate(groups) for place in group}
    joined = Sentence([], [], [], [], [])
    for group in groups:
        lead = min(group, key=lambda place: (_depth(sentence.heads, place), -place))  # the topmost: no cycle can arise
        joined.words.append("".join(sentence.words[p] for p in group))
        joined.spaces.append(sentence.spaces[group[-1]])
        joined.tags.append(_joined_tag(sentence, group, lead))
        joined.heads.append(group_of[sentence.heads[lead]])
        joined.deps.append(sentence.deps[lead])
    return joined


def _depth(heads: list[int], place: int) -> int:
    depth = 0
    while heads[place] != place:
        place, depth = heads[place], depth + 1
    return depth


def _joined_tag(sentence: Sentence, group: list[int], lead: int) -> str:
    adjectival = len(group) > 1 and sentence.deps[lead] == "amod"
    return "JJ" if adjectival else sentence.tags[lead]


def vary(sentence: Sentence, rng: random.Random) -> Sentence:
    """The sentence in lower case (most often), as written, or in Title Case; its full stop is sometimes dropped."""
    words, draw = sentence.words, rng.random()
    if draw < 0.6:
        words = [word.lower() for word in words]
    elif draw < 0.75:
        words = [word[:1].upper() + word[1:] for word in words]
    end = len(words)
    if end > 2 and words[-1] in ".!" and end - 1 not in sentence.heads[:-1] and rng.random() < 0.5:
        end -= 1
    return Sentence(words[:end], sentence.spaces[:end], sentence.tags[:end], sentence.heads[:end], sentence.deps[:end])


def to_doc(sentences: list[Sentence], vocab: Vocab) -> Doc:
    """One document of consecutive sentences with gold tags, heads and dependency labels."""
    words: list[str] = []
    spaces: list[bool] = []
    tags: list[str] = []
    heads: list[int] = []
    deps: list[str] = []
    starts: list[bool | int | None] = []
    for sentence in sentences:
        offset = len(words)
        words += sentence.words
        spaces += [*sentence.spaces[:-1], True]
        tags += sentence.tags
        heads += [offset + head for head in sentence.heads]
        deps += sentence.deps
        starts += [place == 0 for place in range(len(sentence.words))]
    return Doc(vocab, words=words, spaces=spaces, tags=tags, heads=heads, deps=deps, sent_starts=starts)
