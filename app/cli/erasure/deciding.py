"""`threadline erasure approve|refuse`: erasures that wait for a second person."""

from typing import Annotated
from uuid import UUID

import typer

from app.cli.erasure.receipt_file import ReceiptFile, unusable
from app.cli.erasure.requesting import erased
from app.cli.erasure.whose import MOST, Reason, sound
from app.cli.support.json_output import AsJson
from app.cli.support.progress import Yes, confirmed
from app.cli.support.store import in_store
from app.cli.support.terminal import MISUSED, print_error, print_note
from app.embedded.running import resolve
from app.settings.loading import load
from sql import EventStore
from sql.approvals import NothingLeft, NotWaiting, SameParty, Withdrawn
from sql.erasures import Held

Id = Annotated[str, typer.Argument(metavar="ERASURE", help="The erasure's id.")]


def approve(
    id: Id,
    receipt: ReceiptFile = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> int:
    """Approve an erasure that somebody else asked for, and do it. It cannot be undone. Exit code 1 where it does not wait, under a legal
    hold, and for who asked for it."""
    if (wanted := _id(id)) is None:
        return print_error(f"{id} is no erasure's id.", MISUSED)

    async def work(store: EventStore) -> int:
        asked = await store.erasure_request(wanted)
        if asked is None:
            return print_error("There is no such erasure that waits.")
        if (why := unusable(receipt)) is not None:
            return print_error(f"Nothing was approved: {why}.", MISUSED)
        question = f"Customer {asked['customer_id']} of client {asked['client_id']} will be erased for ever ({asked['reason']}). Go on?"
        if asked["state"] == "waiting" and not confirmed(question, yes):
            return print_error("Nothing was approved; --yes approves without asking.")
        try:
            return await erased(store, resolve(load()), await store.approve_erasure(asked), receipt, as_json)
        except (SameParty, Withdrawn) as error:
            return print_error(f"Not approved: {error}")
        except NothingLeft:
            return print_error("There is nothing left of this customer to erase.")
        except NotWaiting as error:
            return print_error(str(error))
        except Held as error:
            return print_error(f"Not erased: {error}")

    return in_store(work)


def refuse(id: Id, reason: Reason = "") -> int:
    """Refuse an erasure that waits, or withdraw one's own. Exit code 1 where it does not wait."""
    if (wanted := _id(id)) is None:
        return print_error(f"{id} is no erasure's id.", MISUSED)
    if not sound(reason):
        return print_error(f"Say why, in at most {MOST} characters: --reason TEXT.", MISUSED)

    async def work(store: EventStore) -> int:
        asked = await store.erasure_request(wanted)
        if asked is None:
            return print_error("There is no such erasure that waits.")
        try:
            await store.refuse_erasure(asked, reason.strip())
        except NotWaiting as error:
            return print_error(str(error))
        return print_note(f"Erasure {wanted} is refused; nothing was erased.")

    return in_store(work)


def _id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
