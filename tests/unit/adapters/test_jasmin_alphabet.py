"""Texts of Jasmin's messages by their data coding, with the values of 3GPP TS 23.038 and of SMPP 3.4."""

import pytest

from adapters.jasmin.alphabet import EXTENSION, GSM, content_of, from_gsm


def test_the_alphabet_is_that_of_the_standard() -> None:
    """128 characters, each once, and ten of the extension (3GPP TS 23.038, sections 6.2.1 and 6.2.1.1)."""
    assert len(GSM) == 128 == len(set(GSM)) and len(EXTENSION) == 10
    places = {
        0x00: "@",
        0x02: "$",
        0x05: "é",
        0x10: "Δ",
        0x11: "_",
        0x24: "¤",
        0x40: "¡",
        0x5B: "Ä",
        0x60: "¿",
        0x7F: "à",
    }
    assert {place: GSM[place] for place in places} == places
    assert {place for place in range(128) if GSM[place] == chr(place)} >= {*range(0x30, 0x3A), *range(0x41, 0x5B)}


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"Hello", "Hello"),
        (b"a\x00b.example", "a@b.example"),
        (b"5 \x1be", "5 €"),
        (b"\x1b(\x1b)", "{}"),
        (b"\x1bz", "z"),
        (b"end\x1b", "end"),
        ("Olá".encode(), "Olá"),
        (b"Ol\xe1", "Olá"),
    ],
)
def test_octets_become_the_characters_of_the_alphabet(raw: bytes, text: str) -> None:
    """An escape makes the next one of the extension; octets above 127 are another alphabet's."""
    assert from_gsm(raw) == text


@pytest.mark.parametrize(
    ("coding", "raw", "content"),
    [
        ("1", b"a@b", {"text": "a@b"}),
        ("3", b"Ol\xe9", {"text": "Olé"}),
        ("5", b"\x83e\x83X\x83g", {"text": "テスト"}),
        ("6", b"\xbf\xe0\xd8", {"text": "При"}),
        ("7", b"\xf9\xec\xe5\xed", {"text": "שלום"}),
        ("8", b"\x04\x1f\xd8\x3d\xdc\x4b", {"text": "П👋"}),
        ("14", b"\xc7\xd1", {"text": "한"}),
        ("2", b"\x01\xff", {"data": "01ff"}),
        ("4", b"\x01\xff", {"data": "01ff"}),
        ("0", b"a@b", {"text": "a¡b"}),
    ],
)
def test_each_data_coding_is_read_by_its_charset(coding: str, raw: bytes, content: dict[str, str]) -> None:
    """SMPP 3.4 section 5.2.19; bytes that are no text are kept in hex."""
    assert content_of({"coding": coding, "binary": raw.hex(), "content": "garbled"}, None) == content


def test_an_alphabet_of_the_operators_own_is_named_by_the_url() -> None:
    """It stands for coding 0 alone; without `binary` the octets are those of `content`."""
    assert content_of({"coding": "0", "content": "a@b"}, "latin-1") == {"text": "a@b"}
    assert content_of({"coding": "0", "content": "a@b"}, None) == {"text": "a¡b"}
    assert content_of({"content": ""}, None) == {}
    assert content_of({"coding": "99", "binary": "00ff", "content": "as it came"}, None) == {"text": "as it came"}
