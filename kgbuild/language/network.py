"""The concept network in numpy: which words head a concept, which modify which, and what kind of thing a head names.

Learned by `kgbuild.language.learning.fit` in torch. An encoder of blocks (a window of three words, self-attention with a learned bias
for each distance, a feed-forward layer) reads the words of one sentence; a pair scorer looks at both words, their distance and what
stands between them (sums of learned marks), and looks again after each word has seen what it seems to modify and what seems to modify
it.

All sentences of a call have the same number of words, so nothing is padded and a sentence's scores do not depend on its company, rounding
aside (`kgbuild.language.model` reads a sentence alone where rounding could decide).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file, save_file

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Weights = Mapping[str, Floats]

NEAREST, FURTHEST = 16, 32
"""Distances beyond these, before and after a word, count as these."""
BEFORE, AFTER = 12, 40
"""A modifier stands at most so many words before, and so many after, what it modifies."""
ATTENTION_REACH = 16


@dataclass(frozen=True)
class Shape:
    """Sizes of a network, stored beside its weights."""

    width: int
    heads: int
    blocks: int
    rounds: int


@dataclass(frozen=True)
class Inputs:
    """The words of n sentences of t words each as rows of embedding tables: all (n, t) but `classes`, (n, t, 3)."""

    word: Ints
    suffix: Ints
    prefix: Ints
    shape: Ints
    field: Ints
    classes: Ints


class Scores(NamedTuple):
    """Log odds that a word heads a concept, (n, t), and that word i modifies word j, (n, t, t).

    `words` are the words as last seen beside the words as they came in, (n, t, 2 width).
    """

    listed: Floats
    links: Floats
    words: Floats


@dataclass(frozen=True)
class Network:
    """Weights and sizes; `scores` is a pure function of both and the inputs."""

    weights: Weights
    shape: Shape

    @classmethod
    def load(cls, folder: Path) -> Network:
        """Read `network.safetensors` (float16, computed with in float32) and `network.json`."""
        half = load_file(folder / "network.safetensors")
        shape = Shape(**json.loads((folder / "network.json").read_text("utf-8")))
        return cls({name: np.ascontiguousarray(w, np.float32) for name, w in half.items()}, shape)

    def save(self, folder: Path) -> None:
        """Write what `load` reads."""
        half = {name: w.astype(np.float16) for name, w in self.weights.items()}
        save_file(half, folder / "network.safetensors")
        (folder / "network.json").write_text(json.dumps(asdict(self.shape), sort_keys=True), "utf-8")

    def scores(self, inputs: Inputs) -> Scores:
        """What heads a concept and what modifies what."""
        embedded = self._embed(inputs)
        x = self._encode(embedded)
        allowed = allowed_pairs(inputs.word.shape[1])
        links, listed = self._pair_scores("heads.0", x), self._listed_scores("heads.0", x)
        for turn in range(self.shape.rounds):
            x = self._seen_links(f"mix.{turn}", x, links, listed, allowed)
            links, listed = self._pair_scores(f"heads.{turn + 1}", x), self._listed_scores(f"heads.{turn + 1}", x)
        return Scores(listed[..., 0], np.where(allowed, links, -30.0), np.concatenate([x, embedded], -1))

    def domains(self, words: Floats) -> Floats:
        """(n, 2 width) words as `scores` saw them -> (n, kinds) unnormalised log odds of each of `kgbuild.domains.DOMAINS`."""
        return self._linear("domain.l2", _relu(self._linear("domain.l1", words)))

    def _embed(self, inputs: Inputs) -> Floats:
        w = self.weights
        x = (
            w["enc.emb.w.weight"][inputs.word]
            + w["enc.emb.s.weight"][inputs.suffix]
            + w["enc.emb.p.weight"][inputs.prefix]
        )
        x += w["enc.emb.shape.weight"][inputs.shape] + w["enc.emb.flag.weight"][inputs.field]
        for place in range(3):
            x += w[f"enc.emb.lex.{place}.weight"][inputs.classes[..., place]]
        return self._norm("enc.emb.ln", x)

    def _encode(self, x: Floats) -> Floats:
        for block in range(self.shape.blocks):
            x = self._block(f"enc.blocks.{block}", x)
        return self._norm("enc.ln", x)

    def _block(self, name: str, x: Floats) -> Floats:
        n, t, width = x.shape
        heads = self.shape.heads
        y = self._norm(f"{name}.ln0", x)
        window = np.zeros((n, t, 3 * width), np.float32)
        window[:, 1:, :width], window[..., width : 2 * width], window[:, :-1, 2 * width :] = y[:, :-1], y, y[:, 1:]
        x = x + _relu(self._linear(f"{name}.conv", window))
        q, k, v = (
            self._linear(f"{name}.qkv", self._norm(f"{name}.ln1", x))
            .reshape(n, t, 3, heads, -1)
            .transpose(2, 0, 3, 1, 4)
        )
        gap = np.clip(np.arange(t)[None] - np.arange(t)[:, None], -ATTENTION_REACH, ATTENTION_REACH) + ATTENTION_REACH
        attention = (
            q @ k.transpose(0, 1, 3, 2) * np.float32(1 / math.sqrt(width // heads))
            + self.weights[f"{name}.rel"][:, gap]
        )
        attention = np.exp(attention - attention.max(-1, keepdims=True))
        attention /= attention.sum(-1, keepdims=True)
        x = x + self._linear(f"{name}.o", (attention @ v).transpose(0, 2, 1, 3).reshape(n, t, width))
        return x + self._linear(f"{name}.f2", _relu(self._linear(f"{name}.f1", self._norm(f"{name}.ln2", x))))

    def _pair_scores(self, name: str, x: Floats) -> Floats:
        w, t = self.weights, x.shape[1]
        part, whole = _relu(self._linear(f"{name}.p", x)), _relu(self._linear(f"{name}.w", x))
        gap = np.clip(np.arange(t)[None] - np.arange(t)[:, None], -FURTHEST, NEAREST) + FURTHEST
        total = (part @ w[f"{name}.u.weight"].T) @ whole.transpose(0, 2, 1) * np.float32(1 / math.sqrt(part.shape[-1]))
        total += self._linear(f"{name}.pb", part) + self._linear(f"{name}.wb", whole).transpose(0, 2, 1)
        total += w[f"{name}.rel.weight"][gap, 0] - np.float32(2)
        hidden = self._linear(f"{name}.hp", part)[:, :, None] + self._linear(f"{name}.hw", whole)[:, None]
        hidden += w[f"{name}.hr.weight"][gap]
        marks = np.cumsum(_logistic(self._linear(f"{name}.mk", x)), 1, dtype=np.float32)
        first, second = np.triu_indices(t, 1)
        # marks strictly between the two: what is summed before the later word, less what is summed up to the earlier
        between = np.tanh(np.maximum(marks[:, second - 1] - marks[:, first], 0))
        n, pairs, n_marks = between.shape
        flat = between.reshape(-1, n_marks)
        hidden[:, first, second] += (flat @ w[f"{name}.hb.weight"].T).reshape(n, pairs, hidden.shape[-1])
        hidden[:, second, first] += (flat @ w[f"{name}.ha.weight"].T).reshape(n, pairs, hidden.shape[-1])
        return total + _relu(hidden) @ w[f"{name}.ho.weight"][0]

    def _listed_scores(self, name: str, x: Floats) -> Floats:
        return self._linear(f"{name}.l2", _relu(self._linear(f"{name}.l1", x)))

    def _seen_links(
        self, name: str, x: Floats, links: Floats, listed: Floats, allowed: npt.NDArray[np.bool_]
    ) -> Floats:
        """Each word after it has seen its likely wholes and parts."""
        held = _logistic(links) * allowed
        later = held * np.triu(np.ones(held.shape[1:], np.float32), 1)
        wholes, parts = self._linear(f"{name}.v1", x), self._linear(f"{name}.v2", x)
        seen = [x, held @ wholes, held.transpose(0, 2, 1) @ parts, later @ wholes, later.transpose(0, 2, 1) @ parts]
        seen.append(_logistic(listed))
        hidden = _relu(self._linear(f"{name}.f1", np.concatenate(seen, -1)))
        return self._norm(f"{name}.ln", x + self._linear(f"{name}.f2", hidden))

    def _linear(self, name: str, x: Floats) -> Floats:
        out: Floats = (
            x.reshape(-1, x.shape[-1]) @ self.weights[f"{name}.weight"].T
        )  # one large product, not one a sentence
        out += self.weights[f"{name}.bias"]
        return out.reshape(*x.shape[:-1], out.shape[-1])

    def _norm(self, name: str, x: Floats) -> Floats:
        x = x - x.mean(-1, keepdims=True)
        x /= np.sqrt(np.einsum("...i,...i->...", x, x)[..., None] / np.float32(x.shape[-1]) + np.float32(1e-5))
        out: Floats = x * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]
        return out


def allowed_pairs(t: int) -> npt.NDArray[np.bool_]:
    """Which (modifier, modified) places may be linked, (t, t)."""
    gap = np.arange(t)[None] - np.arange(t)[:, None]
    allowed: npt.NDArray[np.bool_] = ((gap > 0) & (gap <= BEFORE)) | ((gap < 0) & (gap >= -AFTER))
    return allowed


def _relu(x: Floats) -> Floats:
    return np.maximum(x, np.float32(0), out=x)


def _logistic(x: Floats) -> Floats:
    return np.float32(0.5) * (np.float32(1) + np.tanh(np.float32(0.5) * x))  # does not overflow
