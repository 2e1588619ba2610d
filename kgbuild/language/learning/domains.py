"""Learning what kind of thing a head noun names, from labelled head nouns and the catalogue's own sentences.

The words as a learned concept network sees them, in their sentences, are what is learned from; the network itself stays as it is. A head
noun gives at most `MOST` of its places, so that rare ones count.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from kgbuild.domains import DOMAINS
from kgbuild.errors import CatalogueError
from kgbuild.language.canonical import head_lemma
from kgbuild.language.inputs import SentenceRows, sentence_rows, stacked
from kgbuild.language.learning.networks import DomainReader
from kgbuild.language.learning.samples import Text, text_atoms
from kgbuild.language.model import ConceptModel, logit

MOST = 60
_TOGETHER, _BATCH, _FOLDS = 3072, 512, 5
_FIRST_SHARE = 0.65
"""How much of a head noun with two senses counts as the first."""

Floats = npt.NDArray[np.float32]


def read_head_domains(path: Path) -> dict[str, tuple[str, ...]]:
    """`head<TAB>domain` or `head<TAB>domain,domain`, the commoner first, a line each.

    Raises:
        CatalogueError: a line has no tab or names another domain.
    """
    found = {}
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        head, _, domains = line.partition("\t")
        found[head] = tuple(domains.split(","))
        if not set(found[head]) <= set(DOMAINS):
            raise CatalogueError(f"line {number} of {path}: {line!r}", f"write head, tab, one of {', '.join(DOMAINS)}")
    return found


@dataclass(frozen=True)
class HeadWords:
    """n places where a head noun stands: the noun, and the word as `Scores.words` has it, (n, 2 width)."""

    heads: list[str]
    words: Floats


def head_words(model: ConceptModel, texts: Iterable[Text], known: Iterable[str], *, seed: int) -> HeadWords:
    """Where head nouns of `known` head a concept in the distinct sentences of texts, in an order drawn by `seed`."""
    wanted, times = frozenset(known), Counter[str]()
    heads: list[str] = []
    words: list[Floats] = []
    for pieces in _alike(_pieces(model, texts, seed)):
        scores = model.network.scores(stacked([piece.rows for piece in pieces]))
        for row, place in np.argwhere(scores.listed > logit(model.listed)).tolist():
            head = head_lemma(pieces[row].words[place])
            if head in wanted and times[head] < MOST:
                times[head] += 1
                heads.append(head)
                words.append(scores.words[row, place])
    return HeadWords(heads, np.array(words, np.float32).reshape(len(heads), 2 * model.network.shape.width))


class _Piece(NamedTuple):
    rows: SentenceRows
    words: Sequence[str]


def _pieces(model: ConceptModel, texts: Iterable[Text], seed: int) -> Iterator[_Piece]:
    distinct = sorted(set(texts))
    random.Random(seed).shuffle(distinct)
    seen = set()
    for text, is_title in distinct:
        atoms, pieces = text_atoms(text, model.lexicon)
        for start, end in pieces:
            key = (is_title, *atoms.word[start:end])
            if key not in seen:
                seen.add(key)
                rows = sentence_rows(atoms, start, end, model.vocabulary, is_title=is_title)
                yield _Piece(rows, atoms.word[start:end])


def _alike(pieces: Iterable[_Piece]) -> Iterator[list[_Piece]]:
    """Lots of pieces of one length."""
    lots: dict[int, list[_Piece]] = defaultdict(list)
    for piece in pieces:
        lots[len(piece.rows)].append(piece)
        if len(piece.rows) * len(lots[len(piece.rows)]) >= _TOGETHER:
            yield lots.pop(len(piece.rows))
    yield from lots.values()


def train_domains(
    found: HeadWords, labels: Mapping[str, Sequence[str]], *, epochs: int = 15, seed: int
) -> DomainReader:
    """A reader of the words of labelled head nouns; a noun counts by the root of its places."""
    torch.manual_seed(seed)
    reader = DomainReader(found.words.shape[1] // 2)
    words, target = torch.from_numpy(found.words), torch.from_numpy(_targets(found.heads, labels))
    times = Counter(found.heads)
    weight = torch.tensor([times[head] ** -0.5 for head in found.heads])
    optimizer = torch.optim.AdamW(reader.parameters(), lr=3e-3, weight_decay=0.3)
    for epoch in range(epochs):
        reader.train()
        optimizer.param_groups[0]["lr"] = 3e-3 * 0.93**epoch
        for some in torch.randperm(len(words)).split(_BATCH):
            losses = functional.cross_entropy(reader(words[some]), target[some], reduction="none")
            loss = (losses * weight[some]).sum() / weight[some].sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return reader.eval()


def held_out_domains(found: HeadWords, labels: Mapping[str, Sequence[str]], *, seed: int) -> float:
    """The share of head nouns whose domain readers find that did not learn from that noun (five folds)."""
    nouns = sorted(set(found.heads))
    fold_of = {head: place % _FOLDS for place, head in enumerate(nouns)}
    fold = np.array([fold_of[head] for head in found.heads])
    said: dict[str, Floats] = {}
    for number in range(_FOLDS):
        taught, asked = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        reader = train_domains(_only(found, taught), labels, seed=seed)
        with torch.no_grad():
            odds = reader(torch.from_numpy(found.words[asked])).softmax(-1).numpy()
        for place, row in zip(asked.tolist(), odds, strict=True):
            said[found.heads[place]] = said.get(found.heads[place], np.float32(0)) + row
    return float(np.mean([DOMAINS[int(said[head].argmax())] in labels[head] for head in nouns]))


def _only(found: HeadWords, rows: npt.NDArray[np.intp]) -> HeadWords:
    return HeadWords([found.heads[row] for row in rows], found.words[rows])


def _targets(heads: Sequence[str], labels: Mapping[str, Sequence[str]]) -> Floats:
    target = np.zeros((len(heads), len(DOMAINS)), np.float32)
    for row, head in enumerate(heads):
        first, *further = labels[head]
        target[row, DOMAINS.index(first)] = _FIRST_SHARE if further else 1.0
        for domain in further:
            target[row, DOMAINS.index(domain)] = (1 - _FIRST_SHARE) / len(further)
    return target
