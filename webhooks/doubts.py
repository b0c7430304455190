"""Verifies webhooks for which that takes I/O: a certificate from Amazon SNS, or an API key from the store."""

from adapters.contract import Request
from webhooks.admit import LATER, Authenticate, admit, unrecognised
from webhooks.amazon_sns import AmazonSns, Unfetched
from webhooks.body import Message
from webhooks.callers import LOCAL, party_of
from webhooks.recognise import Sources, Verdict
from webhooks.replies import SOON, UNKNOWN, Refused
from webhooks.shares import Room


class Doubts:
    """Verifies at most `requests` webhooks of `bytes` in all at once, shared fairly among their callers."""

    def __init__(
        self, sources: Sources, requests: int, bytes: int, authenticate: Authenticate | None, sns: AmazonSns | None
    ) -> None:
        self.room = Room(max(1, requests), bytes)
        self.sources = sources
        self._authenticate = authenticate
        self._sns = sns or AmazonSns()

    async def close(self) -> None:
        """Close the connections to Amazon SNS."""
        await self._sns.close()

    async def settle(self, verdict: Verdict, request: Request, scope: Message) -> Verdict:
        """Return the verdict on a webhook that may be kept, or on a handshake that may be answered; `request` is the one
        that was received. Raises Refused and UnknownSource."""
        caller = self._enter(request, scope, verdict.source)
        try:
            if verdict.needs is not None:
                request.parsed["fetched"] = {verdict.needs: await self._sns.certificate(verdict.needs, caller)}
                verdict = self.sources.recognise(request)
            if verdict.handshake is None:
                await admit(verdict, self._authenticate, _address(scope))
            elif verdict.handshake.visit is not None:
                await self._sns.confirm(verdict.handshake.visit, caller)
            return verdict
        except Unfetched as error:
            raise Refused(503, str(error), source=verdict.source, retry_after=LATER) from None
        finally:
            self.room.give(caller, len(request.body))

    async def unrecognised(self, request: Request, scope: Message, why: str) -> Refused:
        """Return the refusal of a request that no source recognises."""
        caller = self._enter(request, scope, UNKNOWN)
        try:
            return await unrecognised(request, self._authenticate, why, _address(scope))
        finally:
            self.room.give(caller, len(request.body))

    def _enter(self, request: Request, scope: Message, source: str) -> str:
        """Reserve room for the request and return its party. Raises Refused (429)."""
        caller = caller_of(scope)
        if not self.room.take(caller, len(request.body)):
            raise Refused(429, f"{self.room.requests} requests wait to be verified", source=source, retry_after=SOON)
        return caller


def caller_of(scope: Message) -> str:
    """Return the party that calls."""
    return party_of(_address(scope)) if scope.get("client") else LOCAL


def _address(scope: Message) -> str:
    """Return the address of the caller of a request; empty if it is not known."""
    return str(scope["client"][0]) if scope.get("client") else ""
