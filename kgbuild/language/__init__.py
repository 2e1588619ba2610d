"""Texts to mentions to concepts: the shipped spaCy pipeline parses, a linear model learned from annotated texts reads the parse.

`mine_mentions` finds every occurrence of a maximal concept, `extract_concepts` the concepts of a product record,
`score_gold` compares them with a gold file; `load_pipeline` loads the shipped pipeline or any installed one.
"""

from kgbuild.language.mining import extract_concepts, mine_mentions
from kgbuild.language.pipeline import load_pipeline
from kgbuild.language.score import Score, score_gold

__all__ = ["Score", "extract_concepts", "load_pipeline", "mine_mentions", "score_gold"]
