"""Asks the providers by which an erased customer was reached to erase what they keep, for clients that want it. What is to be asked is
noted before the first call, and each answer after it: a killed process loses no request, and may repeat one, which erases nothing else.

It is done while addresses and providers' ids are still there. A provider that gives no final answer is asked again, for days at most.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta

from adapters.contract import Erase, HttpCall, Outcome, Response, Unsendable
from app.clients.configured import Account, Client, Clients, UnknownAccount, UnknownClient
from app.settings import Settings
from schemas.events import Error
from sql import EventStore
from sql.erasures import Erasure, Waits
from sql.handles import Owned
from sql.provider_erasures import Answered, Asked

#: Makes a call by an account; returns its response, None where none came.
Carry = Callable[[HttpCall, Account], Awaitable[Response | None]]
#: Why a process without a network waits.
_BY_WORKER = "a worker asks the providers to erase what they keep"


async def propagate(
    store: EventStore, clients: Clients, settings: Settings, erasure: Erasure, carry: Carry | None
) -> None:
    """Ask all providers that are to be asked. Raises Waits where one has to be asked again later, or where nothing can be asked here."""
    try:
        client = await clients.client(erasure["client_id"])
    except UnknownClient:
        return
    if not client.propagate:
        return
    await store.ask(erasure["id"], await _plan(store, clients, settings, client, erasure))
    until = erasure["fenced_at"] + timedelta(hours=settings.erasure.ask_hours)
    while rows := await store.asking(erasure["id"]):
        every = [Asked(row["account"], row["source"], row["target"], row["id"]) for row in rows]
        due = [each for each, row in zip(every, rows, strict=True) if row["due"]]
        if datetime.now(UTC) > until:
            await store.answered(
                erasure["id"], [Answered(each, "refused", "no final answer in time") for each in every]
            )
        elif not due:
            raise Waits(f"{rows[0]['source']} is asked again at {rows[0]['due_at']:%Y-%m-%dT%H:%M:%SZ}")
        elif carry is None:
            raise Waits(_BY_WORKER)
        else:
            tries = {(row["source"], row["target"]): row["tries"] for row in rows}
            values = [owned for owned, _ in await store.erased_values(erasure)]
            asked = (_asked(clients, client, each, tries[each.source, each.target], values, carry) for each in due)
            await store.answered(erasure["id"], await asyncio.gather(*asked))


async def _plan(
    store: EventStore, clients: Clients, settings: Settings, client: Client, erasure: Erasure
) -> list[Asked]:
    """Return what is to be asked: of those that can be, and by accounts that are there."""
    reached = await store.reached(erasure["id"])
    kinds = {owned.kind for owned, _ in await store.erased_values(erasure)}
    accounts = {
        source: await _account(store, clients, settings, client, source) for source in {r["source"] for r in reached}
    }
    plan = set()
    for row in reached:
        account = accounts[row["source"]]
        erase = account.adapter.erase if account is not None else None
        if account is None or erase is None:
            continue
        if not erase.kinds and row["target"] is not None:
            plan.add(Asked(account.name, row["source"], row["target"]))
        elif erase.kinds & kinds:
            plan.add(Asked(account.name, row["source"], ""))
    return sorted(plan)


async def _account(
    store: EventStore, clients: Clients, settings: Settings, client: Client, source: str
) -> Account | None:
    """Return the account by which messages are known under this source; None where there is none now."""
    rows = await store.accounts(client.id)
    names = [source, *(row["name"] for row in rows), *settings.sources]
    for name in dict.fromkeys(names):
        try:
            account = await clients.account(client, name)
        except UnknownAccount:
            continue
        if account.source == source:
            return account
    return None


async def _asked(
    clients: Clients, client: Client, asked: Asked, tries: int, values: Sequence[Owned], carry: Carry
) -> Answered:
    """Ask once; return the answer, in which no text of the provider stands, since it may quote an address."""
    try:
        account = await clients.account(client, asked.account)
        if account.adapter.erase is None:
            return Answered(asked, "refused", "cannot be asked any more")
        outcome = await _outcome(account.adapter.erase, account, asked, values, carry)
    except (UnknownAccount, Unsendable) as error:
        return Answered(asked, "refused", f"cannot be asked: {error}"[:300])
    if outcome.state == "accepted":
        return Answered(asked, "done", None)
    answer = f"{outcome.error.code or ''} {outcome.error.reason or ''}".strip() if outcome.error else outcome.state
    if outcome.state == "rejected":
        return Answered(asked, "refused", answer)
    # A fault of the account is mended by people, in the time that there is.
    pause = min(client.retry.longest, client.retry.first * 2.0 ** min(tries, 20))
    jittered = pause * (0.5 + random.random() / 2)  # noqa: S311  # no secret
    return Answered(asked, "due", answer, max(jittered, outcome.retry_after or 0.0))


async def _outcome(erase: Erase, account: Account, asked: Asked, values: Sequence[Owned], carry: Carry) -> Outcome:
    """Return the first outcome that is not accepted, or the last one. Raises Unsendable."""
    names = [asked.id] if asked.target else [each.value for each in values if each.kind in erase.kinds]
    outcome = Outcome("accepted")
    for first in range(0, len(names), erase.most):
        response = await carry(erase.build(names[first : first + erase.most], account.values), account)
        outcome = (
            Outcome("retryable", error=Error(None, None, "no answer")) if response is None else erase.read(response)
        )
        if outcome.state != "accepted":
            break
    return outcome
