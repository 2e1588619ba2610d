"""Texts to mentions to concepts: a spaCy component, learned from annotated texts and the catalogue's own, finds the concepts in sentences.

`mine_mentions` finds every occurrence of a maximal concept, `extract_concepts` the concepts of a product record,
`score_gold` compares them with a gold file; `load_pipeline` loads the shipped spaCy pipeline or any installed one, `load_miner`
one that remembers what it read.
"""

from kgbuild.language.mining import extract_concepts, mine_mentions
from kgbuild.language.pipeline import load_miner, load_pipeline
from kgbuild.language.score import Score, score_gold

__all__ = ["Score", "extract_concepts", "load_miner", "load_pipeline", "mine_mentions", "score_gold"]
