"""What kind of thing a head noun names: by its readings, by what is used alike, and what becomes of what is none."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from kgbuild.domains import DOMAINS, OTHER
from kgbuild.hierarchy.category_names import as_said
from kgbuild.hierarchy.domains import learn_domains, leave_out_others
from kgbuild.hierarchy.names import Name
from kgbuild.hierarchy.said import Said
from kgbuild.hierarchy.usage import Usage
from kgbuild.tables import TABLES
from tests.hierarchy.heads_catalogue import shop, tables

KINDS = ("product", "part", "material")


def used(kinds: list[str]) -> Usage:
    """Each head noun has one feature of its kind."""
    columns = np.array([DOMAINS.index(kind) for kind in kinds], np.int64)
    n = len(kinds)
    return Usage(np.arange(n + 1), columns, np.ones(n, np.float32), len(DOMAINS))


def readings(rows: list[dict[str, int]]) -> np.ndarray:
    return np.array([[row.get(kind, 0) for kind in DOMAINS] for row in rows], np.int64)


def test_clear_readings_hold_and_unclear_ones_follow_usage() -> None:
    kinds = [kind for kind in KINDS for _ in range(6)]
    said = [{kind: 20} for kind in kinds]
    said[0] = {"part": 1, "product": 1, "material": 1}  # used as a product
    said[6] = {"material": 40}  # used as a part, and always read as a material
    found, sure = learn_domains([f"h{i:02d}" for i in range(18)], readings(said), used(kinds), [9] * 18)
    assert found[0] == "product"
    assert found[6] == "material"
    assert found[1:6] == ["product"] * 5
    assert found[7:] == kinds[7:]
    assert all(0 <= one <= 1 for one in sure)
    assert sure[1] > sure[0]


@pytest.mark.parametrize(("row", "kind"), [
    ({OTHER: 30}, OTHER), ({OTHER: 11, "part": 10}, "part"), ({OTHER: 30, "part": 4}, OTHER),
])  # fmt: skip
def test_what_is_none_must_be_surely_none(row: dict[str, int], kind: str) -> None:
    kinds = ["part"] * 6 + ["product"] * 6 + [OTHER] * 6
    said = [row, *({kind_: 20} for kind_ in kinds[1:])]
    usage = used(kinds)
    alone = Usage(np.concatenate([[0, 0], usage.starts[2:] - 1]), usage.columns[1:], usage.weights[1:], usage.width)
    found, _ = learn_domains([f"h{i:02d}" for i in range(18)], readings(said), alone, [9] * 18)
    assert found[0] == kind


def test_a_sentence_said_of_many_products_is_read_once() -> None:
    said_of_both = ["leave a [quarter] to half inch gap", "LEAVE a [quarter] to half inch gap"]
    alike_near_by = [f"{number} is {'far ' * 9}from a [quarter]" for number in range(2)]
    unlike = [f"a [quarter] of {number}" for number in range(2)]
    descriptions = [*said_of_both, *alike_near_by, *unlike]
    mentions, texts, _ = tables([("[red shoe]", one, []) for one in descriptions])
    said = Said.of(mentions, texts)
    once = said.not_repeated(texts)
    assert sorted(said.heads[head] for head in said.head[once].tolist()) == ["quarter"] * 4 + ["shoe"]
    turned = Said.of(mentions.take(list(range(mentions.num_rows - 1, -1, -1))), texts)
    assert turned.not_repeated(texts).tolist() == once.tolist()
    numbers = range(len(said.heads))
    assert said.readings(numbers, np.ones(len(once), bool)).sum() == 12
    assert said.readings(numbers, once).sum() == 5


def test_nothing_said_nothing_learned() -> None:
    assert learn_domains([], readings([]), used([]), []) == ([], [])


def test_what_names_nothing_seen_is_left_out_and_told() -> None:
    mentions = pa.table({"head_noun": ["shirt", "guarantee", "shirt"]})
    rows = [
        {"head_noun": "guarantee", "domain": OTHER, "confidence": 0.75, "n_products": 3},
        {"head_noun": "shirt", "domain": "product", "confidence": 1.0, "n_products": 2},
    ]
    kept, rejects = leave_out_others(mentions, pa.Table.from_pylist(rows, TABLES["heads"].schema))
    assert kept["head_noun"].to_pylist() == ["shirt", "shirt"]
    row = {
        "stage": "concepts",
        "key": "guarantee",
        "reason": "names_nothing_seen",
        "detail": "in 3 products; confidence 0.75",
    }
    assert rejects.to_pylist() == [row]


def test_a_category_goes_by_the_name_that_texts_write_apart_or_together() -> None:
    mentions, texts, _ = tables(
        [*shop(), ("[blue eye shadow]", "An [eye shadow]", []), ("[red flipper]", "[boat shoe]", [])]
    )
    said = Said.of(mentions, texts)
    names = [Name("eyeshadow"), Name("shoe"), Name("shoe", ("boat",)), Name("submarine"), Name("per", ("flip",))]
    assert as_said(names, [1] * 5, said) == [Name("shadow", ("eye",)), *names[1:4], Name("flipper")]
    assert as_said(names, [100] * 5, said) == names
    mentions, texts, _ = tables([("[red moisturizer]", "The [moisturizer]", [])])
    regional = [Name("moisturiser", ("face",)), Name("moisturiser"), Name("moistener")]
    said = Said.of(mentions, texts)
    assert as_said(regional, [1] * 3, said) == [Name("moisturizer", ("face",)), Name("moisturizer"), Name("moistener")]
