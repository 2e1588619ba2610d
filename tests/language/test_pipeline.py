import pytest
import spacy

from kgbuild.errors import ModelError
from kgbuild.language import load_pipeline
from kgbuild.language.tokens import blank_pipeline


def test_the_shipped_pipeline_tags_and_parses():
    nlp = load_pipeline("en_kgbuild")
    doc = nlp("the black shoes have a rubber sole")
    assert doc.has_annotation("DEP")
    assert doc.has_annotation("TAG")
    assert doc[2].tag_ == "NNS"


def test_an_absent_pipeline_says_how_to_get_it():
    with pytest.raises(ModelError, match="python -m spacy download en_core_web_nowhere"):
        load_pipeline("en_core_web_nowhere")


def test_a_pipeline_without_a_reader_gets_the_shipped_one(tmp_path):
    spacy.blank("en").to_disk(tmp_path / "blank")
    doc = load_pipeline(str(tmp_path / "blank"))("blue shirt with white buttons")
    assert ("shirt", ("blue", "white button")) in {(c.head, c.modifiers) for c in doc._.concepts}


def test_a_reader_without_model_says_so():
    nlp = spacy.blank("en")
    nlp.add_pipe("kgbuild_concepts")
    with pytest.raises(ModelError, match="has no model"):
        nlp("blue shirt")


def test_a_damaged_folder_is_a_model_error(tmp_path):
    (tmp_path / "config.cfg").write_text("nothing")
    with pytest.raises(ModelError, match="cannot be read"):
        load_pipeline(str(tmp_path))


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("White T-shirt", ["White", "T-shirt"]),
        ("v-neck slip-on", ["v-neck", "slip-on"]),
        ("100%cotton", ["100", "%", "cotton"]),
        ("PU/nylon mesh", ["PU", "/", "nylon", "mesh"]),
        ("technology,soft", ["technology", ",", "soft"]),
        ("•zip pocket.Has", ["•", "zip", "pocket", ".", "Has"]),
        ("-padded strap", ["-", "padded", "strap"]),
        ("the id of 1. Machine", ["the", "id", "of", "1", ".", "Machine"]),
    ],
)
def test_tokens(text, tokens):
    assert [token.text for token in blank_pipeline().tokenizer(text)] == tokens


def test_training_and_shipping_share_one_tokenizer():
    text = "PU/nylon v-neck, 100%cotton. It isn't (quite)leather-like"
    shipped = load_pipeline("en_kgbuild").tokenizer
    assert [t.text for t in shipped(text)] == [t.text for t in blank_pipeline().tokenizer(text)]
