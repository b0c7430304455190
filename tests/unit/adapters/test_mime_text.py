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
