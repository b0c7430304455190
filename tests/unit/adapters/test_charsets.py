"""Text is read in the charset that browsers read for its label: https://encoding.spec.whatwg.org/#names-and-labels."""

from functools import partial

import pytest

from adapters.reading.charsets import decode, decoded
from adapters.reading.encoded_words import decode_text
from tests.support.costs import is_within

#: A label, bytes, and the text that the standard's index of that encoding gives for them.
LABELS = [
    ("us-ascii", "здравствуйте".encode(), "здравствуйте"),
    ("ascii", b"caf\xe9", "café"),
    ("iso-8859-1", b"It\x92s \x805 \x93a\x94", "It\u2019s €5 “a”"),
    ("latin1", b"\x81\x8d\x8f\x90\x9d", "\x81\x8d\x8f\x90\x9d"),
    ("ISO-8859-9", b"\xfe\xf0\x80", "şğ€"),
    ("gb2312", b"\xbb\xf9\x9b\x56", "基沄"),
    ("x-gbk", b"\xc4\xfa\xba\xc3", "您好"),
    ("gb2312", b"\x95\x32\x82\x36", "𠀀"),
    ("ks_c_5601-1987", b"\xb9\xe6\xb0\xa2\x8c\x63", "방각똠"),
    ("euc-kr", b"\xbe\xc8\xb3\xe7", "안녕"),
    ("shift_jis", b"\x87\x40\xfb\xfc", "①髙"),
    ("x-sjis", b"\xb1\xb2", "ｱｲ"),
    ("euc-jp", b"\xad\xa1\xfc\xe2\xc6\xfc", "①髙日"),
    ("euc-jp", b"\x8f\xb0\xa1", "丂"),
    ("iso-2022-jp", b"a\x1b$B-!|bF|\x1b(Bz", "a①髙日z"),
    ("iso-2022-jp", b"\x1b$BF|K\\\x1b(J", "日本"),
    ("big5", b"\xa7\x41\xa6\x6e\xf9\xd6", "你好碁"),
    ("windows-874", b"\xca\xc7\xd1\xca\xb4\xd5\x85", "สวัสดี…"),
    ("tis-620", b"\xca\xc7\xd1\xca\xb4\xd5", "สวัสดี"),
    ("iso-8859-8-i", b"\xf9\xec\xe5\xed", "שלום"),
    ("iso-8859-6-i", b"\xe5\xd1\xcd\xc8\xc7", "مرحبا"),
    ("x-mac-cyrillic", b"\x8f\xf0\xe8", "При"),
    ("macintosh", b"\x8e\xd2a\xd3", "é“a”"),
    ("koi8-r", b"\xf0\xd2\xc9", "При"),
    ("utf-16", b"\x16\x04A\x00", "ЖA"),
    ("utf-16be", b"\x04\x16\x00A", "ЖA"),
    ("unicode-1-1-utf-8", "é".encode(), "é"),
    # Labels that are none of the standard's, and mail has.
    ("cp-850", b"\x82\x8a", "éè"),
    ("x-mac-roman", b"\x8e", "é"),
    ("unknown-8bit", b"caf\xe9", "café"),
    ("hz-gb-2312", b"~{VPND~}", "中文"),
    ("iso-2022-kr", b"\x1b$)C\x0e>H3g\x0f", "안녕"),
    ("no such label", b"caf\xe9 \x80", "café €"),
    ("", b"caf\xe9", "café"),
    (None, "é".encode(), "é"),
    # A mark of the order of bytes counts more than a label.
    ("iso-8859-1", b"\xef\xbb\xbf\xc3\xa9", "é"),
    ("utf-8", b"\xff\xfe\x16\x04", "Ж"),
]


@pytest.mark.parametrize(("label", "data", "text"), LABELS)
def test_a_label_names_what_browsers_read_by_it(label: str | None, data: bytes, text: str) -> None:
    """No byte is lost, and the reading is known to be whole."""
    assert decoded(data, label) == (text, True)


@pytest.mark.parametrize("label", ["us-ascii", "iso-8859-1", "windows-1251", "gb2312", "shift_jis", "big5", "nonsense"])
@pytest.mark.parametrize(
    "text", ["Жду ответа", "Жду ответа — €5", "café", "São Paulo", "您好世界", "日本語です", "안녕하세요"]
)
def test_bytes_that_are_utf_8_are_read_as_it(label: str, text: str) -> None:
    """Senders copy text as UTF-8 below a label of an older template."""
    assert decoded(text.encode(), label) == (text, True)


@pytest.mark.parametrize(
    ("label", "data", "text"),
    [("gb2312", b"\xd2\xbb", "一"), ("tis-620", b"\xc3\xa1", "รก"), ("shift_jis", b"\xc2\xb1", "ﾂｱ")],
)
def test_a_short_east_asian_text_is_not_taken_for_utf_8(label: str, data: bytes, text: str) -> None:
    """Its bytes happen to be UTF-8 of two bytes a letter, which no text of that language has."""
    assert decode(data, label) == text


@pytest.mark.parametrize("label", ["iso-2022-jp", "hz-gb-2312", "utf-16le", "gb2312", "x"])
def test_escapes_and_nul_do_not_reach_the_text(label: str) -> None:
    """What an encoding may hide is replaced."""
    assert "\x00" not in decode(b"a\x00\x00b\x00", label)


def test_invalid_bytes_are_reported() -> None:
    """What can be read is read, and the reader is able to keep the bytes."""
    assert decoded(b"ok \x81\xff", "gb2312") == ("ok \ufffd\ufffd", False)
    assert decoded(b"\xe2\x82", "utf-8") == ("\ufffd", False)
    assert decoded(b"\x1b$B!", "iso-2022-jp")[1] is False


@pytest.mark.parametrize("label", ["euc-jp", "iso-2022-jp", "gb2312", "hz-gb-2312", "utf-7", "idna", "punycode"])
def test_a_text_made_to_cost_is_read_in_time(label: str) -> None:
    """Half a megabyte of what is invalid, or of nothing but escapes."""
    for data in (b"\xad\xa1" * 250_000, b"\x1b$B!" * 120_000, b"\xff" * 500_000, b"~{" * 250_000):
        assert is_within(0.5, partial(decode, data, label))


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("=?gb2312?B?xPq6ww==?=", "您好"),
        ("=?us-ascii?Q?caf=C3=A9?=", "café"),
        # RFC 2047 section 6.2; and section 5 (3), which senders break.
        ("=?utf-8?q?a?= =?utf-8?q?b?=", "ab"),
        ("=?utf-8?b?4oI=?= =?UTF-8?B?rA==?= x", "€ x"),
        ("=?utf-8?q?a_b?= (=?iso-8859-1*en?q?=E9?=) é", "a b (é) é"),
        ("Re: =?utf-8?q?=00?=", "Re: \ufffd"),
        ("=?utf-8?x?a?= =?utf-8?q?=zz?=", "=?utf-8?x?a?= =zz"),
        ("=?ISO-2022-JP?B?GyRCLSEbKEI=?=", "①"),
    ],
)
def test_encoded_words_are_decoded(written: str, text: str) -> None:
    """A subject or name, whichever program wrote it."""
    assert decode_text(written) == text
