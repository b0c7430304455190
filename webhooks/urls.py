"""A webhook's URL as its provider was told it, which is part of what many sign."""

from functools import lru_cache
from urllib.parse import urlsplit

#: Characters of a URL that is remembered, with what follows from it: 512 of them take about a megabyte.
REMEMBERED = 512


def urls_of(configured: str | None, received: str) -> tuple[str, ...]:
    """The URLs that a provider may have posted to, by the one configured (None: the one received) and the one received."""
    if configured is None:
        return (received,)
    # Anyone can make up long ones, and many: they are not remembered.
    return _remembered(configured, received) if len(received) <= REMEMBERED else _told(configured, received)


def _told(configured: str, received: str) -> tuple[str, ...]:
    """The URLs that the provider may have posted to: the configured scheme, host and path with the query received; the
    configured one as it is, where it has a query; and, as one provider may be told several paths of ours, the
    configured host with the path received."""
    try:
        public, target = urlsplit(configured), urlsplit(received)
    except ValueError:  # a host that is none, as `https://[`
        return (received,)
    query = f"?{target.query}" if target.query else ""
    origin = f"{public.scheme}://{public.netloc}"
    told = f"{origin}{public.path or target.path}{query}"
    exact = [configured.partition("#")[0]] if public.query else []
    return tuple(dict.fromkeys([*exact, told, f"{origin}{target.path}{query}"]))


_remembered = lru_cache(maxsize=512)(_told)
