"""`threadline customers erase|hold|unhold`."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from app.api.erasures import LONGEST, erasure_json
from app.cli.erasure.receipt_file import ReceiptFile, keep, unusable
from app.cli.erasure.whose import MOST, Client, Customer, NoCustomer, Reason, sound, whose
from app.cli.support.json_output import AsJson, print_json
from app.cli.support.progress import Yes, confirmed
from app.cli.support.store import in_store
from app.cli.support.terminal import MISUSED, entry, minute, print_error, print_note
from app.cli.support.times import AHEAD, time_ahead
from app.embedded.running import resolve
from app.erasing.steps import Eraser
from app.numbered import numbered
from app.settings import Settings
from app.settings.loading import load
from sql import EventStore
from sql.erasures import Erasure, Held, Waits

_WORDS = {
    "fenced": "fence set: nobody finds the customer's addresses any more",
    "searched": "dead letters searched",
    "asked": "providers asked, where the client wants it",
    "destroyed": "keys and addresses destroyed",
    "purged": "timeline, messages and consents removed",
    "rewritten": "files of the archive gone through",
    "completed": "receipt made",
}


def erase(
    customer: Customer,
    reason: Reason = "",
    client: Client = None,
    receipt: ReceiptFile = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> int:
    """Erase a customer: make all that is kept of them unreadable, everywhere, and prove it. It cannot be undone.

    Goes on where an earlier try was interrupted. With the setting erasure.approval it waits until somebody else approves it. Exit code 1
    under a legal hold, or where there is no such customer.
    """
    if not sound(reason):
        return print_error(f"Say why, in at most {MOST} characters: --reason TEXT.", MISUSED)

    async def work(store: EventStore) -> int:
        try:
            owner, id = await whose(store, customer, client)
            if (held := await store.hold_of(owner, id)) is not None:
                raise Held(held["reason"], held["until"])
            if (why := unusable(receipt)) is not None:
                return print_error(f"Nothing was erased: {why}.", MISUSED)
            known = await store.handles(owner, id)
            question = f"Customer {id} of client {owner}, with {numbered(len(known), 'address', 'addresses')}, will be erased for ever. Go on?"
            if not confirmed(question, yes):
                return print_error("Nothing was erased; --yes erases without asking.")
            settings = resolve(load())
            if settings.erasure.approval:
                lasts = timedelta(days=settings.erasure.approval_days)
                erasure = await store.ask_erasure(owner, id, reason.strip(), lasts)
            else:
                erasure = await store.request_erasure(owner, id, reason.strip())
            if erasure is None:
                raise NoCustomer("There is nothing left of this customer to erase.")
            if await store.erasure(erasure) is None:
                return await _waits(store, erasure, as_json)
            return await erased(store, settings, erasure, receipt, as_json)
        except (NoCustomer, Held) as error:
            return print_error(f"Not erased: {error}" if isinstance(error, Held) else str(error))

    return in_store(work)


async def erased(store: EventStore, settings: Settings, id: UUID, receipt: Path | None, as_json: bool) -> int:
    """Do an erasure, and print what it did; return the exit code. Raises Held."""
    try:
        done = await Eraser(store, settings).run(id, lambda state: _told(state, as_json))
    except Waits as why:
        return print_error(f"Erasure {id} is not complete yet, and a worker goes on with it: {why}")
    asked = await store.erasure_request(id)
    lost = None if receipt is None else keep(done["receipt"], receipt)
    if as_json:
        print_json(erasure_json(done, asked))
    else:
        _print(done, None if lost else receipt)
    if lost:
        return print_error(f"The customer is erased, but {lost}. The receipt: threadline erasure show {id} --receipt")
    return 0


async def _waits(store: EventStore, id: UUID, as_json: bool) -> int:
    asked = await store.erasure_request(id)
    assert asked is not None
    if as_json:
        return print_json(erasure_json(asked, asked))
    print(
        entry(
            f"Erasure {id}",
            f"waits for a second person until {minute(asked['expires_at'])} UTC; nothing is erased before",
        )
    )
    return print_note(f"Somebody else approves it: threadline erasure approve {id}")


def hold(
    customer: Customer,
    reason: Reason = "",
    until: Annotated[str, typer.Option(metavar="TIME", help=f"When it ends: {AHEAD}.")] = "",
    client: Client = None,
) -> int:
    """Put a customer under a legal hold: until it ends, they are not erased, and their messages are kept."""
    if not sound(reason):
        return print_error(f"Say why, in at most {MOST} characters: --reason TEXT.", MISUSED)
    now = datetime.now(UTC)
    ends = time_ahead(until, now)
    if ends is None or ends > now + LONGEST:
        return print_error(f"--until {until} is no future time within ten years: write {AHEAD}.", MISUSED)

    async def work(store: EventStore) -> int:
        try:
            owner, id = await whose(store, customer, client)
        except NoCustomer as error:
            return print_error(str(error))
        if await store.set_hold(owner, id, reason.strip(), ends) is None:
            return print_error("This customer was erased.")
        return print_note(f"Customer {id} is under a legal hold until {minute(ends)} UTC.")

    return in_store(work)


def unhold(customer: Customer, client: Client = None) -> int:
    """End a customer's legal hold. An erasure that was requested before it goes on then."""

    async def work(store: EventStore) -> int:
        try:
            owner, id = await whose(store, customer, client)
        except NoCustomer as error:
            return print_error(str(error))
        if not await store.end_hold(owner, id):
            return print_error("This customer is under no legal hold.")
        return print_note(f"Customer {id} is under no legal hold any more.")

    return in_store(work)


def _told(state: str, as_json: bool) -> None:
    if not as_json and state in _WORDS:
        print_note(_WORDS[state])


def _print(done: Erasure, file: Path | None) -> int:
    receipt = done["receipt"]
    print(entry(f"Erasure {done['id']}", f"customer {done['customer_id']} of client {done['client_id']}"))
    print(entry("Keys destroyed", f"{len(receipt['keysDestroyed'])}, each of one address"))
    removed = [f"{store} {rows['before']}" for store, rows in receipt["rows"].items() if rows["before"] > rows["after"]]
    print(entry("Removed or unreadable", ", ".join(removed) or "nothing"))
    if receipt["handlesKept"]:
        stay = numbered(len(receipt["handlesKept"]), "address stays", "addresses stay")
        why = "which another customer has or had too; what is said there of this customer's time was removed"
        print(entry("Keys kept", f"{stay}, {why}"))
    if receipt["suppressions"]:
        print(entry("Opt-outs that live on, by another digest", str(receipt["suppressions"])))
    times = [each for each in receipt["unreadableBy"].values() if each is not None]
    if never := [place for place, each in receipt["unreadableBy"].items() if each is None]:
        print(entry("Kept for ever by the settings", ", ".join(never)))
    print(entry("Copies elsewhere are unreadable by", f"{max(times)[:10]} (the receipt has each)"))
    for each in receipt["providers"]:
        asked = each["asked"]
        if asked and not asked["refused"]:
            print(entry(f"Asked {each['source']}", f"{numbered(asked['done'], 'request was', 'requests were')} taken"))
            continue
        print(entry(f"Ask {each['source']}", each["ask"], each["page"] or "", asked["answer"] if asked else ""))
    if receipt["signature"] is None:
        print_note("The receipt is not signed: set audit.key (threadline audit key) before the next erasure.")
    where = f"The receipt is in {file}." if file else f"The receipt: threadline erasure show {done['id']} --receipt"
    return print_note(where)
