"""The concept network in torch, for learning only; `kgbuild.language.network` computes the same in numpy from the same names.

Parameters are called as they are stored. What is only used in learning (dropout, the head that guesses hidden words) has no share in
what is shipped.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from kgbuild.domains import DOMAINS
from kgbuild.language.inputs import HASHED, TEXT, TITLE
from kgbuild.language.model import LONGEST
from kgbuild.language.network import ATTENTION_REACH, FURTHEST, NEAREST, Shape, allowed_pairs

MARKS, PAIR_WIDTH, ROLE_WIDTH, DOMAIN_WIDTH = 16, 32, 96, 128
_ROWS = HASHED + 1


class Batch(NamedTuple):
    """Padded sentences: (n, t) rows of embedding tables, 0 where nothing stands; `classes` is (n, t, 3)."""

    word: Tensor
    suffix: Tensor
    prefix: Tensor
    shape: Tensor
    field: Tensor
    classes: Tensor

    @property
    def mask(self) -> Tensor:
        """Where words stand, (n, t)."""
        return self.word > 0


class Dropout(nn.Module):
    """The same features of all words of a sentence are dropped (Gal and Ghahramani 2016, arXiv:1512.05287): cheap, and stronger."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        """Drop, and scale what stays."""
        if not self.training or not self.rate:
            return x
        kept = torch.rand(x.shape[0], 1, x.shape[2]) >= self.rate
        return x * kept.to(x.dtype) / (1 - self.rate)


class Embedding(nn.Module):
    """Sum of what a word is, how it ends and begins, its casing, its field and its classes, normalised."""

    def __init__(self, n_words: int, width: int) -> None:
        super().__init__()
        self.w = nn.Embedding(n_words, width, padding_idx=0)
        self.s, self.p = (nn.Embedding(_ROWS, width, padding_idx=0) for _ in range(2))
        self.shape, self.flag = nn.Embedding(16, width), nn.Embedding(8, width)
        self.lex = nn.ModuleList([nn.Embedding(8, width) for _ in range(3)])
        for table in (self.w, self.s, self.p):
            nn.init.normal_(table.weight, 0, 0.06)
            table.weight.data[0] = 0
        for table in (self.shape, self.flag, *self.lex):
            nn.init.normal_(table.weight, 0, 0.03)
        self.ln = nn.LayerNorm(width)

    def forward(self, batch: Batch) -> Tensor:
        """(n, t, width)."""
        x = self.w(batch.word) + self.s(batch.suffix) + self.p(batch.prefix)
        x = x + self.shape(batch.shape) + self.flag(batch.field)
        for place, table in enumerate(self.lex):
            x = x + table(batch.classes[..., place])
        return self.ln(x)


class Block(nn.Module):
    """A window of three words, attention with a bias for each distance, a feed-forward layer; each added to what came in."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.ln0, self.conv = nn.LayerNorm(width), nn.Linear(3 * width, width)
        self.ln1, self.qkv, self.o = nn.LayerNorm(width), nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.rel = nn.Parameter(torch.zeros(heads, 2 * ATTENTION_REACH + 1))
        self.ln2, self.f1, self.f2 = nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, x: Tensor, mask: Tensor, gap: Tensor, drop: nn.Module) -> Tensor:
        """(n, t, width) -> the same."""
        n, t, width = x.shape
        y = functional.pad(self.ln0(x) * mask[..., None], (0, 0, 1, 1))
        x = x + drop(functional.relu(self.conv(torch.cat([y[:, :-2], y[:, 1:-1], y[:, 2:]], -1))))
        q, k, v = self.qkv(self.ln1(x)).view(n, t, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        attention = q @ k.transpose(-1, -2) / math.sqrt(width // self.heads) + self.rel[:, gap]
        attention = attention.masked_fill(~mask[:, None, None], -1e4).softmax(-1)
        x = x + drop(self.o((attention @ v).transpose(1, 2).reshape(n, t, width)))
        return x + drop(self.f2(functional.relu(self.f1(self.ln2(x)))))


class Encoder(nn.Module):
    """Embedding and blocks: what the guessing of hidden words trains first."""

    gap: Tensor

    def __init__(self, n_words: int, shape: Shape, *, dropout: float) -> None:
        super().__init__()
        self.emb = Embedding(n_words, shape.width)
        self.blocks = nn.ModuleList([Block(shape.width, shape.heads) for _ in range(shape.blocks)])
        self.ln, self.drop = nn.LayerNorm(shape.width), Dropout(dropout)
        place = torch.arange(LONGEST)
        gap = (place[None] - place[:, None]).clamp(-ATTENTION_REACH, ATTENTION_REACH) + ATTENTION_REACH
        self.register_buffer("gap", gap, persistent=False)

    def forward(self, batch: Batch) -> Tensor:
        """(n, t, width)."""
        t = batch.word.shape[1]
        x = self.drop(self.emb(batch))
        for block in self.blocks:
            x = block(x, batch.mask, self.gap[:t, :t], self.drop)
        return self.ln(x)


class PairScorer(nn.Module):
    """Log odds of "heads a concept" and "is part of a modifier" for words, and of "i modifies j" for pairs."""

    gap: Tensor

    def __init__(self, width: int, drop: nn.Module) -> None:
        super().__init__()
        self.drop = drop
        self.p, self.w = nn.Linear(width, ROLE_WIDTH), nn.Linear(width, ROLE_WIDTH)
        self.u = nn.Linear(ROLE_WIDTH, ROLE_WIDTH, bias=False)
        self.pb, self.wb = nn.Linear(ROLE_WIDTH, 1), nn.Linear(ROLE_WIDTH, 1)
        self.l1, self.l2 = nn.Linear(width, ROLE_WIDTH), nn.Linear(ROLE_WIDTH, 2)
        gaps = NEAREST + FURTHEST + 1
        self.rel, self.hr = nn.Embedding(gaps, 1), nn.Embedding(gaps, PAIR_WIDTH)
        self.mk = nn.Linear(width, MARKS)
        self.hp, self.hw = nn.Linear(ROLE_WIDTH, PAIR_WIDTH), nn.Linear(ROLE_WIDTH, PAIR_WIDTH)
        self.hb, self.ha = nn.Linear(MARKS, PAIR_WIDTH, bias=False), nn.Linear(MARKS, PAIR_WIDTH, bias=False)
        self.ho = nn.Linear(PAIR_WIDTH, 1, bias=False)
        nn.init.zeros_(self.rel.weight)
        self.hr.weight.data.mul_(0.1)
        place = torch.arange(LONGEST)
        self.register_buffer(
            "gap", (place[None] - place[:, None]).clamp(-FURTHEST, NEAREST) + FURTHEST, persistent=False
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """((n, t, t) links, (n, t, 2) roles)."""
        t = x.shape[1]
        part, whole = self.drop(functional.relu(self.p(x))), self.drop(functional.relu(self.w(x)))
        links = self.u(part) @ whole.transpose(1, 2) / math.sqrt(ROLE_WIDTH)
        links = links + self.pb(part) + self.wb(whole).transpose(1, 2) + self.rel(self.gap[:t, :t])[..., 0] - 2.0
        marks = functional.pad(torch.sigmoid(self.mk(x).float()).cumsum(1), (0, 0, 1, 0))
        before, upto = marks[:, :-1], marks[:, 1:]
        later = torch.triu(torch.ones(t, t), 1)[None, :, :, None]
        forward = torch.tanh((before[:, None] - upto[:, :, None]).clamp(min=0))
        back = torch.tanh((before[:, :, None] - upto[:, None]).clamp(min=0))
        hidden = self.hp(part)[:, :, None] + self.hw(whole)[:, None] + self.hr(self.gap[:t, :t])
        hidden = hidden + self.hb(forward * later) + self.ha(back * (1 - later))
        return links + self.ho(functional.relu(hidden))[..., 0], self.l2(self.drop(functional.relu(self.l1(x))))


class Mix(nn.Module):
    """Each word after it has seen what it seems to modify and what seems to modify it."""

    def __init__(self, width: int, drop: nn.Module) -> None:
        super().__init__()
        self.drop = drop
        self.v1, self.v2 = nn.Linear(width, ROLE_WIDTH), nn.Linear(width, ROLE_WIDTH)
        self.f1, self.f2 = nn.Linear(width + 4 * ROLE_WIDTH + 2, 2 * width), nn.Linear(2 * width, width)
        self.ln = nn.LayerNorm(width)

    def forward(self, x: Tensor, links: Tensor, roles: Tensor, allowed: Tensor) -> Tensor:
        """(n, t, width) -> the same."""
        held = torch.sigmoid(links) * allowed
        later = held * torch.triu(torch.ones(held.shape[1:]), 1)
        wholes, parts = self.v1(x), self.v2(x)
        seen = [x, held @ wholes, held.transpose(1, 2) @ parts, later @ wholes, later.transpose(1, 2) @ parts]
        hidden = functional.relu(self.f1(torch.cat([*seen, torch.sigmoid(roles)], -1)))
        return self.ln(x + self.f2(self.drop(hidden)))


class ConceptNet(nn.Module):
    """Encoder, scorers and mixes; returns the scores of every round, the last being what counts."""

    allowed: Tensor

    def __init__(self, encoder: Encoder, shape: Shape, *, dropout: float, word_dropout: float = 0.06) -> None:
        super().__init__()
        self.enc, self.shape, self.word_dropout = encoder, shape, word_dropout
        self.drop = Dropout(dropout)
        self.heads = nn.ModuleList([PairScorer(shape.width, self.drop) for _ in range(shape.rounds + 1)])
        self.mix = nn.ModuleList([Mix(shape.width, self.drop) for _ in range(shape.rounds)])
        self.register_buffer("allowed", torch.from_numpy(allowed_pairs(LONGEST)), persistent=False)

    def forward(self, batch: Batch) -> tuple[list[tuple[Tensor, Tensor]], Tensor]:
        """([(links, roles) of each round], allowed pairs (n, t, t))."""
        if self.training:
            batch = _with_gaps(batch, self.word_dropout)
        mask, t = batch.mask, batch.word.shape[1]
        allowed = self.allowed[:t, :t] & mask[:, None] & mask[:, :, None]
        x = self.drop(self.enc(batch))
        rounds = [self.heads[0](x)]
        for mix, scorer in zip(self.mix, list(self.heads)[1:], strict=True):
            x = mix(x, *rounds[-1], allowed)
            rounds.append(scorer(x))
        return rounds, allowed


class DomainReader(nn.Module):
    """(n, 2 width) words as the last round sees them and as embedded -> (n, kinds) log odds of each of `kgbuild.domains.DOMAINS`.

    In learning some embeddings are hidden, for the sake of words that have none of their own. Untrained it says nothing.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.drop = nn.Dropout(0.2)
        self.l1, self.l2 = nn.Linear(2 * width, DOMAIN_WIDTH), nn.Linear(DOMAIN_WIDTH, len(DOMAINS))
        nn.init.zeros_(self.l2.weight)
        nn.init.zeros_(self.l2.bias)

    def forward(self, words: Tensor) -> Tensor:
        """Unnormalised."""
        if self.training:
            hidden = (torch.rand(len(words), 1) < 0.3) & (torch.arange(words.shape[1]) >= words.shape[1] // 2)
            words = words.masked_fill(hidden, 0)
        said: Tensor = self.l2(self.drop(functional.relu(self.l1(self.drop(words)))))
        return said


def _with_gaps(batch: Batch, rate: float) -> Batch:
    """Some words unknown, some classes absent, some sentences in another casing, some titles read as text: as in other catalogues."""
    n, t = batch.word.shape
    word = batch.word.masked_fill((torch.rand(n, t) < rate) & (batch.word > 1), 1)
    classes = batch.classes.masked_fill((torch.rand(n, t) < 0.1)[..., None], 0)
    shape = batch.shape.masked_fill(torch.rand(n, t) < 0.05, 0)
    draw = torch.rand(n, 1)
    for casing, below, above in ((1, 0.0, 0.1), (2, 0.1, 0.2), (3, 0.2, 0.22)):
        shape = torch.where((draw >= below) & (draw < above) & (shape > 0), casing, shape)
    as_text = (torch.rand(n, 1) < 0.15) & (batch.field == TITLE)
    return batch._replace(word=word, classes=classes, shape=shape, field=batch.field.masked_fill(as_text, TEXT))
