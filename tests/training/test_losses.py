"""ITC and CVA against loops written from the formulas, in float64, and the laws that the released code broke."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kgbuild.training.losses import cva_loss, cva_share, itc_loss, nearest_prototypes, same_pairs


def unit(*shape: int, seed: int) -> torch.Tensor:
    rows = torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.nn.functional.normalize(rows, dim=-1)


def loop_itc(images, texts, scale, same=None) -> float:
    n = len(images)
    total = 0.0
    for i in range(n):
        for query, gallery in ((images, texts), (texts, images)):
            others = [j for j in range(n) if j == i or same is None or not same[i][j]]
            logits = {j: scale * float(query[i] @ gallery[j]) for j in others}
            total += math.log(sum(math.exp(value) for value in logits.values())) - logits[i]
    return total / (2 * n)


def loop_cva(images, concepts, prototypes, mask, scale, related, k) -> float:
    """METHOD section 4, index by index, over Python floats."""
    rows, slots, count = mask.shape
    per_slot = []
    for c in range(slots):
        chosen = {}
        for b in range(rows):
            there = [j for j in range(count) if mask[b, c, j]]
            there.sort(key=lambda j: -float(images[b] @ prototypes[b, c, j]))
            chosen[b] = there[:k]
        present = {r: [b for b in range(rows) if len(chosen[b]) > r] for r in range(k)}
        if not present[0]:
            continue
        weight, ranks = {}, [r for r in range(k) if present[r]]
        for r in ranks:
            s = {b: max(0.0, float(images[b] @ prototypes[b, c, chosen[b][r]])) for b in present[r]}
            if sum(s.values()) == 0:
                s = dict.fromkeys(s, 1.0)
            norm = math.sqrt(sum(value * value for value in s.values()))
            weight[r] = {b: value / norm for b, value in s.items()}
        total = sum(sum(weight[r].values()) for r in ranks)
        slot = 0.0
        for r in ranks:
            align = 0.0
            for b in present[r]:
                rivals = [o for o in present[r] if o == b or not related[c, b, o]]
                forward = {o: scale * float(prototypes[b, c, chosen[b][r]] @ concepts[o, c]) for o in rivals}
                rivals = [o for o in present[r] if o == b or not related[c, o, b]]
                backward = {o: scale * float(prototypes[o, c, chosen[o][r]] @ concepts[b, c]) for o in rivals}
                for logits in (forward, backward):
                    align += weight[r][b] * (math.log(sum(map(math.exp, logits.values()))) - logits[b])
            share = sum(weight[r].values()) / total
            slot += share * align / (2 * sum(weight[r].values()))
        per_slot.append(slot)
    return sum(per_slot) / len(per_slot)


def random_case(seed: int, rows=5, slots=3, count=4, dim=6):
    draw = torch.Generator().manual_seed(seed)
    mask = torch.rand(rows, slots, count, generator=draw) < 0.7
    related = torch.rand(slots, rows, rows, generator=draw) < 0.2
    related = related | related.transpose(1, 2)
    scale = torch.tensor(7.0, dtype=torch.float64)
    images, concepts = unit(rows, dim, seed=seed), unit(rows, slots, dim, seed=seed + 1)
    return images, concepts, unit(rows, slots, count, dim, seed=seed + 2), mask, scale, related


@given(st.integers(0, 10_000), st.integers(1, 7))
@settings(max_examples=40, deadline=None)
def test_itc_equals_the_loop(seed: int, n: int) -> None:
    images, texts = unit(n, 5, seed=seed), unit(n, 5, seed=seed + 1)
    keys = torch.randint(0, 4, (n, 2), generator=torch.Generator().manual_seed(seed))
    same = same_pairs(keys, keys)
    scale = torch.tensor(9.0, dtype=torch.float64)
    assert float(itc_loss(images, texts, scale)) == pytest.approx(loop_itc(images, texts, 9.0), abs=1e-12)
    assert float(itc_loss(images, texts, scale, same=same)) == pytest.approx(
        loop_itc(images, texts, 9.0, same), abs=1e-12
    )


def test_same_pairs_share_any_key() -> None:
    keys = torch.tensor([[1, 10], [2, 10], [2, 11], [3, 12]])
    assert same_pairs(keys, keys).tolist() == [
        [True, True, False, False],
        [True, True, True, False],
        [False, True, True, False],
        [False, False, False, True],
    ]


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_shares_of_two_processes_add_up_to_the_whole(seed: int) -> None:
    images, texts, scale = unit(6, 5, seed=seed), unit(6, 5, seed=seed + 1), torch.tensor(4.0, dtype=torch.float64)
    same = same_pairs(*[torch.randint(0, 5, (6, 1), generator=torch.Generator().manual_seed(seed))] * 2)
    parts = [
        itc_loss(
            images[rows], texts[rows], scale, all_images=images, all_texts=texts, first_row=rows.start, same=same[rows]
        )
        for rows in (slice(0, 3), slice(3, 6))
    ]
    assert float(sum(parts)) == pytest.approx(float(itc_loss(images, texts, scale, same=same)), abs=1e-12)


@given(st.integers(0, 10_000), st.integers(1, 5))
@settings(max_examples=40, deadline=None)
def test_cva_equals_the_loop(seed: int, k: int) -> None:
    images, concepts, prototypes, mask, scale, related = random_case(seed)
    if not mask.any():
        return
    found = cva_loss(images, concepts, prototypes, mask, scale, related=related, k=k)
    assert float(found) == pytest.approx(loop_cva(images, concepts, prototypes, mask, 7.0, related, k), abs=1e-10)


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_cva_does_not_depend_on_the_order_of_rows_slots_or_prototypes(seed: int) -> None:
    images, concepts, prototypes, mask, scale, related = random_case(seed)
    draw = torch.Generator().manual_seed(seed)
    rows, slots, places = (torch.randperm(n, generator=draw) for n in mask.shape)
    first = cva_loss(images, concepts, prototypes, mask, scale, related=related, k=3)
    second = cva_loss(
        images[rows],
        concepts[rows][:, slots],
        prototypes[rows][:, slots][:, :, places],
        mask[rows][:, slots][:, :, places],
        scale,
        related=related[slots][:, rows][:, :, rows],
        k=3,
    )
    assert float(first) == pytest.approx(float(second), abs=1e-10)


def test_padding_takes_no_part() -> None:
    images, concepts, prototypes, mask, scale, related = random_case(3)
    before = cva_loss(images, concepts, prototypes, mask, scale, related=related, k=3)
    noise = torch.full((5, 1, 6), float("nan"), dtype=torch.float64)
    more_slots = cva_loss(
        images,
        torch.cat([concepts, torch.nan_to_num(noise)], dim=1),
        torch.cat([prototypes, torch.zeros(5, 1, 4, 6, dtype=torch.float64)], dim=1),
        torch.cat([mask, torch.zeros(5, 1, 4, dtype=torch.bool)], dim=1),
        scale,
        related=torch.cat([related, torch.zeros(1, 5, 5, dtype=torch.bool)]),
        k=3,
    )
    changed = torch.where(mask[..., None], prototypes, unit(5, 3, 4, 6, seed=99))
    other_padding = cva_loss(images, concepts, changed, mask, scale, related=related, k=3)
    assert float(more_slots) == pytest.approx(float(before), abs=1e-12)
    assert float(other_padding) == pytest.approx(float(before), abs=1e-12)


def test_nothing_but_padding_is_zero_and_not_nan() -> None:
    images, concepts, prototypes, mask, scale, related = random_case(4)
    prototypes = prototypes.requires_grad_()
    loss = cva_loss(images, concepts, prototypes, torch.zeros_like(mask), scale, related=related, k=3)
    loss.backward()
    assert loss.item() == 0.0
    assert torch.isfinite(prototypes.grad).all()


def test_gradients_reach_concepts_and_prototypes_but_not_through_the_weights() -> None:
    images, concepts, prototypes, mask, scale, related = random_case(5)
    images, concepts, prototypes = (t.clone().requires_grad_() for t in (images, concepts, prototypes))
    cva_loss(images, concepts, prototypes, mask, scale, related=related, k=2).backward()
    assert images.grad is None
    assert concepts.grad.abs().sum() > 0
    assert prototypes.grad.abs().sum() > 0
    assert (prototypes.grad[~mask] == 0).all()


def test_rows_with_the_same_concept_do_not_push_each_other_away() -> None:
    concept = unit(1, 1, 6, seed=1).expand(2, 1, 6)
    prototypes = unit(2, 1, 1, 6, seed=2)
    images, mask = prototypes[:, 0, 0], torch.ones(2, 1, 1, dtype=torch.bool)
    scale = torch.tensor(5.0, dtype=torch.float64)
    everything = torch.ones(1, 2, 2, dtype=torch.bool)
    assert float(cva_loss(images, concept, prototypes, mask, scale, related=everything, k=1)) == pytest.approx(0.0)
    assert float(cva_loss(images, concept, prototypes, mask, scale, related=~everything, k=1)) > 0.1


def test_the_prototypes_nearest_to_the_image_are_taken() -> None:
    prototypes = torch.eye(4, dtype=torch.float64).expand(1, 1, 4, 4)
    image = torch.tensor([[0.1, 0.9, 0.5, 0.7]], dtype=torch.float64)
    mask = torch.tensor([[[True, False, True, True]]])
    assert nearest_prototypes(image, prototypes, mask, k=2).tolist() == [[[3, 2]]]


@given(st.floats(0, 100), st.floats(0, 100), st.floats(0, 1))
def test_the_share_of_cva_is_bounded(itc: float, cva: float, at_most: float) -> None:
    assert 0.0 <= cva_share(itc, cva, at_most=at_most) <= at_most
