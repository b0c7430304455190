"""A mail as it was sent: what its encodings hide is cleaned as what stands open is."""

from email import message_from_bytes

import orjson

from adapters.reading.mime import content_of, word

MAIL = b"""Subject: =?utf-8?q?a=00b?=
In-Reply-To: =?utf-8?b?PGEAYkBleGFtcGxlLmNvbT4=?=
Content-Type: multipart/mixed; boundary=x

--x
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: quoted-printable

a=00b
--x
Content-Type: text/html; charset=utf-16-le
Content-Transfer-Encoding: base64

YQAAAGIA
--x
Content-Type: image/png
Content-Disposition: attachment; filename*=utf-8''a%00b.png

--x--
"""


def test_an_encoded_nul_is_none() -> None:
    """PostgreSQL holds none in text: one mail with it would hold up all that is kept beside it."""
    mail = message_from_bytes(MAIL)
    content = content_of(mail)
    assert (content["text"], content["html"]) == ("a\ufffdb", "a\ufffdb")
    assert content["media"][0]["name"] == "a\ufffdb.png"
    assert word(mail, "Subject") == "a\ufffdb"
    assert b"\\u0000" not in orjson.dumps([content, word(mail, "In-Reply-To")])


def test_a_text_is_read_in_the_charset_of_its_label() -> None:
    """As browsers read it: UTF-8 first; 8-bit headers in the charset of the text; a document in the one that it names."""
    head = b"Subject: \xc4\xfa\xba\xc3\r\nContent-Type: text/plain; charset=gb2312\r\n\r\n"
    mail = message_from_bytes(head + b"\xc4\xfa\xba\xc3")
    assert (content_of(mail)["text"], word(mail, "Subject")) == ("您好", "您好")
    mail = message_from_bytes(head.replace(b"\xc4\xfa\xba\xc3", "Жду".encode()) + "Жду ответа — да".encode())
    assert (content_of(mail)["text"], word(mail, "Subject")) == ("Жду ответа — да", "Жду")
    page = b'Content-Type: text/html\r\n\r\n<html><meta charset="windows-1251"><p>\xc6\xe4\xf3'
    assert content_of(message_from_bytes(page))["html"].endswith("<p>Жду")
    damaged: list[dict[str, object]] = []
    assert content_of(message_from_bytes(head + b"\xc4\xfa\xff"), damaged)["text"] == "您\ufffd"
    assert damaged == [{"part": "text", "charset": "gb2312", "bytes": 3, "base64": "xPr/"}]
