"""The way from annotated texts to a model, on made texts: no treebank, no catalogue."""

import random
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import spacy
import torch

from kgbuild.errors import CatalogueError
from kgbuild.language.atoms import atoms_of
from kgbuild.language.decode import concepts_of, without_repeats
from kgbuild.language.inputs import SentenceRows, Vocabulary, stacked
from kgbuild.language.learning.align import align
from kgbuild.language.learning.annotations import Annotated, labelled_texts
from kgbuild.language.learning.domains import head_words, held_out_domains, read_head_domains, train_domains
from kgbuild.language.learning.fit import SHAPE, agreed, fine_tune, padded, pretrain, shipped, with_domains
from kgbuild.language.learning.held_out import best_thresholds, held_out, records_at
from kgbuild.language.learning.networks import ConceptNet, Encoder
from kgbuild.language.learning.samples import catalogue_sentences, samples_of, vocabulary_of
from kgbuild.language.learning.treebank import Sentence, read_conllu, to_doc, vary
from kgbuild.language.lexicon import Lexicon
from kgbuild.language.model import ConceptModel, prune, spans
from kgbuild.language.score import score_gold
from kgbuild.language.tokens import blank_pipeline

COLOURS = ("red", "blue", "green", "white", "black")
NOUNS = ("shirt", "dress", "top", "coat")


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def atoms(text, joins=None, typos=None):
    return atoms_of(blank_pipeline()(text), joins=joins or {}, typos=typos or {})


def annotated(rng, product="p"):
    colour, noun, trim = rng.choice(COLOURS), rng.choice(NOUNS), rng.choice(COLOURS)
    text = f"{colour} {noun} with {trim} collar for your perfect day"
    surfaces = [f"{colour} {noun} with {trim} collar", f"{trim} collar"]
    return Annotated(product, text, False, [(noun, [colour, f"{trim} collar"]), ("collar", [trim])], surfaces)


def texts(count, seed):
    rng = random.Random(seed)
    return [annotated(rng, str(number)) for number in range(count)]


@cache
def learned(seed):
    plain = [(text.text, False) for text in texts(60, seed=1)]
    vocabulary = vocabulary_of(plain, Lexicon())
    encoder = pretrain(
        list(catalogue_sentences(plain, vocabulary)),
        2 + len(vocabulary.words),
        steps=3,
        seed=seed,
        progress=lambda _: None,
    )
    net = fine_tune(
        encoder, samples_of(texts(60, seed=1), vocabulary) * 20, epochs=25, seed=seed, progress=lambda _: None
    )
    return net, vocabulary


@pytest.mark.parametrize("surfaces", [True, False])
def test_alignment_and_decoding_are_inverse(surfaces):
    text = annotated(random.Random(0))
    asked = text if surfaces else Annotated(text.product, text.text, False, text.concepts)
    words = atoms(text.text)
    graph, misses = align(asked, words)
    assert not misses
    found = concepts_of(words, graph, is_title=False)
    assert [(c.head, list(c.modifiers)) for c in found] == text.concepts
    assert [text.text[c.start : c.end] for c in found] == text.surfaces


def test_what_stands_nowhere_is_told():
    graph, misses = align(
        Annotated("p", "red shirt", False, [("coat", ["red"]), ("shirt", ["blue"])]), atoms("red shirt")
    )
    assert misses == ["head coat", "modifiers of shirt: ['blue']"]
    assert graph.listed == {1}


def test_a_network_learns_the_pattern_and_survives_its_file(tmp_path):
    net, vocabulary = learned(seed=0)
    asked = texts(10, seed=2)
    records = [{"id": t.product, "concepts": [{"head": h, "modifiers": m} for h, m in t.concepts]} for t in asked]
    outs = held_out(asked, net, vocabulary)
    found = records_at(outs, records, *best_thresholds(outs, records))
    assert score_gold(found, records)["concept"].f1 == 1.0
    model = ConceptModel(shipped(net), vocabulary, 0.5, 0.5)
    model.save(tmp_path)
    again = ConceptModel.load(tmp_path)
    words = [atoms(t.text) for t in asked]
    assert again.graphs(words, is_title=[False] * 10) == model.graphs(words, is_title=[False] * 10)
    found = [
        concepts_of(a, g, is_title=False)
        for a, g in zip(words, again.graphs(words, is_title=[False] * 10), strict=True)
    ]
    assert [[(c.head, list(c.modifiers)) for c in one] for one in found] == [t.concepts for t in asked]


def test_learning_twice_gives_the_same_bytes(tmp_path):
    plain = [(text.text, False) for text in texts(20, seed=1)]
    for name in ("a", "b"):
        vocabulary = vocabulary_of(plain, Lexicon())
        sentences = list(catalogue_sentences(plain, vocabulary))
        encoder = pretrain(sentences, 2 + len(vocabulary.words), steps=2, seed=4, progress=lambda _: None)
        net = fine_tune(encoder, samples_of(texts(20, seed=1), vocabulary), epochs=2, seed=4, progress=lambda _: None)
        ConceptModel(shipped(net), vocabulary, 0.5, 0.5).save(tmp_path / name)
    for file in (tmp_path / "a").iterdir():
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes()


def random_rows(rng, length):
    words = np.stack([rng.integers(0, high, length) for high in (300, 2047, 2047, 7, 7, 7)], 1)
    words[:, 0] += 1
    return SentenceRows(words, rng.integers(1, 4, length), bool(length % 2))


def test_numpy_computes_what_torch_learned():
    torch.manual_seed(0)
    net = ConceptNet(Encoder(400, SHAPE, dropout=0.1), SHAPE, dropout=0.2).eval()
    for weight in net.parameters():
        weight.data += torch.randn_like(weight) * 0.05
    stored = shipped(net)
    net.load_state_dict(
        {name: torch.from_numpy(weight) for name, weight in stored.weights.items() if not name.startswith("domain.")}
    )
    rng = np.random.default_rng(0)
    rows = [random_rows(rng, length) for length in (1, 2, 7, 7, 30, 64)]
    with torch.no_grad():
        rounds, allowed = net(padded(rows))
    for place, one in enumerate(rows):
        n = len(one)
        listed, links, _ = stored.scores(stacked([one]))
        both = allowed[place, :n, :n].numpy()
        np.testing.assert_allclose(listed[0], rounds[-1][1][place, :n, 0], atol=2e-5)
        np.testing.assert_allclose(links[0][both], rounds[-1][0][place, :n, :n].numpy()[both], atol=2e-5)
        assert (links[0][~both] == -30).all()


def test_what_a_head_names_is_learned_upon_a_network_and_read_off_each_mention(tmp_path):
    net, vocabulary = learned(seed=0)
    model = ConceptModel(shipped(net), vocabulary, 0.5, 0.5)
    labels = dict(zip(NOUNS, [("product",), ("material",), ("part", "product"), ("other",)], strict=True)) | {
        "collar": ("detail",)
    }
    plain = [(text.text, False) for text in texts(40, seed=3)]
    found = head_words(model, plain, labels, seed=0)
    assert set(found.heads) == set(labels)
    assert found.words.shape == (len(found.heads), 2 * SHAPE.width)
    reader = train_domains(found, labels, epochs=60, seed=0)
    taught = replace(model, network=with_domains(model.network, reader))
    with torch.no_grad():
        odds = reader(torch.from_numpy(found.words))
    np.testing.assert_allclose(
        taught.network.domains(found.words), odds, atol=0.05
    )  # weights are stored in half precision
    taught.save(tmp_path)
    asked = [atoms(text.text) for text in texts(10, seed=4)]
    for words, graph in zip(asked, ConceptModel.load(tmp_path).graphs(asked, is_title=[False] * 10), strict=True):
        concepts = concepts_of(words, graph, is_title=False)
        assert concepts
        assert [one.domain for one in concepts] == [labels[one.head][0] for one in concepts]
    assert 0 <= held_out_domains(found, labels, seed=0) <= 1


def test_the_order_of_texts_does_not_matter_to_the_words_of_heads():
    net, vocabulary = learned(seed=0)
    model = ConceptModel(shipped(net), vocabulary, 0.5, 0.5)
    plain = [(text.text, False) for text in texts(40, seed=3)]
    one, other = (head_words(model, some, NOUNS, seed=0) for some in (plain, [*plain[::-1], *plain[:5]]))
    assert one.heads == other.heads
    assert (one.words == other.words).all()


def test_labels_of_heads_are_of_known_kinds(tmp_path):
    (tmp_path / "heads.txt").write_text("heel\tpart,product\nshirt\tproduct\n")
    assert read_head_domains(tmp_path / "heads.txt") == {"heel": ("part", "product"), "shirt": ("product",)}
    (tmp_path / "heads.txt").write_text("shirt\tproduct\nhonour\tvirtue\n")
    with pytest.raises(CatalogueError, match="line 2"):
        read_head_domains(tmp_path / "heads.txt")


def test_several_networks_agree_on_their_mean():
    rng = np.random.default_rng(1)
    rows = [random_rows(rng, length) for length in (5, 9, 5)]
    nets = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        nets.append(ConceptNet(Encoder(400, SHAPE, dropout=0.0), SHAPE, dropout=0.0).eval())
    both = list(agreed(nets, rows))
    alone = [list(agreed([net], rows)) for net in nets]
    for place, one in enumerate(both):
        np.testing.assert_allclose(one.listed, (alone[0][place].listed + alone[1][place].listed) / 2, atol=1e-6)
        assert one.rows is rows[place]


def test_long_sentences_are_cut_after_signs():
    words = ["w"] * 30 + [","] + ["w"] * 60 + ["."] + ["w"] * 70
    pieces = spans(words)
    assert pieces[0] == (0, 31)
    assert all(end - start <= 64 for start, end in pieces)
    assert [place for piece in pieces for place in range(*piece)] == list(range(len(words)))


def test_labels_name_words_of_a_catalogue(tmp_path):
    (tmp_path / "labels.txt").write_text("# 7 1 3\nshirt | red\n--\ncollar | white, soft\n\n# 8 0 0\n--\n")
    products = {"7": ("Red Shirt", "Has <b>soft</b> white collar today"), "8": ("X", "")}
    found = list(labelled_texts(tmp_path / "labels.txt", products))
    assert [(t.text, t.is_title, t.concepts) for t in found[:2]] == [
        ("Red Shirt", True, [("shirt", ["red"])]),
        ("soft white collar", False, [("collar", ["white", "soft"])]),
    ]
    with pytest.raises(CatalogueError, match="labels product 8"):
        list(labelled_texts(tmp_path / "labels.txt", {"7": products["7"]}))


def test_a_unit_keeps_its_own_modifiers():
    assert prune({(0, 1), (1, 2), (0, 2)}) == {(0, 1), (1, 2)}
    assert prune({(0, 2), (1, 2)}) == {(0, 2), (1, 2)}


def test_repeats_and_bare_heads_go():
    text = annotated(random.Random(0))
    words = atoms(text.text)
    found = concepts_of(words, align(text, words)[0], is_title=False)
    bare = type(found[0])(found[0].head, (), 0, 1)
    assert without_repeats([*found, *found, bare]) == found


def test_atoms_join_names_mend_typos_and_keep_places():
    text = "White T Shirt, Waist Bands, cuff-links and ribbd hem"
    words = atoms(text, {"waist band": "waistband", "cuff link": "cufflink"}, {"ribbd": "ribbed"})
    assert [a for a in words.lemma if a.isalpha() or "-" in a] == [
        "white",
        "t-shirt",
        "waistband",
        "cufflink",
        "and",
        "ribbed",
        "hem",
    ]
    assert all(text[s:e] == raw for s, e, raw in zip(words.start, words.end, words.raw, strict=True))
    assert "T Shirt" in words.raw


def test_a_compound_that_is_meant_apart_is_several_atoms():
    text = "Full-Sleeve shirt, central Lace ups"
    words = atoms(text, typos={"full-sleeve": "full sleeve"})
    assert words.word == ["full", "sleeve", "shirt", ",", "central", "lace-up"]
    assert all(text[s:e] == raw for s, e, raw in zip(words.start, words.end, words.raw, strict=True))


def test_a_unit_of_two_words_lies_on_two():
    text = "sleeve in white with a very soft elasticated hem and elasticated cuff"
    concepts = [("sleeve", ["white", "soft elasticated hem", "elasticated cuff"])]
    words = atoms(text)
    graph, misses = align(Annotated("p", text, False, concepts), words)
    assert not misses
    found = [words.word[place] for place, head in sorted(graph.links) if head == 0]
    assert found == ["white", "hem", "cuff"]


def test_the_last_of_a_long_list_is_linked_too():
    text = (
        "jacket with "
        + ", ".join(f"{word} pocket" for word in ("left", "right", "inner", "outer", "slip") * 3)
        + ", hood"
    )
    words = atoms(text)
    graph, misses = align(Annotated("p", text, False, [("jacket", ["hood"])]), words)
    assert not misses
    assert graph.links == {(words.word.index("hood"), 0)}


def test_an_unknown_word_is_known_by_its_ends():
    vocabulary = Vocabulary.of(["shirt"], Lexicon())
    assert vocabulary.word_row("shirt", "shirt")[0] == 2
    first, second = vocabulary.word_row("qqing", "qqing"), vocabulary.word_row("zzing", "zzing")
    assert (first[0], second[0]) == (1, 1)
    assert first[1] == second[1] != 0
    assert first[2] != second[2]


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
