from pathlib import Path

import pytest

from kgbuild.language import extract_concepts, load_miner, score_gold
from kgbuild.language.score import read_jsonl

DEV = Path("../shared/gold/dev.jsonl")
FLOORS = {"head": 0.96, "pair": 0.92, "concept": 0.855}


@pytest.mark.skipif(not DEV.exists(), reason="the annotated texts are not beside the checkout (../shared/gold)")
def test_the_development_gold_is_reached():
    gold = read_jsonl(DEV)
    scores = score_gold(extract_concepts(gold, miner=load_miner("en_kgbuild")), gold)
    for kind, floor in FLOORS.items():
        assert scores[kind].f1 >= floor, (kind, scores[kind].f1)
