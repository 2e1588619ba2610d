"""The way from annotated texts to a model, on rule-made parses: no treebank, no catalogue."""

import random

import pytest
import spacy
from spacy.tokens import Doc

from kgbuild.language.align import align
from kgbuild.language.atoms import atoms_of
from kgbuild.language.decode import concepts_of, without_repeats
from kgbuild.language.features import context_of
from kgbuild.language.learn import Sample, learn
from kgbuild.language.lexicon import Lexicon, build_lexicon
from kgbuild.language.model import ConceptModel, prune
from kgbuild.language.tokens import blank_pipeline, lowered_doc
from kgbuild.language.treebank import Sentence, read_conllu, to_doc, vary

COLOURS = ("red", "blue", "green", "white", "black")
NOUNS = ("shirt", "dress", "top", "coat")


def parsed(text, joins=None, typos=None):
    nlp = blank_pipeline()
    doc = nlp(text)
    doc = Doc(
        nlp.vocab, words=[t.text for t in doc], spaces=[bool(t.whitespace_) for t in doc], tags=["NN"] * len(doc), deps=["dep"] * len(doc),
        heads=[0] * len(doc),
    )  # fmt: skip
    return atoms_of(doc, text, joins=joins or {}, typos=typos or {})


def annotated(rng):
    colour, noun, trim = rng.choice(COLOURS), rng.choice(NOUNS), rng.choice(COLOURS)
    text = f"{colour} {noun} with {trim} collar for your perfect day"
    concepts = [
        {"surface": f"{colour} {noun} with {trim} collar", "head": noun, "modifiers": [colour, f"{trim} collar"]},
        {"surface": f"{trim} collar", "head": "collar", "modifiers": [trim]},
    ]
    return text, concepts


def samples(count, seed):
    rng = random.Random(seed)
    made = []
    for group in range(count):
        text, concepts = annotated(rng)
        atoms = parsed(text)
        made.append(Sample(context_of(atoms, Lexicon(), is_title=False), align(concepts, atoms), group))
    return made


def test_alignment_and_decoding_are_inverse():
    text, concepts = annotated(random.Random(0))
    atoms = parsed(text)
    graph = align(concepts, atoms)
    assert not graph.misses
    found = concepts_of(atoms, graph, is_title=False)
    assert [(c.head, list(c.modifiers), text[c.start : c.end]) for c in found] == [
        (c["head"], c["modifiers"], c["surface"]) for c in concepts
    ]


def test_a_model_learns_the_pattern_and_survives_its_file(tmp_path):
    model, _ = learn(samples(24, seed=1), folds=2, rounds=1)
    model.save(tmp_path / "model.json.gz")
    again = ConceptModel.load(tmp_path / "model.json.gz")
    for sample in samples(10, seed=2):
        graph = again.graph(sample.context)
        assert (graph.listed, graph.links) == (sample.gold.listed, sample.gold.links)


def test_learning_twice_gives_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        learn(samples(8, seed=3), folds=2, rounds=1)[0].save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_unit_keeps_its_own_modifiers():
    assert prune({(0, 1), (1, 2), (0, 2)}) == {(0, 1), (1, 2)}
    assert prune({(0, 2), (1, 2)}) == {(0, 2), (1, 2)}


def test_repeats_and_bare_heads_go():
    text, concepts = annotated(random.Random(0))
    atoms = parsed(text)
    found = concepts_of(atoms, align(concepts, atoms), is_title=False)
    bare = type(found[0])(found[0].head, (), 0, 1)
    assert without_repeats([*found, *found, bare]) == found


def test_atoms_join_names_mend_typos_and_keep_places():
    text = "White T Shirt, Waist Bands, cuff-links and ribbd hem"
    atoms = parsed(text, {"waist band": "waistband", "cuff link": "cufflink"}, {"ribbd": "ribbed"})
    assert [a for a in atoms.lemma if a.isalpha() or "-" in a] == [
        "white",
        "t-shirt",
        "waistband",
        "cufflink",
        "and",
        "ribbed",
        "hem",
    ]
    assert all(text[s:e] == raw for s, e, raw in zip(atoms.start, atoms.end, atoms.raw, strict=True))
    assert "T Shirt" in atoms.raw


def test_lower_casing_keeps_offsets():
    text = "İstanbul ẞ Black SHOES"
    doc = lowered_doc(spacy.blank("en"), text)
    assert [doc.text[t.idx : t.idx + len(t)].lower() for t in doc][-2:] == ["black", "shoes"]
    assert len(doc.text) == len(text)


def test_a_lexicon_learns_brands_joins_and_typos(tmp_path):
    rows = [(f"Acme {c} Tshirt", "Acme", "soft waistband and elasticated sleeves") for c in COLOURS * 20]
    rows += [("Acme Red Tshirt", "Acme", "a waist band with eslasticated sleeves")]
    lexicon = build_lexicon(rows, frozenset())
    assert lexicon.joins == {"waist band": "waistband"}
    assert lexicon.typos == {"eslasticated": "elasticated"}
    assert lexicon.of("acme", "acme")[3] == "5"
    assert lexicon.of("red", "red")[3] == "0"
    assert lexicon.of("nowhere", "nowhere") == ("",) * 6
    lexicon.save(tmp_path / "l.json")
    assert Lexicon.load(tmp_path / "l.json") == lexicon


CONLLU = """# text = A well-made bag.
1\tA\ta\tDET\tDT\t_\t5\tdet\t_\t_
2\twell\twell\tADV\tRB\t_\t4\tadvmod\t_\tSpaceAfter=No
3\t-\t-\tPUNCT\tHYPH\t_\t4\tpunct\t_\tSpaceAfter=No
4\tmade\tmake\tVERB\tVBN\t_\t5\tamod\t_\t_
5\tbag\tbag\tNOUN\tNN\t_\t0\troot\t_\tSpaceAfter=No
6\t.\t.\tPUNCT\t.\t_\t5\tpunct\t_\t_

"""


def test_hyphenated_words_of_the_treebank_are_joined(tmp_path):
    (tmp_path / "x.conllu").write_text(CONLLU)
    (sentence,) = read_conllu(tmp_path / "x.conllu")
    assert sentence == Sentence(
        ["A", "well-made", "bag", "."],
        [True, True, False, True],
        ["DT", "JJ", "NN", "."],
        [2, 2, 2, 2],
        ["det", "amod", "ROOT", "punct"],
    )
    doc = to_doc([vary(sentence, random.Random(seed)) for seed in range(8)], spacy.blank("en").vocab)
    assert len(list(doc.sents)) == 8
    assert {token.text for token in doc if token.dep_ == "amod"} <= {"well-made", "Well-made"}


@pytest.mark.parametrize(("label", "ud"), [("dobj", "obj"), ("prep", "case"), ("relcl", "acl:relcl"), ("amod", "amod")])
def test_labels_of_other_pipelines_are_renamed(label, ud):
    nlp = spacy.blank("en")
    doc = Doc(nlp.vocab, words=["shirt"], tags=["NN"], deps=[label], heads=[0])
    assert atoms_of(doc, "shirt", joins={}, typos={}).dep == [ud]
