"""What callers of the API do in the store, for one client, with each statement as it was run: to run it again as somebody else."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID
from zlib import crc32

import psycopg
import pytest

from app.clients.configured import Clients
from app.erasing.steps import Eraser
from app.linking import linked
from app.sending.incoming import new_message
from app.sending.requests import read_request
from app.settings import Settings
from schemas.events import Event, Handle
from sql import DeadLetter, Deciding, EventStore, Filter, KeptAnswer, NewMessage, Refused, Row, Waiting
from sql.holdings import Holding
from sql.personal.keys import HandleKeys
from sql.pool import StatementCursor
from sql.statements import QUERIES, statement
from sql.tenants import acting
from tests.integration.erasures import settings
from tests.integration.sender import SOURCES
from tests.support.relaying import relaying

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
#: An address that is linked with a user id, and one whose customer is erased.
LINKED = Handle("phone", "+15556660001")
GONE = Handle("phone", "+15550000900")
PHONE, MAIL, USER = Handle("phone", "+15551234567"), Handle("email", "ana@example.com"), Handle("user_id", "ana")


@dataclass(frozen=True, slots=True)
class Ran:
    """A statement that was run: its file's name, its parameters, and how many rows it gave or changed."""

    name: str
    parameters: Any
    rows: int


@contextmanager
def recorded(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Ran]]:
    """Collect the statements of files that are executed within the block; they can be read after it."""
    names = {statement(file.stem): file.stem for file in QUERIES.glob("*.sql")}
    seen: list[tuple[str, Any, StatementCursor]] = []
    real, ran = StatementCursor.execute, list[Ran]()

    async def execute(self: StatementCursor, query: Any, params: Any = None, **more: Any) -> Any:
        if (name := names.get(query)) is not None:
            seen.append((name, params, self))
        return await real(self, query, params, **more)

    with monkeypatch.context() as patched:
        patched.setattr(StatementCursor, "execute", execute)
        yield ran
    ran.extend(Ran(name, parameters, cursor.rowcount) for name, parameters, cursor in seen)


def event(client: str, type: str, number: int, handle: Handle = PHONE, **more: Any) -> Row:
    """Return an event of a message of the client."""
    fields: dict[str, Any] = {
        "channel": "sms",
        "direction": "outbound",
        "provider_message_id": f"p{number}",
        "handle": handle,
    }
    made = Event(type, "twilio", f"{type} {number}", occurred_at=NOW + timedelta(minutes=number), **(fields | more))
    return made, client, NOW + timedelta(days=365), None


async def filled(store: EventStore, client: str, many: int) -> None:
    """Let workers write what callers of the client find: a timeline, a callback with deliveries, dead letters."""
    await store.set_callback(client, "https://shop.example/told", [], 2)
    await store.append(
        [
            event(client, "MessageReceived", n, Handle("phone", f"+1555{n:07d}"), direction="inbound")
            for n in range(many)
        ]
    )
    await store.append([event(client, "UserMessageSent", 100_000 + n, message_id=f"m{n}") for n in range(20)])
    # A phone number that more users state than one person has: links that do not apply.
    for n in range(9):
        stated = {"handles": [{"kind": "user_id", "value": f"user {n}"}]}
        whose = PHONE if n < 8 else LINKED
        row = event(client, "MessageReceived", 200_000 + n, whose, payload=stated, direction="inbound")
        await store.append([row, *((link, client, row[2], None) for link in linked(row[0]))])
    letters = [
        DeadLetter(
            "webhooks.received",
            crc32(client.encode()) % 1000,
            n,
            f"{client}: no {n}",
            source="twilio",
            value=b"{}",
            size=2,
            digest=bytes(32),
            client=client,
        )
        for n in range(20)
    ]
    await store.append([], dead=[*letters, DeadLetter("events.reported", 0, 0, "nobody's")])
    await forgotten(store, client)


async def forgotten(store: EventStore, client: str) -> None:
    """Let a worker erase a customer who had opted out."""
    await store.append([event(client, "RecipientUnsubscribed", 400_000, GONE, provider_message_id=None)])
    with TemporaryDirectory() as folder:
        whose = (await store.customer_of(client, GONE.kind, GONE.value))[0]["customer_id"]
        id = await store.request_erasure(client, whose, "a test")
        assert id is not None and (await Eraser(store, settings(Path(folder))).run(id))["state"] == "completed"


class Caller:
    """A client's caller of the API, as the routes call the store for it."""

    def __init__(self, store: EventStore, client: str, owner: str) -> None:
        self.store, self.client, self._owner = store, client, owner
        self.settings = Settings.model_validate(
            {"sources": {name: values | {"client": client} for name, values in SOURCES.items()}}
        )
        self.clients = Clients(store, self.settings, ttl=0.0)

    async def message(self, id: str, **more: Any) -> NewMessage:
        """Return a message to be accepted."""
        document = {
            "messageId": id,
            "to": {"sms": PHONE.value, "email": MAIL.value},
            "content": {"subject": "Hi", "text": "Hi"},
        }
        request = read_request(document | more, client_id=self.client)
        message = new_message(request, await self.clients.client(self.client), datetime.now(UTC))
        assert isinstance(message, NewMessage)
        return message

    async def everything(self) -> None:
        """Call each method that the API calls."""
        for part in (
            self.reading, self.sending, self.configuring, self.calling_back, self.burying, self.deciding, self.erasing,
        ):  # fmt: skip
            # As in a process that has just begun.
            self.store._secrets.clear()
            self.store._known.clear()
            self.store._keys = HandleKeys(lifetime=1.0)
            with acting((self.client,)):
                await part()

    async def sending(self) -> None:
        """Accept, list, cancel and release messages; opt a recipient out."""
        store, client = self.store, self.client
        later = (datetime.now(UTC) + timedelta(days=1)).isoformat()
        for id in ("one", "two", "three"):
            await store.accept(
                [await self.message(id, notBefore=later, idempotencyKey=f"key {id}")],
                lambda _, id=id: [KeptAnswer(client, f"header {id}", b"f", 202, b"{}", several=True)],  # type: ignore[misc]
            )
        await store.accept([await self.message("now"), *[await self.message(f"other-{n}") for n in range(300)]])
        assert await store.recall(client, "header one", b"f") and await store.message(client, "one")
        assert await store.waits(client, "one")
        queued = await store.messages_waiting(Waiting(client, "queued"), None, 10)
        held = [UUID(str(row["id"])) for row in queued]
        assert held, "no message waits"
        await store.cancel(
            client, "now", event(client, "MessageCancelled", 7, provider_message_id=None, message_id="now")
        )
        which = Waiting(client, "queued")
        await store.cancel_messages(
            which,
            held[:1],
            lambda ids: [event(client, "MessageCancelled", 8, provider_message_id=None, message_id=id) for id in ids],
        )
        assert await store.messages_waiting(Waiting(client, "cancelled"), None, 10)
        await self.hold()
        assert await store.release(client, str(queued[1]["message_id"]), resend=False, actor="test")
        assert await store.release_messages(Waiting(client, "held"), held[2:], "test")
        opted = event(client, "RecipientUnsubscribed", 9, provider_message_id=None)
        await store.append([opted])
        await store.append([(opted[0], client, NOW - timedelta(days=1), None)])  # again, and earlier
        await store.append([event(client, "MessageDelivered", 300_000)])
        await store.append(
            [event(client, "MessageDelivered", 300_000, message_id="three")]
        )  # again, with the id that ties both
        await store.set_profile(client, PHONE, zone="Europe/Vienna")
        assert await store.profile(client, PHONE) and await store.consents(client, PHONE)

    async def hold(self) -> None:
        """Hold the messages that wait, as a worker does."""
        async with await psycopg.AsyncConnection.connect(self._owner) as connection:
            await connection.execute("UPDATE threadline.messages SET state = 'held' WHERE state = 'queued'")

    async def reading(self) -> None:
        """Read a timeline in all ways."""
        store, client = self.store, self.client
        customer = (await store.customer_of(client, PHONE.kind, PHONE.value))[0]["customer_id"]
        assert await store.handles(client, customer) and await store.unapplied_links(client, customer)
        other = (await store.customer_of(client, LINKED.kind, LINKED.value))[0]["customer_id"]
        assert await store.applied_links(client, other)
        page = await store.timeline(client, customer)
        id = page[0]["id"]
        assert await store.interaction(client, id) and await store.history(client, id)
        assert await store.customer_changes(client_id=client, customer_id=customer, xid=0, position=0, limit=10)

    async def configuring(self) -> None:
        """Change the configuration and the accounts."""
        store, client = self.store, self.client
        account = {
            "adapter": "twilio",
            "source": "twilio",
            "url": None,
            "trusted": False,
            "sealed": b"s",
            "key_id": "k",
            "settings": ["auth_token"],
        }
        await store.set_account(client, "spare", **account, actor="test")  # type: ignore[arg-type]
        await store.set_account(client, "kept", **account, actor="test")  # type: ignore[arg-type]
        configured = {"channels": [{"channel": "sms", "account": "kept"}], "content": {"default": "keep"}}
        await store.set_client(client, configured, "test")
        assert await store.contents([client])
        row = await store.account(client, "kept")
        assert row and await store.client(client) and await store.client_versions(client, before=None, limit=5)
        assert await store.accounts(client) and await store.audit(client)
        assert await store.reseal_account(row, b"t", "k2", "test")
        assert (await store.remove_account(client, "spare", "test"))["removed"]

    async def calling_back(self) -> None:
        """Change the callback, and replay deliveries."""
        store, client = self.store, self.client
        assert await store.callback(client)
        await store.set_callback(client, "https://shop.example/told", ["MessageDelivered"], 4)
        for _ in range(3):
            assert await store.add_secret(client, b"sealed", timedelta(days=-1), "test")
        assert await store.callback_secrets(client)
        deliveries = await store.deliveries(client, None, 10)
        assert deliveries, "nothing was delivered"
        assert await store.replay_ids(client, [deliveries[0]["event_id"]])
        assert (await store.replay_span(client, NOW, datetime.now(UTC) + timedelta(days=1)))[0]
        assert await store.disable_callback(client, "test") and await store.enable_callback(client, "test")

    async def burying(self) -> None:
        """List, replay and discard dead letters."""
        store, client = self.store, self.client
        letters = await store.dead_letters(Filter(client=client))
        assert letters and (await store.dead_letter_groups(Filter(client=client)))[1]
        assert await store.dead_letter(letters[0]["id"], client)
        assert await store.replay_dead_letters([letters[0]["id"]], "test")
        assert await store.discard_dead_letters([letters[1]["id"]], "no use", "test", remove=True)

    async def deciding(self) -> None:
        """Merge, split, unlink and undo, and read customers whole."""
        store, client, by = self.store, self.client, Deciding("client_api", "key:test", "a test")
        numbers = [Handle("phone", f"+1555{n:07d}") for n in (1, 2, 3)]
        rows = [(await store.customer_of(client, one.kind, one.value))[0] for one in numbers]
        one = rows[0]["customer_id"]
        await store.append([event(client, "RecipientUnsubscribed", 500_000, numbers[0], provider_message_id=None)])
        await store.merge_customers(client, one, rows[1]["customer_id"], by)
        parted = await store.split_customer(client, one, [rows[1]["id"]], by)
        stated = {"handles": [{"kind": "phone", "value": numbers[1].value}]}
        row = event(client, "MessageReceived", 500_001, numbers[0], payload=stated, direction="inbound")
        await store.append([row, *((link, client, row[2], None) for link in linked(row[0]))])
        assert await store.customer_conflicts(client)
        await store.merge_customers(client, one, parted.becomes, by)
        cut = await store.unlink_handle(client, one, rows[0]["id"], NOW, by)
        assert cut.event_id is not None and await store.undo_customer_change(client, cut.event_id, by)
        side = await store.customer_assignments(client, one)
        assert side is not None and await store.customer_interactions(side.assignments)
        assert await store.customer_changes_of(client, side.ids) and await store.customer_consents(side.ids)
        assert await store.exported_assignments(client, one)

    async def erasing(self) -> None:
        """Hold, request an erasure, export, and read the audit and consents of an address that was erased."""
        store, client = self.store, self.client
        four = Handle("phone", "+15550000004")
        (held,) = await store.customer_of(client, four.kind, four.value)
        whose = held["customer_id"]
        assert await store.set_hold(client, whose, "a test", datetime.now(UTC) + timedelta(days=1))
        with suppress(Refused):  # as long as the hold lasts
            await store.unlink_handle(client, whose, held["id"], NOW, Deciding("operator", "test"))
        assert await store.hold_of(client, whose) and await store.end_hold(client, whose)
        id = await store.request_erasure(client, whose, "a test")
        assert id is not None and await store.erasure(id, client)
        five = Handle("phone", "+15550000005")
        whose = (await store.customer_of(client, five.kind, five.value))[0]["customer_id"]
        assert await store.ask_erasure(client, whose, "a test", timedelta(0))  # which is too old at once
        waits = await store.ask_erasure(client, whose, "a test", timedelta(days=1))
        assert waits is not None and await store.erasure_requests(client)
        request = await store.erasure_request(waits, client)
        assert request is not None
        three = (await store.customer_of(client, "phone", "+15550000003"))[0]["customer_id"]
        with suppress(Refused):  # as long as it waits
            await store.merge_customers(client, three, whose, Deciding("operator", "test"))
        await store.refuse_erasure(request, "a test")
        assert await store.consents(client, GONE)
        wanted = dict.fromkeys(("actor", "action", "subject", "since", "until"))
        assert await store.audit_page(client, wanted, None, 10)
        assert await store.exported_messages(client, ["one"])
        await self.sharing()

    async def sharing(self) -> None:
        """Export the parts of two people in one interaction."""
        store, client = self.store, self.client
        seven, eight = Handle("phone", "+15550000007"), Handle("phone", "+15550000008")
        for number, handle in ((600_000, seven), (600_001, eight)):
            row = event(client, "MessageReceived", number, handle, provider_message_id="shared", direction="inbound")
            await store.append([row])
        (his,) = await store.customer_of(client, seven.kind, seven.value)
        (found,) = await store.exported_shared(client, his["customer_id"], UUID(int=0), 10)
        holding = Holding(his["id"], None, datetime.now(UTC) + timedelta(days=9999))
        (part,) = (await store.exported_parts(client, [found.id], [holding], [])).values()
        assert [one["handle"] for one in part] == [his["id"]]


async def told(store: EventStore, client: str) -> None:
    """Let the relay enqueue the deliveries of the client's messages."""
    async with relaying(store) as relay:
        after = await relay.begin(from_now=False)
        while events := await relay.page(after, 5000):
            upto = (events[-1]["xid"], events[-1]["position"])
            await relay.advance(after, upto, [client])
            after = upto
