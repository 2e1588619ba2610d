"""Embeddings -> candidate_pools -> prototypes: which real pictures stand for a concept.

`build_candidate_pools` finds the pictures most like a concept among those of its products, `select_prototypes` chooses a few that
differ from each other, by maximal marginal relevance (`choose_diverse`); `choose_prototypes` does both, and
`concepts_without_images` names the concepts left without any.
"""

from kgbuild.prototypes.choose import choose_prototypes
from kgbuild.prototypes.mmr import choose_diverse
from kgbuild.prototypes.pools import build_candidate_pools, concepts_without_images
from kgbuild.prototypes.select import select_prototypes

__all__ = [
    "build_candidate_pools",
    "choose_diverse",
    "choose_prototypes",
    "concepts_without_images",
    "select_prototypes",
]
