"""Names under which concepts go: what a person says of them, and mentions with the canonical names in place.

A person says it in a small TOML file kept with the catalogue (setting language.synonyms):

    merge = [["tee", "t-shirt"], ["trainer", "sports shoe"]]   # one concept; its name is the most frequent of them
    keep_apart = [["print", "pattern"]]                        # two concepts, whatever the counts say

Names are written as the report writes them (`kgbuild synonyms OUT`): lower case, singular; cuts of words too ("neck: polo"), and
forms that one head is to keep apart (["earring: stud", "earring: studded"]).
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from kgbuild.errors import ConfigError
from kgbuild.identity import fingerprint

DECISIONS: Final = ("merged", "proposed", "kept_apart", "by_hand", "unknown")
"""What table synonyms may say of two names."""

_KEYS: Final = ("merge", "keep_apart")
_FORM: Final = 'write lists of names: merge = [["tee", "t-shirt"]] and keep_apart = [["print", "pattern"]]'


@dataclass(frozen=True)
class ByHand:
    """Groups of names that are one, and pairs that are two, whatever the counts say."""

    merge: tuple[tuple[str, ...], ...] = ()
    keep_apart: frozenset[frozenset[str]] = frozenset()

    def fingerprint(self) -> str:
        """SHA-256 over the decisions."""
        return fingerprint([self.merge, sorted(map(sorted, self.keep_apart))])

    def names(self) -> list[str]:
        """All names that are spoken of, in the order of the alphabet."""
        return sorted({name for group in (*self.merge, *self.keep_apart) for name in group})


def read_by_hand(path: Path) -> ByHand:
    """Read the file.

    Raises:
        ConfigError: it is absent, no TOML, has another key, a list that is no list of two names or more, or contradicts itself.
    """
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        remedy = "mend language.synonyms, or make the file with: kgbuild synonyms --write FILE"
        raise ConfigError(f"there is no file of synonyms {path}", remedy) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is no valid TOML: {error}", "mend the line it names") from None
    return by_hand(values, str(path))


def by_hand(values: Mapping[str, Any], where: str) -> ByHand:
    """The groups of parsed TOML; merges that share a name become one group. Raises as `read_by_hand`."""
    unknown = sorted(set(values) - set(_KEYS))
    if unknown:
        raise ConfigError(f"{where} has an unknown key {unknown[0]!r}", f"it may have: {', '.join(_KEYS)}")
    merge = _joined(_groups(values.get("merge", []), f"{where}: merge"))
    apart = {
        frozenset(pair)
        for group in _groups(values.get("keep_apart", []), f"{where}: keep_apart")
        for pair in combinations(group, 2)
    }
    for group in merge:
        for pair in sorted(map(sorted, apart)):
            if set(pair) <= set(group):
                raise ConfigError(
                    f"{where} says that {pair[0]!r} and {pair[1]!r} are one name and that they are two",
                    f"take one of them out of merge ({', '.join(group)}), or the pair out of keep_apart",
                )
    return ByHand(merge, frozenset(apart))


def by_hand_toml(present: ByHand, proposed: Iterable[tuple[Sequence[str], str]]) -> str:
    """A file ready for editing: what is decided already, and proposals with their evidence, commented out."""
    lines = ["# Names that are one. Take the # away from what you agree with.", "merge = ["]
    lines += [f"    {_list(group)}," for group in present.merge]
    lines += [f"    # {_list(names)},  # {evidence}" for names, evidence in proposed]
    lines += ["]", "", "# Names that are two, whatever the counts say.", "keep_apart = ["]
    lines += [f"    {_list(sorted(pair))}," for pair in sorted(present.keep_apart, key=sorted)]
    return "\n".join([*lines, "]", ""])


def _list(names: Sequence[str]) -> str:
    """A list in TOML: JSON's strings are TOML's too, but for the control character that only TOML wants escaped."""
    return json.dumps(list(names), ensure_ascii=False).replace("\x7f", "\\u007f")


def cut_name(head: str, units: Sequence[str]) -> str:
    """How the report and the file write a head with its units: "neck: polo + ribbed"; without units the head."""
    return f"{head}: {' + '.join(units)}" if units else head


def cut_parts(name: str) -> tuple[str, list[str]]:
    """Head and units of a name that `cut_name` writes; another name is a head."""
    head, colon, units = name.partition(": ")
    return head, units.split(" + ") if colon else []


def canonical_mentions(mentions: pa.Table, phrases: pa.Table) -> pa.Table:
    """Mentions with the canonical concept, head and modifiers in the place of those that were mined.

    Args:
        mentions: table mentions, or some of its rows and columns; `concept_id` among them.
        phrases: table phrases, which has every concept of `mentions`.
    """
    place = pc.index_in(mentions["concept_id"], value_set=phrases["concept_id"].combine_chunks())
    for column, source in (("head_noun", "head_noun"), ("modifiers", "modifiers"), ("concept_id", "canonical_id")):
        at = mentions.schema.get_field_index(column)
        if at >= 0:
            mentions = mentions.set_column(at, mentions.schema.field(column), phrases[source].take(place))
    return mentions


def _groups(given: Any, where: str) -> list[tuple[str, ...]]:
    if not isinstance(given, list):
        raise ConfigError(f"{where} is no list: {given!r}", _FORM)
    groups = []
    for group in given:
        if not isinstance(group, list) or not all(isinstance(name, str) and name.strip() for name in group):
            raise ConfigError(f"{where} has {group!r}, which is no list of names", _FORM)
        names = tuple(dict.fromkeys(" ".join(name.lower().split()) for name in group))
        if len(names) < 2:
            raise ConfigError(f"{where} has {group!r}, which is less than two names", _FORM)
        groups.append(names)
    return groups


def _joined(groups: Iterable[tuple[str, ...]]) -> tuple[tuple[str, ...], ...]:
    """Groups that share a name as one; each in the order of the alphabet, and so are they."""
    joined: list[set[str]] = []
    for group in groups:
        touched = [one for one in joined if not one.isdisjoint(group)]
        joined = [one for one in joined if one.isdisjoint(group)]
        joined.append(set(group).union(*touched))
    return tuple(sorted(tuple(sorted(group)) for group in joined))
