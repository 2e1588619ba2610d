"""What the core asks of the world outside it: an encoder, a graph store, a runner."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

Embeddings = npt.NDArray[np.float32]
"""(n, d) float32, rows L2-normalised."""

Row = Mapping[str, Any]
T = TypeVar("T")
R = TypeVar("R")


class Encoder(Protocol):
    """A loaded image-text model. Embeddings do not depend on the batch a row travels in, nor on its place there."""

    @property
    def model(self) -> str:
        """The name it was asked for by."""
        ...

    @property
    def fingerprint(self) -> str:
        """SHA-256 over weights, preprocessing and precision: the key of embedding caches."""
        ...

    @property
    def dim(self) -> int:
        """Length of an embedding."""
        ...

    def encode_images(self, images: Sequence[bytes]) -> Embeddings:
        """Embed encoded pictures (JPEG, PNG, WebP); raises ValueError naming the index of one that cannot be decoded."""
        ...

    def encode_texts(self, texts: Sequence[str]) -> Embeddings:
        """Embed texts."""
        ...


@dataclass(frozen=True)
class WriteCounts:
    """What a write did to the store."""

    nodes_created: int = 0
    nodes_deleted: int = 0
    edges_created: int = 0
    edges_deleted: int = 0
    properties_set: int = 0


class GraphStore(Protocol):
    """A property graph reached by Bolt. Every statement is parametrised Cypher from `graph/cypher.py` or the user's own."""

    def query(self, cypher: str, parameters: Row | None = None) -> list[dict[str, Any]]:
        """Run a reading statement in a managed transaction; one dict a row."""
        ...

    def write(self, cypher: str, parameters: Row | None = None) -> WriteCounts:
        """Run a writing statement in a managed transaction, retried by the driver on transient failures."""
        ...

    def create_indexes(self, *, dim: int) -> None:
        """Make the vector index `image_embedding` (Image.embedding, cosine) and the full-text index `concept_label`."""
        ...

    def close(self) -> None:
        """Release what the store holds; an embedded server is stopped."""
        ...


class Runner(Protocol):
    """Where the shards of a map stage are worked on."""

    def map(self, work: Callable[[T], R], shards: Iterable[T]) -> Iterator[R]:
        """`work` over `shards`, results in the order of the shards; the first failure is raised and stops the rest."""
        ...


class Progress(Protocol):
    """Hears how a build goes on; the CLI draws it, a flow logs it."""

    def start(self, stage: str, total: int | None, unit: str) -> None:
        """A stage begins; `total` units of work if known."""
        ...

    def advance(self, stage: str, done: int, rejects: Mapping[str, int] | None = None) -> None:
        """`done` further units are behind us, with so many rejects by reason."""
        ...

    def finish(self, stage: str, note: str) -> None:
        """A stage ended: built, reused, or taken over."""
        ...


class Silent:
    """A progress that nobody watches."""

    def start(self, stage: str, total: int | None, unit: str) -> None:
        """See `Progress`."""

    def advance(self, stage: str, done: int, rejects: Mapping[str, int] | None = None) -> None:
        """See `Progress`."""

    def finish(self, stage: str, note: str) -> None:
        """See `Progress`."""
