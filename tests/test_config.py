"""The settings: what is written is read back, and what is wrong is refused with the value and a way out."""

from __future__ import annotations

import dataclasses
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kgbuild.config import Config, config_from_dict, config_to_dict, load_config, to_toml
from kgbuild.errors import ConfigError


def _leaves(node: Any, prefix: str = "") -> list[tuple[str, dataclasses.Field[Any], Any]]:
    found = []
    for spec in dataclasses.fields(node):
        value = getattr(node, spec.name)
        if dataclasses.is_dataclass(value):
            found += _leaves(value, f"{prefix}{spec.name}.")
        else:
            found.append((prefix + spec.name, spec, value))
    return found


LEAVES = _leaves(Config())
NUMBERS = [leaf for leaf in LEAVES if isinstance(leaf[2], (int, float)) and not isinstance(leaf[2], bool)]
CHOSEN = [leaf for leaf in LEAVES if leaf[1].metadata["choices"]]


def _nested(key: str, value: Any) -> dict[str, Any]:
    for part in reversed(key.split(".")):
        value = {part: value}
    return value


def _value_for(spec: dataclasses.Field[Any], default: Any) -> st.SearchStrategy[Any]:
    low, high = spec.metadata["low"], spec.metadata["high"]
    text = st.sampled_from(spec.metadata["choices"]) if spec.metadata["choices"] else st.text(max_size=12)
    if isinstance(default, bool):
        return st.booleans()
    if isinstance(default, int):
        return st.integers(0 if low is None else int(low), int(high or 10**9))
    if isinstance(default, float):
        return st.floats(low or 0.0, high or 1e12, allow_nan=False)
    return st.lists(text, max_size=3) if isinstance(default, tuple) else text


@st.composite
def configs(draw: st.DrawFn) -> Config:
    values: dict[str, Any] = {}
    for key, spec, default in draw(st.lists(st.sampled_from(LEAVES), max_size=8, unique_by=lambda leaf: leaf[0])):
        place = values
        *parents, last = key.split(".")
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = draw(_value_for(spec, default))
    return config_from_dict(values)


@given(configs())
@settings(max_examples=150, deadline=None)
def test_what_is_written_is_read_back(config: Config) -> None:
    assert config_from_dict(config_to_dict(config)) == config
    assert config_from_dict(tomllib.loads(to_toml(config))) == config


@given(configs(), st.text(max_size=30))
@settings(max_examples=60, deadline=None)
def test_notes_become_comments_and_never_settings(config: Config, note: str) -> None:
    text = to_toml(config, notes={"catalogue.columns.title": note, "prototypes.k": note})
    assert config_from_dict(tomllib.loads(text)) == config


def test_every_setting_is_written_with_its_help_and_choices() -> None:
    text = to_toml(Config())
    for key, spec, _ in LEAVES:
        line = next(
            line
            for line in text.splitlines()
            if line.startswith(f"{key.split('.')[-1]} = ") and spec.metadata["about"] in line
        )
        assert all(choice in line for choice in spec.metadata["choices"])


def test_a_note_stands_above_its_own_setting() -> None:
    lines = to_toml(Config(), notes={"catalogue.columns.title": "seen: 3 values"}).splitlines()
    at = lines.index("# seen: 3 values")
    assert lines[at + 1].startswith('title = "title"')
    assert lines.count("# seen: 3 values") == 1


@pytest.mark.parametrize(
    ("key", "near"),
    [
        ("prototype", "prototypes"),
        ("sead", "seed"),
        ("prototypes.mmr_lamda", "mmr_lambda"),
        ("catalogue.columns.titel", "title"),
        ("workers", "run.workers"),
        ("encoder.promts", "prompts"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_name(key: str, near: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config_from_dict(_nested(key, 1))
    assert repr(key) in caught.value.message
    assert repr(near) in caught.value.remedy


def test_a_key_like_no_other_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"known here: .*workers, shard_rows") as caught:
        load_config(None, ["run.zzzzzzzzzz=1"])
    assert "'run.zzzzzzzzzz'" in caught.value.message


@pytest.mark.parametrize(("key", "spec", "default"), NUMBERS, ids=[leaf[0] for leaf in NUMBERS])
def test_bounds_hold_on_both_sides(key: str, spec: dataclasses.Field[Any], default: float) -> None:
    step = 1 if isinstance(default, int) else 1e-6
    for bound, beyond in ((spec.metadata["low"], -step), (spec.metadata["high"], step)):
        if bound is None:
            continue
        config_from_dict(_nested(key, type(default)(bound)))
        with pytest.raises(ConfigError, match="out of range") as caught:
            config_from_dict(_nested(key, type(default)(bound + beyond)))
        assert key in caught.value.message
        assert str(bound) in caught.value.remedy


def test_every_number_has_a_lower_bound() -> None:
    assert [key for key, spec, _ in NUMBERS if spec.metadata["low"] is None] == []


@pytest.mark.parametrize(("key", "spec", "default"), CHOSEN, ids=[leaf[0] for leaf in CHOSEN])
def test_choices_are_enforced_and_named(key: str, spec: dataclasses.Field[Any], default: Any) -> None:
    wrong: Any = "no such choice" if isinstance(default, str) else [*default, "no such choice"]
    with pytest.raises(ConfigError, match="no such choice") as caught:
        config_from_dict(_nested(key, wrong))
    assert all(choice in caught.value.remedy for choice in spec.metadata["choices"])


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("seed", "1"),
        ("seed", True),
        ("seed", 1.0),
        ("prototypes.gate", 1),
        ("prototypes.mmr_lambda", float("nan")),
        ("training.learning_rate", float("inf")),
        ("prototypes.mmr_lambda", "0.5"),
        ("encoder.model", 3),
        ("encoder.prompts", [1]),
        ("encoder.prompts", {"a": 1}),
        ("prototypes", 5),
    ],
)
def test_a_value_of_another_type_is_refused_by_name(key: str, value: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        config_from_dict(_nested(key, value))
    assert key in caught.value.message
    assert repr(value) in caught.value.message


def test_an_integer_serves_for_a_number_and_a_string_for_a_list() -> None:
    config = config_from_dict({"prototypes": {"mmr_lambda": 1}, "encoder": {"prompts": "{concept}"}})
    assert config.prototypes.mmr_lambda == 1.0
    assert isinstance(config.prototypes.mmr_lambda, float)
    assert config.encoder.prompts == ("{concept}",)


def test_overrides_win_over_the_file_and_the_later_over_the_earlier(tmp_path: Path) -> None:
    file = tmp_path / "kgbuild.toml"
    file.write_text("seed = 1\n[prototypes]\nk = 2\npool_size = 9\n")
    config = load_config(file, ["prototypes.k=3", "prototypes.k=4", "encoder.model=ViT-B-32:x", "run.workers = 2"])
    assert (config.seed, config.prototypes.k, config.prototypes.pool_size) == (1, 4, 9)
    assert config.encoder.model == "ViT-B-32:x"
    assert config.run.workers == 2
    assert load_config(None, ['encoder.prompts=["a {concept}", "b"]']).encoder.prompts == ("a {concept}", "b")


@pytest.mark.parametrize("override", ["prototypes.k", "seed.k=1", "catalogue.columns.id.x=1", "=3", "prototypes=3"])
def test_an_override_that_makes_no_sense_is_refused(override: str, tmp_path: Path) -> None:
    file = tmp_path / "kgbuild.toml"
    file.write_text('seed = 1\n[catalogue.columns]\nid = "sku"\n')
    with pytest.raises(ConfigError):
        load_config(file, [override])


def test_overrides_do_not_change_the_values_they_start_from() -> None:
    base = config_to_dict(Config())
    assert load_config(None, ["prototypes.k=9"], base=base).prototypes.k == 9
    assert base == config_to_dict(Config())


def test_paths_of_a_file_are_taken_from_its_folder(tmp_path: Path) -> None:
    file = tmp_path / "kgbuild.toml"
    file.write_text('[catalogue]\npath = "items.csv"\nimage_root = "pictures"\n')
    config = load_config(file)
    assert config.catalogue.path == str(tmp_path / "items.csv")
    assert config.catalogue.image_root == str(tmp_path / "pictures")
    # What is typed on the command line is meant from where one stands.
    assert load_config(file, ["catalogue.path=b.csv"]).catalogue.path == "b.csv"
    for kept in (str(tmp_path / "x.csv"), "s3://bucket/x.parquet"):
        file.write_text(f'[catalogue]\npath = "{kept}"\n')
        assert load_config(file).catalogue.path == kept
    file.write_text("[catalogue]\n")
    assert load_config(file).catalogue.path == ""


def test_a_file_that_is_absent_or_no_toml_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no config file .*absent\.toml") as caught:
        load_config(tmp_path / "absent.toml")
    assert "kgbuild init" in caught.value.remedy
    for content in (b"seed = \n", b"\xff\xfe", b"seed = 1\nseed = 2\n"):
        (tmp_path / "bad.toml").write_bytes(content)
        with pytest.raises(ConfigError, match=r"bad\.toml is no valid TOML"):
            load_config(tmp_path / "bad.toml")


@given(configs(), configs())
@settings(max_examples=60, deadline=None)
def test_a_section_fingerprint_tells_its_own_values_apart_and_nothing_else(one: Config, other: Config) -> None:
    for section in (spec.name for spec in dataclasses.fields(Config)):
        same = getattr(one, section) == getattr(other, section)
        assert (one.section_fingerprint(section) == other.section_fingerprint(section)) is same
