"""Multipart bodies are read as the well-kept parser reads them, quicker, and what is damaged is refused."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from python_multipart.multipart import MultipartParser, parse_options_header

from adapters.contract import Request, Unprocessable
from adapters.reading.multipart import MAX_PARTS, parts_of

NAMES = st.text(st.characters(codec="utf-8", exclude_characters='"\\\r\n'), min_size=1, max_size=12)
DATA = st.one_of(
    st.binary(max_size=60),
    st.sampled_from([b"", b"\r\n", b"--b", b"\r\n--", b"\r\n--c\r\n", b"--b--", b"\r\n\r\n", b"-" * 50]),
)


def request_of(body: bytes, kind: str = "multipart/form-data; boundary=b") -> Request:
    headers = {"content-type": kind}
    return Request("POST", "https://hooks.example.com/", headers, body, datetime(2026, 3, 2, tzinfo=UTC), "x")


def library(body: bytes) -> list[tuple[bytes, bytes | None, bytes]]:
    """Name, file name and data of each part, as python-multipart has them."""
    found: list[tuple[bytes, bytes | None, bytes]] = []
    header = [b"", b""]
    headers: dict[bytes, bytes] = {}
    data: list[bytes] = []

    def end() -> None:
        _, options = parse_options_header(headers.get(b"content-disposition", b""))
        found.append((options.get(b"name", b""), options.get(b"filename"), b"".join(data)))
        headers.clear()
        data.clear()

    def header_end() -> None:
        headers[header[0].lower()] = header[1]
        header[:] = [b"", b""]

    def add(index: int, part: bytes) -> None:
        header[index] += part

    parser = MultipartParser(
        b"b",
        {
            "on_header_field": lambda raw, first, last: add(0, raw[first:last]),
            "on_header_value": lambda raw, first, last: add(1, raw[first:last]),
            "on_header_end": header_end,
            "on_part_data": lambda raw, first, last: data.append(raw[first:last]),
            "on_part_end": end,
        },
    )
    parser.write(body)
    parser.finalize()
    return found


@given(st.lists(st.tuples(NAMES, st.none() | NAMES, DATA), max_size=5))
@settings(max_examples=500, deadline=None)
def test_it_reads_what_the_library_reads(parts: list[tuple[str, str | None, bytes]]) -> None:
    """Any names, any data, also what looks nearly like a delimiter."""
    body = b""
    for name, filename, data in parts:
        reported = f'; filename="{filename}"' if filename is not None else ""
        body += f'--b\r\nContent-Disposition: form-data; name="{name}"{reported}\r\n\r\n'.encode() + data + b"\r\n"
    body += b"--b--\r\n"
    if any(b"\r\n--b" in b"\r\n" + data for _, _, data in parts):
        return  # then no sender would have chosen this boundary
    found = [
        (part.name.encode(), part.filename and part.filename.encode(), part.data) for part in parts_of(request_of(body))
    ]
    assert found == [(name, filename, data) for name, filename, data in library(body)]
    assert [data for _, _, data in found] == [data for _, _, data in parts]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "boundary"),
        (b"--b\r\n", "headers"),
        (b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\nx', "cut off"),
        (b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\nx\r\n--b', "behind"),
        (b"--bx\r\n\r\n\r\n--b--", "behind"),
        (b"--b\r\nA: " + b"x" * 10_000 + b"\r\n\r\n\r\n--b--", "headers"),
        (b"--b\r\n\r\n\r\n" * (MAX_PARTS + 1) + b"--b--", "more than"),
    ],
)
def test_what_is_damaged_is_refused(body: bytes, why: str) -> None:
    """With what is wrong with it."""
    with pytest.raises(Unprocessable, match=why):
        parts_of(request_of(body))


def test_odd_forms_are_read() -> None:
    """Padding behind a boundary, a preamble, an epilogue, headers in another order and form, a part without any."""
    body = (
        b"before\r\n--b \t\r\nContent-Type: text/plain\r\ncontent-disposition: form-data;name=a; filename*=UTF-8''%C3%A9\r\n\r\n1"
        b"\r\n--b\r\n\r\n2\r\n--b--\r\nafter"
    )
    first, second = parts_of(request_of(body))
    assert (first.name, first.content_type, first.data) == ("a", "text/plain", b"1")
    assert (second.name, second.data) == ("", b"2")
    with pytest.raises(Unprocessable, match="boundary"):
        parts_of(request_of(b"x", "multipart/form-data"))
