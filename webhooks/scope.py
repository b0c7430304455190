"""What an ASGI scope says of a request: its headers as text, and its URL as this process sees it."""

from webhooks.body import Message


def headers_of(pairs: list[tuple[bytes, bytes]]) -> dict[str, str]:
    """ASGI's headers as text; one that is given several times is joined, as RFC 9110 section 5.2 has it."""
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in pairs}
    if len(headers) != len(pairs):
        headers = {}
        for raw, value in pairs:
            name = raw.decode("latin-1")
            text = value.decode("latin-1")
            headers[name] = f"{headers[name]}, {text}" if name in headers else text
    return headers


def url_of(scope: Message, headers: dict[str, str]) -> str:
    """The URL as this process sees it. `X-Forwarded-*` is not looked at: anyone can send it, and a source has its own
    public URL for where a proxy stands before this process."""
    host = headers.get("host")
    if host is None:
        server = scope.get("server") or ("localhost", None)
        host = f"{server[0]}:{server[1]}" if server[1] else server[0]
    query = scope["query_string"]
    path = scope["raw_path"].decode("latin-1")
    url = f"{scope['scheme']}://{host}{path}"
    return f"{url}?{query.decode('latin-1')}" if query else url
