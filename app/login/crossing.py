"""Tells requests of our own pages from those that other sites make a browser send with its cookies. Pure.

Browsers state where a request comes from in `Sec-Fetch-Site` (https://www.w3.org/TR/fetch-metadata/), older ones in `Origin` alone. No
page can set either. Other programs use credentials of their own, not cookies.
"""

from collections.abc import Mapping

#: Methods that change nothing.
SAFE = frozenset(("GET", "HEAD"))


def crosses(method: str, headers: Mapping[str, str], origin: str) -> bool:
    """Return whether a request with a cookie may be the work of another site. `origin`: ours. What changes something must be shown to be
    ours; a page may also be opened by a link, a bookmark, or the address bar."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        opened = method in SAFE and (site == "none" or headers.get("sec-fetch-mode") == "navigate")
        return site != "same-origin" and not opened
    return method not in SAFE and headers.get("origin") != origin
