"""Learning the concept network: hidden words first, then annotated texts with what several networks agree on in the catalogue.

Pure functions of their arguments, the seed and the number of threads. Only the recipe calls this; only this and `networks` need torch.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from kgbuild.language.inputs import TEXT, TITLE, UNKNOWN, SentenceRows
from kgbuild.language.learning.networks import Batch, ConceptNet, DomainReader, Encoder
from kgbuild.language.network import Network, Shape

Progress = Callable[[str], None]
SHAPE = Shape(width=128, heads=4, blocks=3, rounds=1)


@dataclass(frozen=True)
class Sample:
    """A sentence and what holds in it, as probabilities: `listed` (t,), `links` (modifier, modified, p)."""

    rows: SentenceRows
    listed: npt.NDArray[np.float32]
    links: Sequence[tuple[int, int, float]]
    weight: float = 1.0


def pretrain(
    sentences: Sequence[SentenceRows],
    n_words: int,
    *,
    steps: int,
    seed: int,
    rate: float = 2e-3,
    progress: Progress = print,
) -> Encoder:
    """An encoder that guesses hidden words of the catalogue (Devlin et al. 2019, arXiv:1810.04805), 18 % of them, often two in a row."""
    torch.manual_seed(seed)
    encoder = Encoder(n_words, SHAPE, dropout=0.0)
    counts = np.bincount(np.concatenate([one.words[:, 0] for one in sentences]), minlength=n_words)
    bias = nn.Parameter(torch.tensor(np.log(np.maximum(counts, 1) / counts.sum()), dtype=torch.float32))
    head = nn.Sequential(nn.Linear(SHAPE.width, SHAPE.width), nn.GELU(), nn.LayerNorm(SHAPE.width))
    weights = [*encoder.parameters(), *head.parameters(), bias]
    optimizer = torch.optim.AdamW(weights, lr=rate, betas=(0.9, 0.98), weight_decay=0.01, fused=True)
    losses: list[float] = []
    for step, some in enumerate(_endless(sentences, 6000, seed)):
        if step == steps:
            break
        for group in optimizer.param_groups:
            group["lr"] = max(1e-5, rate * min(1.0, (step + 1) / 300) * (1 - step / steps))
        batch = padded(some)
        hidden, seen = _hide(batch, n_words)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            guesses = head(encoder(seen)[hidden]) @ encoder.emb.w.weight.T + bias
        loss = functional.cross_entropy(guesses.float(), batch.word[hidden])
        _update(optimizer, weights, loss)
        losses.append(loss.item())
        if step % 200 == 199:
            progress(f"hidden words, step {step + 1}: loss {np.mean(losses[-200:]):.3f}")
    return encoder


def _hide(batch: Batch, n_words: int) -> tuple[Tensor, Batch]:
    """(which words are to be guessed, the batch without them: 85 % hidden, 7 % another word, 8 % left)."""
    drawn = torch.rand(batch.word.shape) < 0.18
    drawn[:, 1:] |= drawn[:, :-1] & (torch.rand(drawn[:, 1:].shape) < 0.2)
    hidden = drawn & (batch.word > UNKNOWN)
    luck = torch.rand(batch.word.shape)
    gone, changed = hidden & (luck < 0.85), hidden & (luck >= 0.85) & (luck < 0.92)
    word = torch.where(
        changed, torch.randint(UNKNOWN + 1, n_words, batch.word.shape), batch.word.masked_fill(gone, UNKNOWN)
    )
    none = gone | changed
    return hidden, batch._replace(
        word=word,
        suffix=batch.suffix.masked_fill(none, 0),
        prefix=batch.prefix.masked_fill(none, 0),
        classes=batch.classes.masked_fill(none[..., None], 0),
        shape=batch.shape.masked_fill(none & (torch.rand(word.shape) < 0.5), 0),
    )


def fine_tune(
    encoder: Encoder, samples: Sequence[Sample], *, epochs: int, seed: int, rate: float = 3e-3, encoder_rate: float = 1e-3,
    dropout: float = 0.2, progress: Progress = print,
) -> ConceptNet:  # fmt: skip
    """A concept net from a pretrained encoder (which it takes over); its weights are the running mean over the last updates."""
    torch.manual_seed(seed)
    encoder.drop.rate = dropout / 2
    net = ConceptNet(encoder, SHAPE, dropout=dropout)
    rest = [w for name, w in net.named_parameters() if not name.startswith("enc.")]
    groups = [{"params": list(net.enc.parameters())}, {"params": rest}]
    optimizer = torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.98), weight_decay=0.02, fused=True)
    tokens = sum(len(one.rows) for one in samples)
    steps = epochs * sum(1 for _ in _batches(samples, 2500, random.Random(seed)))
    mean = {name: w.clone() for name, w in net.state_dict().items()}
    rng, step = random.Random(seed), 0
    for epoch in range(epochs):
        net.train()
        total = 0.0
        for some in _batches(samples, 2500, rng):
            scale = min(1.0, (step + 1) / 100) * (0.5 + 0.5 * math.cos(math.pi * min(1.0, step / steps)))
            for group, highest in zip(optimizer.param_groups, (encoder_rate, rate), strict=True):
                group["lr"] = highest * scale
            loss = _loss(net, some)
            _update(optimizer, list(net.parameters()), loss)
            _follow(mean, net, min(0.995, (step + 2) / (step + 11)))
            total += loss.item() * sum(len(one.rows) for one in some)
            step += 1
        progress(f"concepts, epoch {epoch + 1}: loss {total / tokens:.4f}")
    net.load_state_dict(mean)
    return net.eval()


def _loss(net: ConceptNet, samples: Sequence[Sample]) -> Tensor:
    """Cross-entropy of roles and links a word, the last round in full, earlier rounds by half."""
    batch = padded([one.rows for one in samples])
    roles, links = _truth(samples, batch.word.shape[1])
    weight = torch.tensor([one.weight for one in samples])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rounds, allowed = net(batch)
    words = batch.mask * weight[:, None]
    total = torch.zeros(())
    for number, (guessed_links, guessed_roles) in enumerate(rounds):
        of_roles = functional.binary_cross_entropy_with_logits(guessed_roles.float(), roles, reduction="none").sum(-1)
        of_links = functional.binary_cross_entropy_with_logits(guessed_links.float(), links, reduction="none")
        both = (of_roles * words).sum() + (of_links * allowed * weight[:, None, None]).sum()
        total = total + both / words.sum() * (1.0 if number == len(rounds) - 1 else 0.5)
    return total


def _truth(samples: Sequence[Sample], t: int) -> tuple[Tensor, Tensor]:
    roles, links = torch.zeros(len(samples), t, 2), torch.zeros(len(samples), t, t)
    for row, one in enumerate(samples):
        roles[row, : len(one.rows), 0] = torch.from_numpy(one.listed)
        for part, whole, p in one.links:
            links[row, part, whole] = p
            roles[row, part, 1] = max(p, float(roles[row, part, 1]))
    return roles, links


@torch.no_grad()
def agreed(nets: Sequence[ConceptNet], sentences: Sequence[SentenceRows]) -> Iterator[Sample]:
    """What the nets find in sentences, as mean probabilities, in the order of the sentences; links below .01 are left out."""
    order = sorted(range(len(sentences)), key=lambda number: len(sentences[number]))
    found: dict[int, Sample] = {}
    for first in range(0, len(order), 128):
        numbers = order[first : first + 128]
        batch = padded([sentences[number] for number in numbers])
        listed, links = torch.zeros(batch.word.shape), torch.zeros(*batch.word.shape, batch.word.shape[1])
        for net in nets:
            rounds, allowed = net(batch)
            links += torch.sigmoid(rounds[-1][0].float()) * allowed / len(nets)
            listed += torch.sigmoid(rounds[-1][1][..., 0].float()) / len(nets)
        for row, number in enumerate(numbers):
            t = len(sentences[number])
            held = links[row, :t, :t].numpy()
            pairs = [(int(p), int(w), float(held[p, w])) for p, w in np.argwhere(held > 0.01)]
            found[number] = Sample(sentences[number], listed[row, :t].numpy().copy(), pairs)
    return (found[number] for number in range(len(sentences)))


def shipped(net: ConceptNet) -> Network:
    """The weights as numpy computes with them, rounded to what is stored; of domains it says nothing yet."""
    return with_domains(Network(_stored(net), net.shape), DomainReader(net.shape.width))


def with_domains(network: Network, reader: DomainReader) -> Network:
    """The network with the reader's weights in the place of its own."""
    own = {f"domain.{name}": weight for name, weight in _stored(reader).items()}
    return Network({**network.weights, **own}, network.shape)


def _stored(net: nn.Module) -> dict[str, npt.NDArray[np.float32]]:
    return {name: w.detach().half().float().numpy() for name, w in net.state_dict().items()}


def padded(sentences: Sequence[SentenceRows]) -> Batch:
    """Sentences of any length as one batch."""
    t = max(len(one) for one in sentences)
    words = np.zeros((len(sentences), t, 6), np.int64)
    shape, field = np.zeros((len(sentences), t), np.int64), np.zeros((len(sentences), t), np.int64)
    for row, one in enumerate(sentences):
        words[row, : len(one)], shape[row, : len(one)] = one.words, one.shape
        field[row, : len(one)] = TITLE if one.is_title else TEXT
    both = torch.from_numpy(words)
    return Batch(
        both[..., 0], both[..., 1], both[..., 2], torch.from_numpy(shape), torch.from_numpy(field), both[..., 3:]
    )


def _batches(samples: Sequence[Sample], words: int, rng: random.Random) -> Iterator[list[Sample]]:
    for numbers in _sized([len(one.rows) for one in samples], words, rng):
        yield [samples[number] for number in numbers]


def _endless(sentences: Sequence[SentenceRows], words: int, seed: int) -> Iterator[list[SentenceRows]]:
    rng, lengths = random.Random(seed), [len(one) for one in sentences]
    while True:
        for numbers in _sized(lengths, words, rng):
            yield [sentences[number] for number in numbers]


def _sized(lengths: Sequence[int], words: int, rng: random.Random) -> Iterable[list[int]]:
    """Every number once, in batches of like lengths and at most so many words with padding, in random order."""
    order = sorted(range(len(lengths)), key=lambda number: lengths[number] + 6 * rng.random())
    batches: list[list[int]] = [[]]
    longest = 0
    for number in order:
        longest = max(longest, lengths[number])
        if batches[-1] and (len(batches[-1]) + 1) * longest > words:
            batches.append([])
            longest = lengths[number]
        batches[-1].append(number)
    rng.shuffle(batches)
    return batches


def _update(optimizer: torch.optim.Optimizer, weights: Sequence[nn.Parameter], loss: Tensor) -> None:
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(weights, 1.0)
    optimizer.step()


@torch.no_grad()
def _follow(mean: dict[str, Tensor], net: ConceptNet, decay: float) -> None:
    for name, weight in net.state_dict().items():
        mean[name].lerp_(weight, 1 - decay)
