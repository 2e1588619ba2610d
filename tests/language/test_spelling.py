"""What a catalogue and its annotators teach about words: brands, compounds, spelling."""

from kgbuild.language.learning.annotations import Annotated
from kgbuild.language.learning.spelling import respelt, written
from kgbuild.language.lexicon import Lexicon, build_lexicon

COLOURS = ("red", "blue", "green", "white", "black")


def test_annotators_teach_spelling():
    def text(of, *concepts):
        return Annotated("p", of, False, [(head, list(units)) for head, *units in concepts]), 1

    said = [
        text("velvetty footbed with braiding", ("footbed", "velvety", "braiding"), ("braiding",)),
        text("full-sleeve shirt and nose-pads", ("shirt", "full sleeve"), ("sleeve", "full"), ("pad", "nose")),
        text("two back straps", ("strap", "back")),
        text("a fastner, yoked", ("fastener",), ("yoke",)),
        text("a soft waist band", ("waistband", "soft")),
    ]
    by = written(said, frozenset({"yoked"}))
    assert by.corrected == {
        "velvetty": "velvety",
        "full-sleeve": "full sleeve",
        "full-sleeves": "full sleeves",
        "nose-pads": "nose pads",
        "nose-pad": "nose pad",
        "fastner": "fastener",
    }
    lexicon = Lexicon(
        {}, {"back strap": "backstrap", "waist band": "waistband"}, {"braiding": "branding", "buton": "button"}
    )
    better = respelt(lexicon, by)
    assert better.joins == {"waist band": "waistband"}
    assert better.typos == {"buton": "button", **by.corrected}


def test_a_form_of_a_known_word_is_no_typo():
    rows = (
        [("", "", "branding") for _ in range(100)]
        + [("", "", "braided")] * 70
        + [("", "", "braiding"), ("", "", "brandign")]
    )
    assert build_lexicon(rows, frozenset()).typos == {"brandign": "branding"}


def test_a_lexicon_learns_brands_joins_and_typos(tmp_path):
    rows = [(f"Acme {c} Tshirt", "Acme", "soft waistband and elasticated sleeves") for c in COLOURS * 20]
    rows += [("Acme Red Tshirt", "Acme", "a waist band with eslasticated sleeves")]
    lexicon = build_lexicon(rows, frozenset())
    assert lexicon.joins == {"waist band": "waistband"}
    assert lexicon.typos == {"eslasticated": "elasticated"}
    assert lexicon.of("acme", "acme")[0] == "5"
    assert lexicon.of("red", "red")[0] == "0"
    assert lexicon.of("nowhere", "nowhere") == ("",) * 3
    lexicon.save(tmp_path / "l.json")
    assert Lexicon.load(tmp_path / "l.json") == lexicon
