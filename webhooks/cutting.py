"""Cuts the secrets out of what is kept of a request: its URL and its headers. They proved who posts, and nobody needs them after.

A provider that signs nothing repeats what it was told: in the URL (`url_secret`, basic authentication), in a header of
its own. Whatever a source has for a secret is looked for in all of these, however it came there.
"""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from urllib.parse import quote, quote_plus, unquote_plus

from adapters.contract.receiving import Adapter

#: What stands where a secret was.
CUT = "***"
#: Headers that are there to prove who calls, whatever is in them: they are not kept at all.
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
#: Characters below which a secret is looked for as a whole value alone: a shorter one is a part of many a word.
SHORT = 6


class Cutter:
    """Of one source: its adapter, and its settings as `Source.values` has them."""

    def __init__(self, adapter: Adapter, values: Mapping[str, Sequence[str]]) -> None:
        public = {name for one in adapter.SETTINGS if not one.secret for name in (one.name, *one.aliases)}
        told = {value.strip() for name, given in values.items() if name not in public for value in given}
        # `Name: value` of a header, `user:password` of basic authentication: what is behind the colon may stand alone.
        told |= {value.partition(":")[2].strip() for value in told}
        self._secrets = frozenset(told - {""})
        long = [value for value in self._secrets if len(value) >= SHORT]
        written = {each for value in long for each in _written(value)}
        #: Long ones first, as one may hold another.
        self._long = tuple(sorted(written, key=len, reverse=True))

    def headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        """What is kept of the headers."""
        if DROPPED_HEADERS.isdisjoint(headers) and not self._in("\n".join(headers.values())):
            kept = headers if isinstance(headers, dict) else dict(headers)
            return kept if self._secrets.isdisjoint(kept.values()) else self._each(kept)
        return self._each({name: value for name, value in headers.items() if name not in DROPPED_HEADERS})

    def _each(self, headers: Mapping[str, str]) -> dict[str, str]:
        return {name: self._without(value) for name, value in headers.items()}

    def url(self, url: str) -> str:
        """What is kept of the URL: no user and password before its host; `***` for a secret in its path or query."""
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
        """A part of a URL as it is written; where it is, holds or ends in a secret once it is read, without it."""
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
    """A secret as it is, as a URL and a form have it, and as basic authentication does."""
    return secret, quote(secret, safe=""), quote_plus(secret), b64encode(secret.encode()).decode()


class Cutters:
    """A cutter for each source, made when it is first needed, and anew where its settings are others."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Mapping[str, Sequence[str]], Cutter]] = {}

    def of(self, source: str, adapter: Adapter, values: Mapping[str, Sequence[str]]) -> Cutter:
        """That of this source."""
        known = self._known.get(source)
        if known is None or known[0] is not values:
            if len(self._known) >= 4096:
                self._known.clear()
            self._known[source] = known = (values, Cutter(adapter, values))
        return known[1]
