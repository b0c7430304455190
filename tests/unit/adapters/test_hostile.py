"""What anyone can have us do before it is known who they are: recognise and verify a body of a megabyte, made to cost much.

Measured in processor time, beside a plain body of the same size: what is between the two depends on the body alone.
"""

import time
from collections.abc import Iterator, Mapping
from itertools import islice

import orjson
import pytest

from adapters import PROVIDERS
from adapters.contract import Request, Unprocessable
from adapters.reading.bodies import UNPROVEN, json_of, proved
from app.cli.support.http_file import read_request
from app.settings import Source
from tests.fixtures import FOLDER, accounts, fixtures
from webhooks.recognise import Sources, UnknownSource

MB = 1 << 20
#: How often a plain body's cost, and seconds besides: on a machine that others use too, where a thread is often interrupted.
RATIO, SECONDS = 6, 0.025


def full_of(unit: bytes, start: bytes = b"", end: bytes = b"") -> bytes:
    """A megabyte of one thing."""
    return start + unit * ((MB - len(start) - len(end)) // len(unit)) + end


PLAIN = full_of(b"x", b'{"a":"', b'"}')
JSON = {
    "lone surrogates": full_of(b"\\ud800", b'{"a":"', b'"}'),
    "many texts of them": full_of(b'"\\ud800",', b"[", b"1]"),
    "many keys of them": b"{" + b",".join(b'"\\ud800%d":1' % n for n in range(MB // 16)) + b"}",
    "another encoding": orjson.dumps(["x"] * (MB // 12)).decode().encode("utf-16"),
    "objects": full_of(b"{},", b"[", b"{}]"),
    "long numbers": full_of(b"12345678901234567890123,", b"[", b"1]"),
    "broken at its end": full_of(b"1,", b"[", b"x"),
    "no numbers": full_of(b"NaN,", b"[", b"1]"),
    "deep": b"[" * MB,
    "often deep": (b"[" * 250 + b"]" * 250 + b",") * (MB // 501),
}
FORMS = {
    "separators": full_of(b"%26", b"a="),
    "blanks": full_of(b"%20", b"a="),
    "no escapes": full_of(b"%", b"a="),
    "other letters": full_of(b"%zz", b"a="),
    "no text": full_of(b"\xff%26", b"a="),
    "many fields": b"&".join(b"a%d=" % n + b"%26" * 340 for n in range(999)),
}
PARTS = {
    "parts": full_of(b"\r\n--b", b"--b\r\n"),
    "headers": (b"--b\r\n" + b"a: b\r\n" * 1300 + b"\r\n\r\nx\r\n") * (MB // 7840) + b"--b--",
}


def requests(name: str) -> Iterator[tuple[str, Mapping[str, str], Sources, Request]]:
    """One fixture of each media type that a provider posts, with a source that can verify it."""
    seen = set()
    for path in fixtures(name):
        account = accounts(name, path.stem)
        raw = read_request(path.read_bytes())
        came = Request(raw.method, raw.url(), raw.headers, raw.body, account.at, name)
        kind = came.headers.get("content-type", "").partition(";")[0]
        if came.method == "POST" and kind not in seen:
            seen.add(kind)
            yield (
                kind,
                account.settings,
                Sources({name: Source.model_validate({"adapter": name, **account.settings})}),
                came,
            )


def cost(sources: Sources, came: Request, body: bytes, name: str | None, most: float = 0) -> float:
    """Seconds of processor time for judging the request with this body; the best of some tries."""
    best = 9.0
    for _ in range(4):
        headers = came.headers
        if headers.get("content-type", "").startswith("multipart/"):
            headers = {**headers, "content-type": "multipart/form-data; boundary=b"}
        request = Request("POST", came.url, headers, body, came.received_at, "")
        began = time.process_time()
        try:
            sources.recognise(request, name)
        except UnknownSource:
            pass
        best = min(best, time.process_time() - began)
        if best <= most:
            break
    return best


WITH_FIXTURES = [name for name in PROVIDERS if (FOLDER / name / "settings.json").exists()]


@pytest.mark.parametrize("name", WITH_FIXTURES)
def test_a_hostile_body_costs_little_more_than_a_plain_one(name: str) -> None:
    """Of every adapter, for each media type that it takes."""
    for kind, _, sources, came in requests(name):
        limit = RATIO * cost(sources, came, PLAIN, name) + SECONDS
        bodies = PARTS if kind == "multipart/form-data" else {**JSON, **FORMS}
        dear = {
            what: spent for what, body in bodies.items() if (spent := cost(sources, came, body, name, limit)) > limit
        }
        assert not dear, f"{kind}: more than {limit:.3f} s"


def test_nor_where_every_adapter_is_asked() -> None:
    """A request that names no source is shown to all of them."""
    named = {name: next(islice(requests(name), 1), None) for name in WITH_FIXTURES}
    known = {name: found for name, found in named.items() if found is not None}
    sources = Sources({name: Source.model_validate({"adapter": name, **found[1]}) for name, found in known.items()})
    came = known["envelope"][3]
    came.url = "https://hooks.example.com/webhooks/aggregate"
    limit = RATIO * cost(sources, came, PLAIN, None) + SECONDS
    dear = {
        what: spent
        for what, body in (JSON | FORMS).items()
        if (spent := cost(sources, came, body, None, limit)) > limit
    }
    assert not dear, f"more than {limit:.3f} s"


def test_what_was_proved_is_read_whole() -> None:
    """The bound is for those who are not known: of an authentic request all is read, whatever was refused before."""
    request = Request("POST", "https://x/", {}, JSON["many texts of them"], accounts("twilio").at, "")
    request.parsed[UNPROVEN] = True
    for _ in range(2):
        with pytest.raises(Unprocessable, match="before the request is verified"):
            json_of(request)
    proved(request)
    assert json_of(request)[:2] == ["\ufffd", "\ufffd"]
