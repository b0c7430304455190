"""Fetches from Amazon SNS: the certificates that verify its messages, and subscription confirmations.

The URLs come from unverified requests, so only Amazon's hosts are fetched, by HTTPS, without redirects, with limits on time
and size: https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html.
"""

import asyncio
import time
from collections import OrderedDict, deque

import httpx

from adapters.amazon_ses.sns import CERTIFICATE_URL, CONFIRM_URL

#: The largest response, in bytes. A certificate has about 2,000.
MAX_BYTES = 16 << 10
#: Seconds for a complete response.
TIMEOUT = 5.0
#: Seconds for which a certificate, and the absence of one, is cached. Amazon changes certificates about once a year.
KEPT = 6 * 3600.0
KEPT_NONE = 60.0
#: Cached responses.
MOST = 64
#: Requests per minute to one of Amazon's hosts, and to all hosts together that never had a certificate, so that requests
#: with invented URLs cannot cause many fetches. One caller may use a tenth of either.
MOST_A_MINUTE = 30
MOST_A_CALLER = 3


class Unfetched(Exception):
    """The fetch failed; the message says why. A retry may succeed."""


class AmazonSns:
    """Fetches and caches. `client` is for tests; by default one is made at the first call."""

    def __init__(self, client: httpx.AsyncClient | None = None, *, timeout: float = TIMEOUT) -> None:
        self._client = client
        self._timeout = timeout
        self._known: OrderedDict[str, tuple[float, bytes | None]] = OrderedDict()
        #: Times and callers of recent requests, by host; `""` stands for hosts that never had a certificate.
        self._asked: dict[str, deque[tuple[float, str]]] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def certificate(self, url: str, caller: str = "") -> bytes | None:
        """Return the certificate (PEM) at a URL of Amazon SNS, or None if there is none. A cached certificate stays valid
        while Amazon cannot be reached. `caller` counts towards its rate limit. Raises Unfetched.
        """
        if not CERTIFICATE_URL.fullmatch(url):
            raise Unfetched("not the URL of an Amazon SNS certificate")
        lock = self._locks.setdefault(url, asyncio.Lock())
        try:
            async with lock:
                known = self._known.get(url)
                if known is None or known[0] < time.monotonic():
                    known = await self._renew(url, known, caller)
                elif known[1] is not None:
                    self._known.move_to_end(url)
                return known[1]
        finally:
            if not lock.locked():
                self._locks.pop(url, None)

    async def confirm(self, url: str, caller: str = "") -> None:
        """Confirm a subscription by fetching its SubscribeURL. Raises Unfetched."""
        if not CONFIRM_URL.fullmatch(url):
            raise Unfetched("not an Amazon SNS URL that confirms a subscription")
        if await self._get(url, caller) is None:
            raise Unfetched("Amazon SNS did not confirm the subscription")

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aclose()

    async def _renew(self, url: str, old: tuple[float, bytes | None] | None, caller: str) -> tuple[float, bytes | None]:
        try:
            found = await self._get(url, caller)
        except Unfetched:
            if old is None or old[1] is None:
                raise
            return self._remember(url, old[1], KEPT_NONE)
        return self._remember(url, found, KEPT if found is not None else KEPT_NONE)

    def _remember(self, url: str, found: bytes | None, seconds: float) -> tuple[float, bytes | None]:
        known = (time.monotonic() + seconds, found)
        self._known[url] = known
        # Evict entries for certificates that do not exist first: invented URLs must not evict the certificate in use.
        self._known.move_to_end(url, last=found is not None)
        while len(self._known) > MOST:
            self._known.popitem(last=False)
        return known

    def _afford(self, url: str, caller: str) -> None:
        """Count a request. Raises Unfetched if there were too many within a minute."""
        host, now = url.split("/", 3)[2], time.monotonic()
        asked = self._asked.get(host)
        if asked is None:
            asked = self._asked.setdefault("", deque())
        while asked and now - asked[0][0] >= 60:
            asked.popleft()
        if len(asked) >= MOST_A_MINUTE or sum(who == caller for _, who in asked) >= MOST_A_CALLER:
            raise Unfetched(f"Amazon SNS was asked {len(asked)} times within a minute")
        asked.append((now, caller))

    async def _get(self, url: str, caller: str) -> bytes | None:
        """Return the body of a 200, or None for another status below 500. Raises Unfetched."""
        self._afford(url, caller)
        if self._client is None:
            self._client = httpx.AsyncClient()
        try:
            async with (
                asyncio.timeout(self._timeout),
                self._client.stream("GET", url, follow_redirects=False, timeout=self._timeout) as response,
            ):
                if response.status_code >= 500 or response.status_code == 429:
                    raise Unfetched(f"Amazon SNS answered {response.status_code}")
                if response.status_code != 200:
                    return None
                body = b""
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > MAX_BYTES:
                        raise Unfetched(f"Amazon SNS answered more than {MAX_BYTES} bytes")
                # A host gets its own rate limit only once it has returned something; Amazon has few regions.
                self._asked.setdefault(url.split("/", 3)[2], deque())
                return body
        except TimeoutError:
            raise Unfetched(f"Amazon SNS did not answer within {self._timeout:.0f} seconds") from None
        except httpx.HTTPError as error:
            raise Unfetched(f"Amazon SNS cannot be reached: {type(error).__name__}") from error
