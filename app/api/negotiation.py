"""Reads the request headers that decide between 200 and 304, and between content codings (RFC 9110)."""

import re

from starlette.requests import Request

#: An entity tag, and whether it is weak (RFC 9110 section 8.8.3).
_TAG = re.compile(r'(W/)?("[\x21\x23-\x7e\x80-\xff]*")')
#: A weight (RFC 9110 section 12.4.2).
_WEIGHT = re.compile(r"q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)", re.IGNORECASE)


def has(request: Request, tag: str) -> bool:
    """Return whether `If-None-Match` names the current tag of an existing resource: `*`, or the tag in its list, by the weak
    comparison (RFC 9110 section 13.1.2)."""
    listed = _listed(request, "if-none-match")
    return listed.strip() == "*" or tag.removeprefix("W/") in (found[2] for found in _TAG.finditer(listed))


def accepts_gzip(request: Request) -> bool:
    """Return whether to send gzip (RFC 9110 section 12.5.3): it is named, or covered by `*`, with a weight above 0 that is not
    below that of an unpacked answer. False without the header, which allows any coding, since an unpacked answer is always
    understood."""
    weights: dict[str, float] = {}
    for part in _listed(request, "accept-encoding").split(","):
        coding, *parameters = (piece.strip() for piece in part.split(";"))
        weight = _WEIGHT.fullmatch(parameters[0].replace(" ", "")) if parameters else None
        if coding and len(parameters) <= 1 and (weight or not parameters):
            name = "gzip" if coding.lower() == "x-gzip" else coding.lower()  # section 8.4.1.3
            weights[name] = max(weights.get(name, 0.0), float(weight[1]) if weight else 1.0)
    gzip = weights.get("gzip", weights.get("*", 0.0))
    return gzip > 0 and gzip >= weights.get("identity", 0.0)


def _listed(request: Request, name: str) -> str:
    """Return a header's list, of all its lines."""
    return ",".join(request.headers.getlist(name))
