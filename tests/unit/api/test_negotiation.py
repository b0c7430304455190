"""Which tags and content codings a request names, in the forms of RFC 9110."""

import asyncio
import gzip
from hashlib import sha256

import pytest
from starlette.requests import Request

from app.api import openapi
from app.api.negotiation import accepts_gzip, has


def request(name: str, *lines: str) -> Request:
    """A request with these lines of a header."""
    return Request({"type": "http", "headers": [(name.encode(), line.encode("latin-1")) for line in lines]})


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ((), False),
        (('"a"',), True),
        (('W/"a"',), True),
        (('"b", "a"',), True),
        (('"b", W/"a" , "c"',), True),
        (('"b"', '"a"'), True),
        (("*",), True),
        ((" * ",), True),
        (('"b"',), False),
        (('"A"',), False),
        (("a",), False),
        (('"b,a"',), False),
        (('"xa"',), False),
        (("",), False),
    ],
)
def test_a_tag_in_if_none_match(lines: tuple[str, ...], expected: bool) -> None:
    """RFC 9110 section 13.1.2: a list of tags, weakly compared, or `*`."""
    assert has(request("if-none-match", *lines), '"a"') is expected


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ((), False),
        (("",), False),
        (("gzip",), True),
        (("GZIP",), True),
        (("x-gzip",), True),
        (("deflate, gzip;q=1.0, *;q=0.5",), True),
        (("gzip;q=0",), False),
        (("gzip;q=0.000",), False),
        (("gzip; q=0.001",), True),
        (("gzip;Q=0",), False),
        (("*",), True),
        (("*;q=0",), False),
        (("gzip;q=0, *",), False),
        (("compress;q=0.5, gzip;q=1.0",), True),
        (("gzip;q=1.0, identity; q=0.5, *;q=0",), True),
        (("gzip;q=0.2, identity",), False),
        (("identity",), False),
        (("br", "gzip"), True),
        (("notgzip, gzippy",), False),
        (("gzip;q=2",), False),
        (("gzip;level=9",), False),
    ],
)
def test_gzip_in_accept_encoding(lines: tuple[str, ...], expected: bool) -> None:
    """RFC 9110 section 12.5.3, with its examples."""
    assert accepts_gzip(request("accept-encoding", *lines)) is expected


@pytest.mark.parametrize(
    ("accepted", "packed"), [("gzip", True), ("gzip;q=0", False), ("gzip;q=0, *;q=0.1", False), ("br", False)]
)
async def test_the_viewer_is_packed_only_for_who_takes_it(
    accepted: str, packed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each form has its own tag; with that tag in a list, or weak, as a proxy makes it, the answer is 304."""
    monkeypatch.setattr(openapi, "_admit", lambda _: asyncio.sleep(0))
    serve = openapi._file(openapi.SCALAR, "text/javascript")
    got = await serve(request("accept-encoding", accepted))
    assert (got.status_code, got.headers.get("content-encoding"), got.headers["vary"]) == (
        200, "gzip" if packed else None, "accept-encoding",
    )  # fmt: skip
    assert sha256(gzip.decompress(got.body) if packed else got.body).hexdigest() == openapi.SCALAR_SHA256
    for listed in (f"W/{got.headers['etag']}", f'"other", {got.headers["etag"]}', "*"):
        again = request("accept-encoding", accepted)
        again.scope["headers"].append((b"if-none-match", listed.encode()))
        had = await serve(Request(again.scope))
        assert (had.status_code, had.body, had.headers["etag"]) == (304, b"", got.headers["etag"])
        assert "content-encoding" not in had.headers and had.headers["vary"] == "accept-encoding"
