"""mentions -> synonyms, phrases: one canonical form for names that are one, each decision with its evidence.

Kinds of decisions, in this order, each made on what the ones before left:

- word: spellings of a word ("seperator" -> "separator"), wherever it stands in a name (`synonyms_spelling`);
- name: names of several words written together, apart or with a hyphen ("flip-flop", "flip flop"), and whatever a person merged;
- cut: the same words of one head cut into units in two ways, or cut into head and units (`synonyms_cuts`);
- form: a noun and the participle made of it, as modifiers ("zip pocket", "zipped pocket"; `synonyms_forms`);
- head, unit: names used alike of the same products ("tee", "t-shirt"; `synonyms_usage`), heads of one stem with the same modifiers
  ("neckline", "neck"; `synonyms_forms`): proposed, never merged by themselves.

What a person says (`kgbuild.naming`) beats all. Table phrases says for every maximal concept as mined what it is called in the end;
`naming.canonical_mentions` applies it. All of it is a function of the tables and of that file; the order of rows does not matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kgbuild.identity import concept_id
from kgbuild.language.counts import Counts, Ints, Ragged, count_phrases
from kgbuild.language.synonyms_company import count_company
from kgbuild.language.synonyms_cuts import Cutting, HeadCutting, Phrase, find_cuts, find_head_cuts, said_once
from kgbuild.language.synonyms_decisions import Decision, joins, settled, spellings, unknown_names
from kgbuild.language.synonyms_forms import Forms, find_forms, heads_alike, names_and_forms
from kgbuild.language.synonyms_names import Naming
from kgbuild.language.synonyms_usage import MentionRows, used_alike
from kgbuild.naming import ByHand, cut_name, cut_parts
from kgbuild.tables import TABLES, empty, in_order

NOBODY = ByHand()
_ROUNDS = 8


def find_synonyms(
    mentions: pa.Table, texts: pa.Table, products: pa.Table, *, by_hand: ByHand = NOBODY
) -> tuple[pa.Table, pa.Table]:
    """Which names are one, and what every maximal concept is called in the end.

    Args:
        mentions: table mentions.
        texts: at least `text_id`, `product_id` and `field` of every text mentioned.
        products: at least `product_id` and `category_path`.
        by_hand: what a person decided.

    Returns:
        Tables synonyms and phrases.

    Raises:
        TableError: a mention's text is not in `texts`.
    """
    if not mentions.num_rows:
        return _decision_rows(unknown_names(by_hand, ())), empty("phrases")
    distinct, counts, product_ids = count_phrases(mentions, texts)
    ids = distinct["concept_id"].to_pylist()
    mined = [
        (head, tuple(sorted(set(units))))
        for head, units in zip(distinct["head_noun"].to_pylist(), distinct["modifiers"].to_pylist(), strict=True)
    ]
    category = _categories(product_ids, products)

    words = count_company((_words_of(*phrase) for phrase in mined), counts, category)
    word_names, decisions = spellings(words, by_hand)
    spelt = [_renamed(phrase, Naming(word_names)) for phrase in mined]
    names = count_company((_names_of(*phrase) for phrase in spelt), counts, category)
    of_names, of_forms = names_and_forms(by_hand)
    naming, some = joins(names, word_names, of_names)
    decisions = settled(decisions + some, naming)
    cut, some = _cut(spelt, counts, naming, by_hand, replace(by_hand, merge=of_forms))
    decisions += some

    rows = _numbered(mentions, texts, ids, product_ids)
    decisions += _alike(cut, counts, category, rows, by_hand)
    known = {*words.names, *names.names, *(row.name for row in decisions), *_every_name(cut)}
    decisions += unknown_names(by_hand, known)
    return _decision_rows(decisions), _phrase_rows(ids, cut)


def _categories(product_ids: Sequence[str], products: pa.Table) -> Ints:
    """The number of each product's category: its whole path."""
    paths = [" > ".join(path) for path in products["category_path"].to_pylist()]
    of = dict(zip(products["product_id"].to_pylist(), paths, strict=True))
    numbers = {path: number for number, path in enumerate(sorted({"", *paths}))}
    return np.array([numbers[of.get(product, "")] for product in product_ids], np.int64)


def _words_of(head: str, units: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The words of a phrase with their company: as a head its units, in a unit the head and the unit's other words."""
    for word in head.split():
        yield word, "is a head"
        yield from ((word, f"has {unit}") for unit in units)
    for unit in units:
        words = unit.split()
        for place, word in enumerate(words):
            yield word, f"of {head}"
            yield word, "is last" if place == len(words) - 1 else "is inner"
            yield from ((word, f"after {other}") for other in words[:place])
            yield from ((word, f"before {other}") for other in words[place + 1 :])


def _names_of(head: str, units: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Heads and units with their company, whatever their role."""
    yield head, "is a head"
    for unit in units:
        yield head, f"has {unit}"
        yield unit, f"of {head}"


def _renamed(phrase: Phrase, naming: Naming) -> Phrase:
    head, units = phrase
    return naming.canonical(head), tuple(sorted({naming.canonical(unit) for unit in units}))


def _every_name(phrases: Iterable[Phrase]) -> Iterator[str]:
    for head, units in phrases:
        yield head
        yield from units


def _cut(
    phrases: Sequence[Phrase], counts: Counts, naming: Naming, by_hand: ByHand, of_forms: ByHand
) -> tuple[list[Phrase], list[Decision]]:
    """Phrases that say no word twice where that can be helped, under one form and one cut of the same words, and the decisions.

    The head comes first, since forms and cuts are a head's own; but a form may make a unit that another name stands for, or that belongs
    to the head, so these two are asked again until nothing is new.
    """
    phrases = [_renamed(phrase, naming) for phrase in phrases]
    headed = [(head, said_once(head, units)) for head, units in phrases]
    heads = find_head_cuts(*_sayers(headed, counts), by_hand)
    heading = HeadCutting(heads)
    formed = [heading.apply(phrase) for phrase in headed]
    forms, formed_so = find_forms(*_sayers(formed, counts), _called(of_forms, naming))
    for _ in range(_ROUNDS):
        formed = [_settled(phrase, naming, heading, forms) for phrase in formed]
        distinct, products = _sayers(formed, counts)
        known = {(cut.name, cut.unit, cut.head) for cut in heads}
        found = find_head_cuts(distinct, products, by_hand)
        more = [cut for cut in found if (cut.name, cut.unit, cut.head) not in known]
        if not more:
            break
        heads += more
        heading = HeadCutting(heads)
    cuts = find_cuts(distinct, products, by_hand.keep_apart)
    cutting = Cutting(cuts)
    chosen = {phrase: cutting.apply(phrase) for phrase in distinct}
    decisions = [*(cut.decision() for cut in heads), *formed_so, *(cut.decision() for cut in cuts)]
    return [chosen[phrase] for phrase in formed], decisions


def _called(by_hand: ByHand, naming: Naming) -> ByHand:
    """A person's words in the spelling that the catalogue's words have by now; pairs to be kept apart also as they are written."""

    def name(written: str) -> str:
        head, units = cut_parts(written)
        return cut_name(naming.canonical(head), sorted(map(naming.canonical, units)))

    merge = tuple(tuple(sorted({name(one) for one in group})) for group in by_hand.merge)
    apart = {frozenset(name(one) for one in pair) for pair in by_hand.keep_apart}
    return ByHand(merge, by_hand.keep_apart | {pair for pair in apart if len(pair) > 1})


def _settled(phrase: Phrase, naming: Naming, heading: HeadCutting, forms: Forms) -> Phrase:
    """The phrase under forms, names and head cuts, until nothing changes."""
    for _ in range(_ROUNDS):
        following = heading.apply(_renamed(forms.apply(phrase), naming))
        if following == phrase:
            break
        phrase = following
    return phrase


def _sayers(phrases: Sequence[Phrase], counts: Counts) -> tuple[list[Phrase], list[list[int]]]:
    """The distinct phrases by the alphabet, and the products of each."""
    distinct = sorted(set(phrases))
    number = {phrase: place for place, phrase in enumerate(distinct)}
    said = counts.renamed(np.array([number[phrase] for phrase in phrases], np.int64))
    starts = np.searchsorted(said.phrase, np.arange(len(distinct) + 1))
    return distinct, list(Ragged(starts.astype(np.int64), said.product))


def _alike(
    phrases: Sequence[Phrase], counts: Counts, category: Ints, rows: MentionRows, by_hand: ByHand
) -> list[Decision]:
    """Proposals: heads of one stem, heads and units that are used alike."""
    said = {
        "head": count_company((_heads_of(*phrase) for phrase in phrases), counts, category),
        "unit": count_company((_units_of(*phrase) for phrase in phrases), counts, category),
    }
    decisions = heads_alike(*_sayers(phrases, counts), by_hand.keep_apart)
    for kind, swap in used_alike(phrases, said, rows):
        support = said[kind].support
        canonical, name = sorted((swap.first, swap.second), key=lambda one: (-support[one], one))
        verdict = "kept_apart" if frozenset({name, canonical}) in by_hand.keep_apart else "proposed"
        evidence = (
            f"of one product the title says {swap.first!r} and the text {swap.second!r} {swap.forth} times, the other way"
            f" {swap.back} times: {swap.lift:.0f} times chance"
        )
        supports = (support[name], support[canonical])
        decisions.append(Decision(kind, name, canonical, "usage", *supports, swap.similarity, verdict, evidence))
    return decisions


def _heads_of(head: str, units: Sequence[str]) -> Iterator[tuple[str, str]]:
    yield head, ""
    yield from ((head, f"has {unit}") for unit in units)


def _units_of(head: str, units: Sequence[str]) -> Iterator[tuple[str, str]]:
    return ((unit, f"of {head}") for unit in units)


def _decision_rows(decisions: Iterable[Decision]) -> pa.Table:
    rows = {(row.kind, row.name, row.canonical): asdict(row) for row in decisions}
    return in_order(pa.Table.from_pylist(list(rows.values()), schema=TABLES["synonyms"].schema), "synonyms")


def _phrase_rows(ids: Sequence[str], phrases: Sequence[Phrase]) -> pa.Table:
    columns = {
        "concept_id": list(ids),
        "canonical_id": [concept_id(*phrase) for phrase in phrases],
        "head_noun": [head for head, _ in phrases],
        "modifiers": [list(units) for _, units in phrases],
    }
    return in_order(pa.table(columns, schema=TABLES["phrases"].schema), "phrases")


def _numbered(mentions: pa.Table, texts: pa.Table, ids: Sequence[str], product_ids: Sequence[str]) -> MentionRows:
    """The distinct (product, in the title or not, phrase) of the mentions."""
    place = pc.index_in(mentions["text_id"], value_set=texts["text_id"].combine_chunks())
    product = pc.index_in(texts["product_id"].take(place), value_set=pa.array(product_ids, pa.string()))
    phrase = pc.index_in(mentions["concept_id"], value_set=pa.array(ids, pa.string()))
    titled = pc.equal(texts["field"].take(place), "title").cast(pa.int64())
    return np.unique(np.stack([column.to_numpy().astype(np.int64) for column in (product, titled, phrase)]), axis=1)
