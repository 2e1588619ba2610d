"""Tagger and parser for catalogue language on made sentences: measure, corrected trees, training."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kgbuild.language.atoms import atoms_of
from kgbuild.language.decode import Graph
from kgbuild.language.learning.attachment import Attachment, attached, tokens_of
from kgbuild.language.learning.parser import train_pipeline, untrained
from kgbuild.language.learning.silver import distinct_sentences, links_of
from kgbuild.language.learning.treebank import Sentence, to_doc
from kgbuild.language.learning.trees import Tree
from kgbuild.language.tokens import blank_pipeline

NLP = blank_pipeline()


def tree(text, tags, heads, deps):
    """A tree from blanks-separated lists; heads count from 0."""
    words = text.split()
    return Tree(words, [True] * len(words), tags.split(), [int(h) for h in heads.split()], deps.split())


def parsed(text, tags, heads, deps):
    one = tree(text, tags, heads, deps)
    return to_doc([Sentence(one.words, one.spaces, one.tags, one.heads, one.deps)], NLP.vocab)


def laid(doc):
    return atoms_of(doc, joins={}, typos={})


def test_attachment_counts_what_stands_below_its_head():
    doc = parsed(
        "red shirt made of soft cotton , has collar and cuffs in black",
        "JJ NN VBN IN JJ NN , VBZ NN CC NNS IN JJ",
        "1 7 1 5 5 2 7 7 7 10 8 12 8",
        "amod nsubj acl case amod obl punct ROOT obj cc conj case nmod",
    )
    graph = Graph({1, 5, 8, 10}, {(0, 1), (4, 5), (5, 1), (12, 8), (12, 10), (1, 8)})
    counts = attached(doc, laid(doc), graph)
    assert counts == Attachment(before=3, before_attached=2, after=3, after_attached=3, reaching=4, nearest_own=4)
    assert counts.shares() == {"pairs": 0.8333, "pairs_before": 0.6667, "pairs_after": 1.0, "nearest": 1.0}
    assert (counts + Attachment()) == counts


def test_a_wrong_nearest_head_is_counted():
    doc = parsed("leather shoe sole", "NN NN NN", "1 2 2", "compound compound ROOT")
    counts = attached(doc, laid(doc), Graph({1, 2}, {(0, 2), (1, 2)}))
    assert (counts.before_attached, counts.reaching, counts.nearest_own) == (2, 2, 1)


def test_atoms_of_several_tokens_keep_their_tokens():
    doc = NLP("White T Shirt, v-neck")
    assert tokens_of(doc, laid(doc)) == [[0], [1, 2], [3], [4]]
    links, heads = links_of(doc, laid(doc), Graph({1}, {(0, 1), (3, 1)}))
    assert (links, heads) == ({0: {2}, 4: {2}}, {2})


@pytest.mark.parametrize(
    ("given_tree", "links", "listed", "heads", "deps"),
    [
        pytest.param(  # a modifier read as the verb: the noun takes its place
            tree("Floral printed footbed for style", "NNP VBD VB IN NN", "1 1 1 4 1", "nsubj ROOT obj case obl"),
            {0: {2}, 1: {2}},
            {2},
            [2, 2, 2, 4, 2],
            ["compound", "amod", "ROOT", "case", "obl"],
            id="verb",
        ),
        pytest.param(  # the second item of a list joins the first
            tree("dress with bow , red buttons", "NN IN NN , JJ NNS", "0 2 0 5 5 5", "ROOT case nmod punct amod ROOT"),
            {2: {0}, 4: {5}, 5: {0}},
            {0, 2, 5},
            [0, 2, 0, 5, 5, 2],
            ["ROOT", "case", "nmod", "punct", "amod", "conj"],
            id="list",
        ),
        pytest.param(  # a participle after its noun
            tree("logo embroidered on back", "NN VBD IN NN", "1 1 3 1", "nsubj ROOT case obl"),
            {1: {0}, 3: {0}},
            {0},
            [0, 0, 3, 1],
            ["ROOT", "acl", "case", "obl"],
            id="participle",
        ),
        pytest.param(  # another noun before it
            tree("top in cotton with print", "NN IN NN IN NN", "0 2 0 4 2", "ROOT case nmod case nmod"),
            {2: {0}, 4: {0}},
            {0, 4},
            [0, 2, 0, 4, 0],
            ["ROOT", "case", "nmod", "case", "nmod"],
            id="further up",
        ),
    ],
)
def test_trees_are_corrected_by_links(given_tree, links, listed, heads, deps):
    assert given_tree.correct(links, listed, is_title=False)
    (sentence,) = given_tree.sentences()
    assert (sentence.heads, sentence.deps) == (heads, deps)


def test_a_title_is_one_phrase():
    one = tree("Acme Men Zoom Red Shoes", "VB NNS NN JJ NNS", "0 0 2 4 2", "ROOT obj ROOT amod obj")
    assert one.correct({1: {4}, 3: {4}}, {4}, is_title=True)
    (sentence,) = one.sentences()
    assert sentence.heads == [4, 4, 4, 4, 4]
    assert sentence.deps[4] == "ROOT"


def test_what_a_verb_says_stays():
    one = tree("shirt is made of cotton", "NN VBZ VBN IN NN", "2 2 2 4 2", "nsubj:pass aux:pass ROOT case obl")
    assert one.correct({4: {0}}, {0, 4}, is_title=False)
    assert one.heads == [2, 2, 2, 4, 2]


def random_tree(rng, size):
    """A projective tree: each span's root somewhere in it, both sides below it."""
    heads = [0] * size

    def grow(start, end, above):
        if start < end:
            root = rng.randrange(start, end)
            heads[root] = root if above is None else above
            grow(start, root, root)
            grow(root + 1, end, root)

    grow(0, size, None)
    deps = [rng.choice(("amod", "compound", "nmod", "conj", "obl", "case", "nsubj", "advmod", "punct")) for _ in heads]
    tags = [rng.choice(("NN", "NNS", "JJ", "VBN", "VBD", "IN", ",", "CC", "RB", "DT")) for _ in heads]
    deps = ["ROOT" if heads[place] == place else dep for place, dep in enumerate(deps)]
    return Tree([f"w{place}" for place in range(size)], [True] * size, tags, heads, deps)


@settings(max_examples=300, deadline=None)
@given(st.integers(2, 9), st.integers(0, 10**6))
def test_a_corrected_tree_is_a_projective_tree_of_the_same_words(size, seed):
    rng = random.Random(seed)
    one = random_tree(rng, size)
    words = list(one.words)
    links = {}
    for _ in range(rng.randrange(1, 4)):
        part, whole = rng.sample(range(size), 2)
        links.setdefault(part, set()).add(whole)
    listed = {whole for wholes in links.values() for whole in wholes}
    if not one.correct(links, listed, is_title=rng.random() < 0.3):
        return
    parts = list(one.sentences())
    assert [word for part in parts for word in part.words] == words
    for part in parts:
        size = len(part.words)
        assert sum(head == place for place, head in enumerate(part.heads)) == 1
        assert all(
            (dep == "ROOT") == (head == place)
            for place, (head, dep) in enumerate(zip(part.heads, part.deps, strict=True))
        )
        arcs = [tuple(sorted(arc)) for arc in enumerate(part.heads)]
        assert not any(a < c < b < d for a, b in arcs for c, d in arcs)
        doc = to_doc([part], NLP.vocab)
        assert len(list(doc.sents)) == 1


def test_sentences_come_once_and_not_those_kept_apart():
    texts = [("Red Shirt", True), ("Soft collar. Red  Shirt\nBlue coat\nof wool", False)]
    assert list(distinct_sentences(texts, frozenset({"Soft collar."}))) == [
        ("Red Shirt", True),
        ("Blue coat of wool", False),
    ]


CONLLU = "\n".join(
    f"{place}\t{word}\t_\t_\t{tag}\t_\t{head}\t{dep}\t_\t_"
    for place, (word, tag, head, dep) in enumerate(
        [
            ("Red", "JJ", 2, "amod"),
            ("shirts", "NNS", 3, "nsubj"),
            ("fit", "VBP", 0, "root"),
            ("well", "RB", 3, "advmod"),
            (".", ".", 3, "punct"),
        ],
        1,
    )
)


def test_training_twice_gives_the_same_pipeline_and_goes_on_from_it(tmp_path):
    for part in ("train", "dev"):
        (tmp_path / f"en_ewt-ud-{part}.conllu").write_text(f"{CONLLU}\n\n" * 30)
    silver = [Sentence(["soft", "collar"], [True, True], ["JJ", "NNS"], [1, 1], ["amod", "ROOT"])] * 5
    for name in ("a", "b"):
        train_pipeline(tmp_path, tmp_path / name, steps=2, seed=1, words_per_batch=40)
        train_pipeline(
            tmp_path, tmp_path / f"{name}2", steps=2, seed=1, words_per_batch=40, start=tmp_path / name, silver=silver
        )
    for name in ("a", "a2"):
        for file in ("tok2vec/model", "parser/model", "tagger/model", "meta.json"):
            assert (tmp_path / name / file).read_bytes() == (tmp_path / name.replace("a", "b") / file).read_bytes()
    assert (tmp_path / "a" / "parser/model").read_bytes() != (tmp_path / "a2" / "parser/model").read_bytes()
    assert untrained(silver).pipe_names == ["tok2vec", "tagger", "parser"]
