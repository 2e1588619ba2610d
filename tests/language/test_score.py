import pytest

from kgbuild.language import score_gold
from kgbuild.language.score import errors_of


def record(name, *concepts):
    return {"id": name, "concepts": [{"head": head, "modifiers": list(modifiers)} for head, *modifiers in concepts]}


GOLD = [record("1", ("shirt", "blue", "v-neck"), ("sleeve", "short")), record("2", ("shoe",))]


def test_itself_is_perfect():
    assert all(score.f1 == score.precision == score.recall == 1.0 for score in score_gold(GOLD, GOLD).values())


def test_counts_by_hand():
    predicted = [record("1", ("shirt", "blue"), ("collar", "short")), record("3", ("hat",))]
    scores = score_gold(predicted, GOLD)
    assert (scores["head"].right, scores["head"].predicted, scores["head"].gold) == (1, 2, 3)
    assert (scores["pair"].right, scores["pair"].predicted, scores["pair"].gold) == (1, 2, 3)
    assert (scores["concept"].right, scores["concept"].predicted, scores["concept"].gold) == (0, 2, 3)
    assert scores["head"].f1 == pytest.approx(0.4)


def test_a_hyphen_reads_as_a_space_and_order_does_not_matter():
    assert (
        score_gold([record("1", ("sleeve", "short"), ("shirt", "v neck", "blue")), record("2", ("shoe",))], GOLD)[
            "concept"
        ].f1
        == 1.0
    )


def test_nothing_predicted_is_zero_not_an_error():
    assert score_gold([], GOLD)["pair"].f1 == 0.0
    assert score_gold([], [])["pair"].f1 == 0.0


def test_errors_name_both_sides():
    found = set(errors_of([record("1", ("shirt", "red"))], GOLD[:1], "head"))
    assert found == {("1", "missed", "sleeve")}
