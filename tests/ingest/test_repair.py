"""Text repair: known damage is mended, sound text is left alone, and repairing twice is repairing once."""

from __future__ import annotations

import ftfy
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kgbuild.ingest.repair import decode, decode_escaped, repair_line, repair_text

PIECES = st.sampled_from(
    [
        "&",
        "amp;",
        "nbsp;",
        "& rsquo",
        " s ",
        "<p>",
        "</p>",
        "<br/>",
        "<",
        ">",
        "< b>",
        "br>",
        "lamp;",
        "é".encode().decode("latin-1"),
        "â€™",
        "\u200b",
        "\r\n",
        "\t",
        "  ",
        "\xa0",
        "shirt",
        "&lt;li&gt;",
        "&amp;amp;lt;",
        "\x00",
        "\ud800",
        "e\u0301",
        "<script>",
        "</script>",
        "5",
        "\n",
    ]
)


@pytest.mark.parametrize(
    ("damaged", "mended"),
    [
        ("<p>Cotton &amp; silk</p><ul><li>one</li><li>two</li></ul>", "Cotton & silk\none\ntwo"),
        ("It’s a cafÃ© â€“ 100% cotton", "It's a café – 100% cotton"),  # noqa: RUF001
        ("it& rsquo s great & ldquo Tees& rdquo as 6& rsquo and", "it's great \"Tees\" as 6' and"),
        ("annbsp;upraised heel hasnbsp;four", "an upraised heel has four"),
        ("&amp;amp;nbsp;\nComposition", "Composition"),
        ("< b> Style Note< /b>\nBeaded", "Style Note\nBeaded"),
        ("b> Size and Fit", "Size and Fit"),
        ("size < 5 and > 3", "size < 5 and > 3"),
        ("a desk lamp; 60 W", "a desk lamp; 60 W"),
        ("red<script>alert('x < y')</script> shirt", "red shirt"),
        ("e\u0301tui", "étui"),
        ("T\u200bshirt\xa0in\x07 red\r\n\r\n  and\tblue ", "Tshirt in red\nand blue"),
        ("ï»¿98% cotton", "98% cotton"),
        ("", ""),
    ],
)
def test_known_damage_is_mended(damaged: str, mended: str) -> None:
    assert repair_text(damaged) == mended


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES, max_size=12).map("".join) | st.text(max_size=40))
@example("&amp;amp;amp;lt;p&amp;gt;")
def test_repairing_twice_is_repairing_once(text: str) -> None:
    once = repair_text(text)
    assert repair_text(once) == once


@settings(max_examples=300, deadline=None)
@given(st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters="&<>;"), max_size=80))
def test_printable_ascii_only_loses_spaces(text: str) -> None:
    """The shortcut past ftfy for such text changes nothing, because ftfy would not either."""
    assert repair_text(text) == " ".join(text.split())
    assert ftfy.fix_text(text) == text


@settings(max_examples=100, deadline=None)
@given(st.lists(PIECES, max_size=12).map("".join) | st.text(max_size=40))
def test_lines_are_trimmed_filled_and_printable(text: str) -> None:
    repaired = repair_text(text)
    assert all(line == line.strip() and line and "  " not in line for line in repaired.split("\n") if repaired)
    assert not set(repaired) & {chr(code) for code in range(32) if code != 10}
    assert "\n" not in repair_line(text)


@given(st.text(max_size=30))
def test_utf8_bytes_are_read_as_such(text: str) -> None:
    try:
        data = text.encode()
    except UnicodeEncodeError:
        return
    assert decode(data) == (text.removeprefix("\ufeff"), True)
    assert decode_escaped(data.decode("utf-8", "surrogateescape")) == (text, True)


def test_other_bytes_are_guessed_and_reported() -> None:
    assert decode("café – crème".encode("cp1252")) == ("café – crème", False)  # noqa: RUF001
    assert decode("rouge".encode("utf-16")) == ("rouge", False)
    assert decode(b"\x81\xe9") == ("\x81é", False)
    assert decode_escaped("café".encode("latin-1").decode("utf-8", "surrogateescape")) == ("café", False)
    assert decode_escaped("a lone \ud800 surrogate") == ("a lone \ud800 surrogate", True)
