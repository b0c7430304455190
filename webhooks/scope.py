"""Reads a request's headers and URL from its ASGI scope."""

from webhooks.body import Message


def headers_of(pairs: list[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return ASGI's headers as text. Repeated headers are joined (RFC 9110 section 5.2)."""
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in pairs}
    if len(headers) != len(pairs):
        headers = {}
        for raw, value in pairs:
            name = raw.decode("latin-1")
            text = value.decode("latin-1")
            headers[name] = f"{headers[name]}, {text}" if name in headers else text
    return headers


def url_of(scope: Message, headers: dict[str, str]) -> str:
    """Return the URL as this process sees it. `X-Forwarded-*` is ignored, since anyone can send it; behind a proxy, a source's
    public URL is in its settings."""
    host = headers.get("host")
    if host is None:
        server = scope.get("server") or ("localhost", None)
        host = f"{server[0]}:{server[1]}" if server[1] else server[0]
    query = scope["query_string"]
    path = scope["raw_path"].decode("latin-1")
    url = f"{scope['scheme']}://{host}{path}"
    return f"{url}?{query.decode('latin-1')}" if query else url
