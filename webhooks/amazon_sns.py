"""What the door fetches from Amazon SNS: the certificates that its messages are signed by, and its confirmations.

The addresses stand in requests that anyone may have made, so that only Amazon's are fetched, by HTTPS, without following
where they lead, in little time and of little size: https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html.
"""

import asyncio
import time
from collections import OrderedDict, deque

import httpx

from adapters.amazon_ses.sns import CERTIFICATE_URL, CONFIRM_URL

#: Bytes of one answer; a certificate has some two thousand.
MAX_BYTES = 16 << 10
#: Seconds for one answer, all of it.
TIMEOUT = 5.0
#: Seconds that an answer is remembered: a certificate, and that there is none. Amazon changes them about once a year.
KEPT = 6 * 3600.0
KEPT_NONE = 60.0
#: Answers remembered, and fetched in a minute: requests that name certificates that never were must not make many.
MOST = 64
MOST_A_MINUTE = 30


class Unfetched(Exception):
    """It could not be fetched now, or not so; the message says why. The same may pass later."""


class AmazonSns:
    """Fetches and remembers. `client` is for tests; by default one is made at the first call."""

    def __init__(self, client: httpx.AsyncClient | None = None, *, timeout: float = TIMEOUT) -> None:
        self._client = client
        self._timeout = timeout
        self._known: OrderedDict[str, tuple[float, bytes | None]] = OrderedDict()
        self._asked: deque[float] = deque(maxlen=MOST_A_MINUTE)
        self._locks: dict[str, asyncio.Lock] = {}

    async def certificate(self, url: str) -> bytes | None:
        """The certificate (PEM) at an address of SNS's; None where Amazon has none there. Raises Unfetched."""
        if not CERTIFICATE_URL.fullmatch(url):
            raise Unfetched("not an address of Amazon SNS's certificates")
        lock = self._locks.setdefault(url, asyncio.Lock())
        try:
            async with lock:
                known = self._known.get(url)
                if known is None or known[0] < time.monotonic():
                    known = self._remember(url, await self._get(url))
                elif known[1] is not None:
                    self._known.move_to_end(url)
                return known[1]
        finally:
            if not lock.locked():
                self._locks.pop(url, None)

    async def confirm(self, url: str) -> None:
        """Confirm a subscription by a visit to its SubscribeURL. Raises Unfetched."""
        if not CONFIRM_URL.fullmatch(url):
            raise Unfetched("not an address of Amazon SNS's that confirms a subscription")
        if await self._get(url) is None:
            raise Unfetched("Amazon SNS did not confirm the subscription")

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aclose()

    def _remember(self, url: str, found: bytes | None) -> tuple[float, bytes | None]:
        known = (time.monotonic() + (KEPT if found is not None else KEPT_NONE), found)
        self._known[url] = known
        # What never was goes first: made-up addresses must not put out the certificate that is in use.
        self._known.move_to_end(url, last=found is not None)
        while len(self._known) > MOST:
            self._known.popitem(last=False)
        return known

    async def _get(self, url: str) -> bytes | None:
        """The body of a 200; None of another answer below 500."""
        now = time.monotonic()
        if len(self._asked) == MOST_A_MINUTE and now - self._asked[0] < 60:
            raise Unfetched(f"Amazon SNS was asked {MOST_A_MINUTE} times within a minute")
        self._asked.append(now)
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
                return body
        except TimeoutError:
            raise Unfetched(f"Amazon SNS did not answer within {self._timeout:.0f} seconds") from None
        except httpx.HTTPError as error:
            raise Unfetched(f"Amazon SNS cannot be reached: {type(error).__name__}") from error
