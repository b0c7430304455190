"""Reconstructs the public URL to which a provider posted, which is part of what many providers sign."""

from functools import lru_cache
from urllib.parse import urlsplit

#: The longest URL, in characters, that is cached. 512 entries take about a megabyte.
CACHED = 512


def urls_of(configured: str | None, received: str) -> tuple[str, ...]:
    """Return the URLs to which a provider may have posted, given the configured URL (or None) and the received one."""
    if configured is None:
        return (received,)
    # Callers can invent any number of long URLs, so those are not cached.
    return _cached(configured, received) if len(received) <= CACHED else _candidates(configured, received)


def _candidates(configured: str, received: str) -> tuple[str, ...]:
    """Return the candidates: the configured scheme, host and path with the received query; the configured URL itself if it
    has a query; and the configured host with the received path, since one provider may be given several of our paths."""
    try:
        public, target = urlsplit(configured), urlsplit(received)
    except ValueError:  # an invalid host such as `https://[`
        return (received,)
    query = f"?{target.query}" if target.query else ""
    origin = f"{public.scheme}://{public.netloc}"
    public_url = f"{origin}{public.path or target.path}{query}"
    exact = [configured.partition("#")[0]] if public.query else []
    return tuple(dict.fromkeys([*exact, public_url, f"{origin}{target.path}{query}"]))


_cached = lru_cache(maxsize=512)(_candidates)
