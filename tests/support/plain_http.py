"""The part of HTTP/1.1 (RFC 9112) that a simulated provider needs: calls with a Content-Length, on keep-alive
connections."""

import asyncio
from typing import Any

from adapters.simulating import Call, Reply


async def read_call(reader: asyncio.StreamReader) -> Call:
    """Return the next call on a connection. Raises IncompleteReadError at its end."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    line, *fields = head.split("\r\n")
    method, path, _ = line.split(" ", 2)
    headers = {name.lower(): value.strip() for name, _, value in (field.partition(":") for field in fields) if name}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Call(method, path, headers, body)


def written(reply: Reply) -> bytes:
    """Return the bytes of a response."""
    headers: dict[str, Any] = reply.headers | {"content-length": str(len(reply.body))}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {reply.status} Whatever\r\n{head}\r\n".encode() + reply.body
