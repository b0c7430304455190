"""Removes secrets from a request's URL and headers before they are stored.

A provider that does not sign sends a shared secret instead: in the URL (`url_secret`, basic authentication) or in a header.
All secrets of a source are searched for in the URL and in every header.
"""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from urllib.parse import quote, quote_plus, unquote_plus

from adapters.checked import public_names
from adapters.contract import Adapter

#: Replaces a secret.
CUT = "***"
#: Headers that carry credentials. They are never stored.
DROPPED_HEADERS = frozenset(
    {
        "authorization",
        "cookie",
        "proxy-authorization",
        "api-key",
        "apikey",
        "x-api-key",
        "x-auth-token",
        "x-telegram-bot-api-secret-token",
    }
)
#: A secret with fewer characters is matched only as a whole value, since it may be part of an ordinary word.
SHORT = 6


class Cutter:
    """Removes the secrets of one source, given its adapter and its settings (`Source.values`)."""

    def __init__(self, adapter: Adapter, values: Mapping[str, Sequence[str]]) -> None:
        public = public_names(adapter)
        secrets = {value.strip() for name, given in values.items() if name not in public for value in given}
        # Of a header's `Name: value` and of `user:password` of basic authentication, the part after the colon may occur alone.
        secrets |= {value.partition(":")[2].strip() for value in secrets}
        self._secrets = frozenset(secrets - {""})
        long = [value for value in self._secrets if len(value) >= SHORT]
        written = {each for value in long for each in _written(value)}
        #: Longest first, since one may contain another.
        self._long = tuple(sorted(written, key=len, reverse=True))

    def headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        """Return the headers without secrets."""
        if DROPPED_HEADERS.isdisjoint(headers) and not self._in("\n".join(headers.values())):
            kept = headers if isinstance(headers, dict) else dict(headers)
            return kept if self._secrets.isdisjoint(kept.values()) else self._each(kept)
        return self._each({name: value for name, value in headers.items() if name not in DROPPED_HEADERS})

    def _each(self, headers: Mapping[str, str]) -> dict[str, str]:
        return {name: self._without(value) for name, value in headers.items()}

    def url(self, url: str) -> str:
        """Return the URL without user and password, and with `***` for each secret in its path or query."""
        scheme, slashes, rest = url.partition("://")
        place, mark, query = (rest if slashes else url).partition("?")
        host, slash, path = place.partition("/")
        if "@" in host:
            host = host.rpartition("@")[2]
        elif not self._secrets or not (mark or self._in(url) or "%" in path):
            return url
        path = "/".join([self._part(part) for part in path.split("/")])
        query = "&".join([self._pair(pair) for pair in query.split("&")])
        return f"{scheme}://{host}{slash}{path}{mark}{query}" if slashes else f"{host}{slash}{path}{mark}{query}"

    def _pair(self, pair: str) -> str:
        name, equals, value = pair.partition("=")
        return f"{self._part(name)}{equals}{self._part(value)}"

    def _part(self, part: str) -> str:
        """Return a part of a URL as written, without secrets in its encoded or its decoded form."""
        read = unquote_plus(part) if "%" in part or "+" in part else part
        cut = self._without(read)
        if cut != read:
            return quote(cut, safe="*") if read != part else cut
        return self._without(part)

    def _without(self, text: str) -> str:
        if text in self._secrets:
            return CUT
        for secret in self._long:
            if secret in text:
                text = text.replace(secret, CUT)
        return text

    def _in(self, text: str) -> bool:
        return any([secret in text for secret in self._long])


def _written(secret: str) -> tuple[str, ...]:
    """Return the forms in which a secret may occur: plain, URL-encoded, form-encoded, and in basic authentication."""
    return secret, quote(secret, safe=""), quote_plus(secret), b64encode(secret.encode()).decode()


class Cutters:
    """One cutter per source, made when first needed and again when the source's settings change."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Mapping[str, Sequence[str]], Cutter]] = {}

    def of(self, source: str, adapter: Adapter, values: Mapping[str, Sequence[str]]) -> Cutter:
        """Return the cutter of this source."""
        known = self._known.get(source)
        if known is None or known[0] is not values:
            if len(self._known) >= 4096:
                self._known.clear()
            self._known[source] = known = (values, Cutter(adapter, values))
        return known[1]
