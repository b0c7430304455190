"""Requests that are written at once."""

import pytest
from yarl import URL

from agents.transport.at_once import MOST, suits, written

HERE = URL("https://api.example.com/v1/messages?a=b%20c#part", encoded=True)


def test_a_request_is_written_as_it_was_built() -> None:
    """Without the fragment; with the type that a body without one has."""
    headers = [("x-key", "k"), ("content-length", "2"), ("host", "api.example.com")]
    head = b"POST /v1/messages?a=b%20c HTTP/1.1\r\nx-key: k\r\ncontent-length: 2\r\nhost: api.example.com\r\n"
    assert written("POST", HERE, headers, b"ok") == head + b"content-type: application/octet-stream\r\n\r\nok"
    typed = [*headers, ("Content-Type", "text/plain")]
    assert written("POST", HERE, typed, b"ok") == head + b"Content-Type: text/plain\r\n\r\nok"
    assert written("POST", HERE, headers, b"").endswith(b"host: api.example.com\r\n\r\n")


@pytest.mark.parametrize("path", ["/a b", "/a\r\nx: y", "/ä", "/\0"])
def test_a_path_that_would_end_the_first_line_is_not_written(path: str) -> None:
    """Whoever chose it could add headers, or a second request."""
    with pytest.raises(ValueError, match="does not allow"):
        written("POST", URL(f"https://api.example.com{path}", encoded=True), [], b"")


@pytest.mark.parametrize(
    ("method", "url", "size", "at_once"),
    [
        ("POST", str(HERE), 2, True),
        ("PUT", str(HERE), MOST, True),
        ("POST", str(HERE), MOST + 1, False),
        ("GET", str(HERE), 0, False),
        ("HEAD", str(HERE), 0, False),
        ("DELETE", str(HERE), 0, False),
        ("POST", "https://ana:secret@api.example.com/", 2, False),
    ],
)
def test_other_requests_go_by_the_session(method: str, url: str, size: int, at_once: bool) -> None:
    """Those without a length, whose answer has no body, of several parts, or with a name and a password in their URL."""
    assert suits(method, URL(url, encoded=True), b"x" * size) is at_once
