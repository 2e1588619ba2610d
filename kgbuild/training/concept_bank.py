"""What CVA knows between steps: concepts, what is above them, their prototypes, and the prototypes' embeddings of this epoch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import Tensor

from kgbuild.training.data import ShardSet

PROMPT = "a photo of {concept}"


class ConceptBank:
    """Concepts and prototypes by number.

    `prototypes` is (n_concepts, P) places in `pictures`, -1 for none; `embeddings` is (n_pictures, d).
    """

    def __init__(self, concepts: pa.Table, prototypes: pa.Table, sha256_of: dict[str, str]) -> None:
        ids = concepts["concept_id"].to_pylist()
        self.prompts = [PROMPT.format(concept=label) for label in concepts["label"].to_pylist()]
        self.missing = 0
        """Prototypes of the newest table whose pictures the shards do not hold; they are left out."""
        self._number = {concept: number for number, concept in enumerate(ids)}
        self._above = [
            {self._number[high] for high in highs if high in self._number}
            for highs in concepts["hypernym_ids"].to_pylist()
        ]
        self._sha256_of = sha256_of
        self.pictures: list[str] = []
        self.prototypes = torch.zeros((len(ids), 0), dtype=torch.int64)
        self.embeddings = torch.zeros((0, 0))
        self.show(prototypes)

    def __len__(self) -> int:
        return len(self._number)

    def show(self, prototypes: pa.Table) -> None:
        """Take other prototypes: a table with concept_id, prototype_rank, image_id. Concepts unknown to the shards are passed over."""
        ordered = prototypes.sort_by([("concept_id", "ascending"), ("prototype_rank", "ascending")])
        shown: list[list[str]] = [[] for _ in self._number]
        self.missing = 0
        for concept, image in zip(ordered["concept_id"].to_pylist(), ordered["image_id"].to_pylist(), strict=True):
            if concept not in self._number:
                continue
            if image in self._sha256_of:
                shown[self._number[concept]].append(self._sha256_of[image])
            else:
                self.missing += 1
        self.pictures = sorted({sha256 for of_one in shown for sha256 in of_one})
        place = {sha256: number for number, sha256 in enumerate(self.pictures)}
        most = max((len(of_one) for of_one in shown), default=0)
        rows = [[place[sha256] for sha256 in of_one] + [-1] * (most - len(of_one)) for of_one in shown]
        self.prototypes = torch.tensor(rows, dtype=torch.int64).reshape(len(rows), most)

    def embed(self, encode: Callable[[list[str]], Tensor]) -> None:
        """Fill `embeddings` by a function from hashes of pictures to (n, d) L2-normalised rows."""
        self.embeddings = encode(self.pictures)

    def slots(self, rows: Sequence[dict[str, Any]], count: int) -> Tensor:
        """(B, C) numbers of the rows' concepts; -1 is padding."""
        numbers = [[self._number[c] for c in (row["concept_ids"] or ())[:count] if c in self._number] for row in rows]
        return torch.tensor([of_one + [-1] * (count - len(of_one)) for of_one in numbers], dtype=torch.int64).reshape(
            -1, count
        )

    def related(self, slots: Tensor) -> Tensor:
        """(C, B, B) bool: rows whose concepts in a slot are the same, or one is above the other."""
        numbers, inverse = slots.unique(return_inverse=True)
        listed = numbers.tolist()
        column = {number: place for place, number in enumerate(listed)}
        pairs = torch.eye(len(listed), dtype=torch.bool)
        for place, number in enumerate(listed):
            if number >= 0:
                above = [column[high] for high in self._above[number] if high in column]
                pairs[place, above] = True
        pairs |= pairs.T.clone()
        return torch.stack([pairs[column_of][:, column_of] for column_of in inverse.T])

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {
            "pictures": self.pictures,
            "prototypes": self.prototypes,
            "embeddings": self.embeddings,
            "missing": self.missing,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take back what `state` gave."""
        self.pictures, self.prototypes, self.embeddings = state["pictures"], state["prototypes"], state["embeddings"]
        self.missing = state["missing"]


def open_bank(shards: ShardSet) -> ConceptBank:
    """The concepts and prototypes of an export; any picture of its rows or prototypes may become a prototype."""
    prototypes = pq.read_table(shards.folder / "prototypes.parquet")
    sha256_of: dict[str, str] = {}
    for path in [*shards.row_files, shards.folder / "prototypes.parquet"]:
        columns = pq.read_table(path, columns=["image_id", "sha256"]).to_pydict()
        sha256_of.update(zip(columns["image_id"], columns["sha256"], strict=True))
    return ConceptBank(pq.read_table(shards.folder / "concepts.parquet"), prototypes, sha256_of)
