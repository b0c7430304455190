"""Forms as the standard library reads them, whatever is in them; and JSON that is none."""

from urllib.parse import parse_qsl, unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from adapters.contract import Unprocessable
from adapters.reading.bodies import MAX_NO_ESCAPES, parse_form, parse_json

#: What forms are made of, and what quoted-printable, by which they are read, has rules for.
PIECES = st.sampled_from(
    ["%", "%%", "%2", "%41", "%26", "%3d", "%3D", "%C3%A9", "%E2%82", "%ff", "%0A", "=", "&", "+", "_", " ", "\n", "\r\n", "\t", ".", "é", "a", "D", "0", "\x00"]
)  # fmt: skip


@given(st.lists(PIECES, max_size=20).map("".join) | st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
@example("a=%=\nD")
@example("%%41=%")
@example("a=b%\n")
def test_a_form_is_read_as_by_the_standard_library(text: str) -> None:
    """Every pair, in their order, the damaged ones too."""
    assert [tuple(pair) for pair in parse_form(text)] == parse_qsl(text, keep_blank_values=True)


@given(st.lists(PIECES, max_size=20).map("".join))
def test_a_large_one_too(text: str) -> None:
    """Which is read field by field."""
    padded = "&".join([text, "z=" + "y" * (70 << 10), text])
    assert [tuple(pair) for pair in parse_form(padded)] == parse_qsl(padded, keep_blank_values=True)


def test_what_is_no_form() -> None:
    """Some signs that begin no escape are borne, very many are not."""
    some = "%zz" * (MAX_NO_ESCAPES - 1)
    assert parse_form(f"a={some}") == [("a", unquote(some))]
    with pytest.raises(Unprocessable, match="no escape"):
        parse_form("a=" + "%zz" * MAX_NO_ESCAPES)


def test_lone_surrogates_are_mended_each_by_itself() -> None:
    """As many characters come out as were there."""
    assert parse_json(b'{"a\\udfff": ["\\ud800\\ud800x", "\\ud83d\\ude00"]}') == {
        "a\ufffd": ["\ufffd\ufffdx", "\U0001f600"]
    }
