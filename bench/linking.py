"""Linking known concepts: agreement with mining on products it has not seen, and speed beside spaCy's PhraseMatcher.

    python -m bench.linking --from OUT --texts TRAIN.parquet [--append]

Agreement: the surface forms are of half of the products of a release (by hash), the texts of the other half. Speed: processor seconds
of one core for sentences of 15 to 25 words, everything up to the Arrow table, with 100,000 patterns (the release's surface forms, filled
up with recombined modifiers and heads).
"""

from __future__ import annotations

import argparse
import itertools
import random
import statistics
import time
import zlib
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import spacy
from spacy.matcher import PhraseMatcher

from kgbuild.language.automaton import fold
from kgbuild.language.concepts import aggregate_concepts
from kgbuild.language.linking import LINKS, READINGS, Linker, finest_known, read_surfaces
from kgbuild.language.sentences import sentences
from kgbuild.naming import canonical_mentions
from kgbuild.release import Release, Workspace
from kgbuild.subsumption import subsumes

Parts = tuple[str, tuple[str, ...]]


def halves(release: Release) -> tuple[tuple[pa.Table, pa.Table], tuple[pa.Table, pa.Table]]:
    """(mentions, texts) of each half of the products; texts that occur in both are left out of the second."""
    texts = release.table("texts")
    texts = texts.filter(pc.invert(pc.starts_with(texts["field"], "boilerplate:")))
    mentions = release.table("mentions")
    if release.has("phrases"):
        mentions = canonical_mentions(mentions, release.table("phrases"))
    second = pa.array([zlib.crc32(b"half" + name.encode()) % 2 == 1 for name in texts["product_id"].to_pylist()])
    shown, new = texts.filter(pc.invert(second)), texts.filter(second)
    new = new.filter(pc.invert(pc.is_in(new["text"], value_set=shown["text"].combine_chunks())))
    of = [
        mentions.filter(pc.is_in(mentions["text_id"], value_set=some["text_id"].combine_chunks()))
        for some in (shown, new)
    ]
    return (of[0], shown), (of[1], new)


def parts_of(*tables: pa.Table) -> dict[str, Parts]:
    found = {}
    for table in tables:
        columns = [table[name].to_pylist() for name in ("concept_id", "head_noun", "modifiers")]
        found.update({name: (head, tuple(units)) for name, head, units in zip(*columns, strict=True)})
    return found


def rows_of(table: pa.Table) -> set[tuple[str, int, int, str]]:
    return set(zip(*(table[name].to_pylist() for name in ("text_id", "start", "end", "concept_id")), strict=True))


def agreement(release: Release) -> list[str]:
    (shown, shown_texts), (new, new_texts) = halves(release)
    product_of = dict(zip(new_texts["text_id"].to_pylist(), new_texts["product_id"].to_pylist(), strict=True))
    known, _ = aggregate_concepts(shown, shown_texts, min_products=2, max_modifiers=4)
    distinct = distinct_concepts(shown)
    parts = parts_of(known, shown, new)
    maximal = read_surfaces(shown, shown_texts, distinct)
    n_surfaces = len(pc.unique(maximal["surface"]))
    lines = [
        f"{n_surfaces:,} surface forms of {len(shown_texts):,} texts; {len(new):,} mentions in {len(new_texts):,} other, different texts.",
        "",
        "Exactly what mining makes: the same words and the same maximal concept. Known are mentions whose concept the first half has.",
        "",
        "| min_share (exact) | links | precision | recall | recall of known |",
        "|---|---|---|---|---|",
    ]
    gold = rows_of(new)
    of_known = {row for row in gold if row[3] in set(distinct["concept_id"].to_pylist())}
    for min_share in (0.0, 0.3, 0.4, 0.5, 0.6, 0.8):
        links = rows_of(Linker(maximal, min_share=min_share, exact=True).link(new_texts))
        hit = len(links & gold)
        lines.append(
            f"| {min_share} | {len(links):,} | {hit / len(links):.3f} | {hit / len(gold):.3f} | {hit / len(of_known):.3f} |"
        )
    mined = defaultdict(set)
    for text, _, _, concept in gold:
        mined[product_of[text]].add(concept)
    finest = {(product_of[row[0]], row[3]) for row in rows_of(finest_known(new, known))}
    readings = read_surfaces(finest_known(shown, known), shown_texts, known)
    lines += [
        "",
        "As `kgbuild link` links, to concepts of the graph: a link is right when the product is mined to have that concept or a narrower",
        "one; found are the finest known concepts of a product's mentions, by the same concept or by one that is the same or broader.",
        "",
        "| min_share | links | precision | found, the same | found, same or broader |",
        "|---|---|---|---|---|",
    ]
    for min_share in (0.0, 0.3, 0.5, 0.7, 0.9):
        links = rows_of(Linker(readings, min_share=min_share).link(new_texts))
        right = sum(any(subsumes(parts[c], parts[m]) for m in mined[product_of[text]]) for text, _, _, c in links)
        linked = defaultdict(set)
        for text, _, _, concept in links:
            linked[product_of[text]].add(concept)
        same = sum(concept in linked[product] for product, concept in finest)
        covered = sum(any(subsumes(parts[c], parts[concept]) for c in linked[product]) for product, concept in finest)
        shares = [right / len(links), same / len(finest), covered / len(finest)]
        lines.append(f"| {min_share} | {len(links):,} | " + " | ".join(f"{value:.3f}" for value in shares) + " |")
    return lines


def distinct_concepts(mentions: pa.Table) -> pa.Table:
    rows = [
        {"concept_id": n, "label": h, "head_noun": h, "modifiers": list(m)} for n, (h, m) in parts_of(mentions).items()
    ]
    # The label of a maximal concept is not known to be a surface form, so the empty ones stand for none.
    return pa.Table.from_pylist([row | {"label": ""} for row in rows])


def patterns(release: Release, count: int) -> pa.Table:
    """The readings of the release, and recombined concepts until there are `count` surface forms."""
    concepts = release.table("concepts")
    mentions = release.table("mentions")
    if release.has("phrases"):
        mentions = canonical_mentions(mentions, release.table("phrases"))
    found = read_surfaces(finest_known(mentions, concepts), release.table("texts"), concepts)
    surfaces = set(found["surface"].to_pylist())
    heads, units = (
        sorted(set(concepts["head_noun"].to_pylist())),
        sorted({u for some in concepts["modifiers"].to_pylist() for u in some}),
    )
    draw, rows = random.Random(0), []
    counts = {"first": 0, "n_mentions": 0, "n_agreed": 0, "n_said": 0, "n_checked": 0}
    while len(surfaces) < count:
        words = fold(" ".join([*draw.sample(units, draw.randint(1, 3)), draw.choice(heads)]))
        if (surface := " ".join(words)) not in surfaces:
            surfaces.add(surface)
            rows.append(counts | {"surface": surface, "last": len(words) - 1, "concept_id": f"made-up {len(rows)}"})
    return pa.concat_tables([found, pa.Table.from_pylist(rows, schema=READINGS)])


def some_sentences(path: Path, count: int) -> pa.Table:
    """Sentences of 15 to 25 words and less than 250 characters, distinct, markup left out."""
    found: dict[str, None] = {}
    for batch in pq.ParquetFile(path).iter_batches(columns=["description", "style_note"]):
        for text in itertools.chain.from_iterable(column.to_pylist() for column in batch.columns):
            for line in (text or "").replace(">", "<").split("<")[::2]:
                found.update(
                    dict.fromkeys(s for _, s in sentences(line) if 15 <= len(s.split()) <= 25 and len(s) < 250)
                )
    texts = list(found)[:count]
    return pa.table({"text_id": [str(n) for n in range(len(texts))], "text": texts})


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    begin = time.process_time()
    done = work()
    return time.process_time() - begin, done


def by_phrase_matcher(matcher: PhraseMatcher, tokenizer: Any, texts: pa.Table) -> pa.Table:
    """The same table by spaCy: a loop over texts and matches, longest first (`spacy.util.filter_spans`)."""
    rows = []
    for name, text in zip(texts["text_id"].to_pylist(), texts["text"].to_pylist(), strict=True):
        spans = spacy.util.filter_spans(matcher(tokenizer(text), as_spans=True))
        rows += [(name, span.start_char, span.end_char, span.text, span.label_) for span in spans]
    columns = list(zip(*rows, strict=True)) or [[]] * 5
    return pa.table(dict(zip(LINKS.names, map(list, columns), strict=True)), schema=LINKS)


def speed(release: Release, texts: pa.Table, n_patterns: int) -> list[str]:
    readings = patterns(release, n_patterns)
    words = sum(len(text.split()) for text in texts["text"].to_pylist()) / len(texts)
    build, linker = timed(lambda: Linker(readings, min_share=0.0))
    cold, links = timed(lambda: linker.link(texts))
    passes = [timed(lambda: linker.link(texts))[0] for _ in range(7)]
    query = texts.slice(0, 1)
    one, _ = timed(lambda: [linker.link(query) for _ in range(1000)])

    def make() -> tuple[PhraseMatcher, Any]:
        nlp = spacy.blank("en")
        matcher = PhraseMatcher(nlp.vocab, attr="LOWER")
        whole = readings.filter(pc.equal(readings["first"], 0))
        names = dict(zip(whole["surface"].to_pylist(), whole["concept_id"].to_pylist(), strict=True))
        for surface, name in names.items():
            matcher.add(name, [nlp.make_doc(surface)])
        return matcher, nlp.tokenizer

    made, (matcher, tokenizer) = timed(make)
    few = texts.slice(0, 5000)
    peer, theirs = timed(lambda: by_phrase_matcher(matcher, tokenizer, few))
    n_ours, n_theirs = len(links) / len(texts), len(theirs) / len(few)
    return [
        f"{n_patterns:,} surface forms, {len(texts):,} distinct sentences of {words:.1f} words on average, processor seconds.",
        "",
        "| | build s | texts a second | links a text |",
        "|---|---|---|---|",
        f"| kgbuild, first pass (spellings not yet remembered) | {build:.1f} | {len(texts) / cold:,.0f} | {n_ours:.2f} |",
        f"| kgbuild, later passes, best of 7 | | {len(texts) / min(passes):,.0f} | {n_ours:.2f} |",
        f"| kgbuild, later passes, median | | {len(texts) / statistics.median(passes):,.0f} | {n_ours:.2f} |",
        f"| spaCy {spacy.__version__} PhraseMatcher, lower case, 5,000 of them | {made:.1f} | {len(few) / peer:,.0f} | {n_theirs:.2f} |",
        "",
        f"One text a call: {one:.2f} ms.",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--from", dest="out", type=Path, required=True, help="the folder of releases")
    parser.add_argument("--texts", type=Path, required=True, help="Parquet with description and style_note")
    parser.add_argument("--patterns", type=int, default=100_000)
    parser.add_argument("--sentences", type=int, default=100_000)
    parser.add_argument("--append", action="store_true", help="append to bench/RESULTS.md")
    options = parser.parse_args()
    release = Workspace(options.out).require_current()
    lines = ["", "## Linking known concepts (`python -m bench.linking`)", "", *agreement(release), ""]
    lines += speed(release, some_sentences(options.texts, options.sentences), options.patterns)
    text = "\n".join(lines) + "\n"
    print(text)
    if options.append:
        with (Path(__file__).parent / "RESULTS.md").open("a", encoding="utf-8") as stream:
            stream.write(text)


if __name__ == "__main__":
    main()
