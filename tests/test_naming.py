"""The file of synonyms: what it may say, what is refused, and that it reads back."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgbuild.errors import ConfigError
from kgbuild.naming import ByHand, by_hand, by_hand_toml, read_by_hand

names = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Z", "Cc"]), min_size=1, max_size=5).map(
    str.lower
)
groups = st.lists(st.lists(names, min_size=2, max_size=3, unique=True), max_size=3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('merge = [["tee", "t-shirt"]]\nkeep_apart = [["t-shirt", "tee"]]', "one name and that they are two"),
        ('merge = [["a", "b"], ["b", "c"]]\nkeep_apart = [["a", "c"]]', "one name and that they are two"),
        ('merge = [["tee"]]', "less than two"),
        ('merge = ["tee", "t-shirt"]', "no list of names"),
        ('merge = "tee"', "no list"),
        ('merges = [["a", "b"]]', "unknown key 'merges'"),
        ("merge = [", "no valid TOML"),
    ],
)
def test_what_is_refused(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "synonyms.toml"
    file.write_text(text, "utf-8")
    with pytest.raises(ConfigError, match=message) as caught:
        read_by_hand(file)
    assert caught.value.remedy


def test_an_absent_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no file of synonyms"):
        read_by_hand(tmp_path / "none.toml")


def test_groups_that_share_a_name_are_one_and_case_does_not_matter() -> None:
    read = by_hand(
        {"merge": [["Tee", "t-shirt"], ["T-Shirt", "tee  shirt"], ["a", "b"]], "keep_apart": [["x", "y", "z"]]}, "here"
    )
    assert read.merge == (("a", "b"), ("t-shirt", "tee", "tee shirt"))
    assert len(read.keep_apart) == 3


@given(groups, groups)
def test_a_written_file_reads_back(tmp_path_factory: pytest.TempPathFactory, merge: list, apart: list) -> None:
    try:
        given_ = by_hand({"merge": merge, "keep_apart": apart}, "here")
    except ConfigError:
        return
    file = tmp_path_factory.mktemp("file") / "synonyms.toml"
    file.write_text(by_hand_toml(given_, [(("tee", "t-shirt"), "said alike")]), "utf-8")
    again = read_by_hand(file)
    assert again == given_
    assert again.fingerprint() == given_.fingerprint()
    assert (given_ == ByHand()) == (given_.fingerprint() == ByHand().fingerprint())
