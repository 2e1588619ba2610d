"""Retrieval: embeddings -> ranks -> metrics, by published protocols.

`texts_to_embed` says which texts a protocol needs embedded, `evaluate` measures a model and returns rows of the table `metrics`.
Ranks are exact and computed in blocks; ties are pessimistic, and the optimistic and realistic figures stand beside them.
"""

from kgbuild.retrieval.corpus import query_id
from kgbuild.retrieval.measured import ProtocolSettings
from kgbuild.retrieval.protocols import PROTOCOLS, evaluate, texts_to_embed
from kgbuild.retrieval.ranks import RankedRelevance, Relevance, rank_first_column, rank_relevant, relevance_by_key

__all__ = [
    "PROTOCOLS",
    "ProtocolSettings",
    "RankedRelevance",
    "Relevance",
    "evaluate",
    "query_id",
    "rank_first_column",
    "rank_relevant",
    "relevance_by_key",
    "texts_to_embed",
]
