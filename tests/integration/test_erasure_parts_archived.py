"""Erasure of one of two customers whose events are in one interaction, of which the archive has some or all."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from app.erasing.steps import Eraser
from schemas.events import Error, Event, Handle
from sql import EventStore, Row
from tests.conftest import Dsns
from tests.integration.erasures import settings
from tests.integration.test_archive import MOVED, RELAYED, START, execute, log_of
from tests.integration.test_erasure_archived import asked, in_archive, told
from tests.integration.test_erasure_gone import restored
from tests.integration.test_rebuild import read
from tests.support.keys import SEAL

pytest.importorskip("pyarrow", reason="the extra `archive` is not installed")

ONE, TWO = Handle("phone", "+15550000002"), Handle("phone", "+15550000009")
WORDS = {ONE.value: "krautkopf", TWO.value: "rotkohl"}


def row(n: int, who: Handle | None, type: str, id: str = "x1", **more: Any) -> Row:
    """An event so many seconds after the start."""
    at, text = START + timedelta(seconds=n), "weisskraut" if who is None else WORDS[who.value]
    fields: dict[str, Any] = {"channel": "sms", "provider_message_id": id, "handle": who, "occurred_at": at}
    if type in ("MessageReceived", "MessageRequested", "UserMessageSent"):
        fields["payload"] = {"content": {"text": text}}
    if type == "MessageFailed":
        fields["error"] = Error("1", text, "unreachable")
    return (Event(type, "twilio", f"{type} {n} {text}", **(fields | more)), "default", at, None)


#: What the archive has, of a message of ours too, and what came after it was written.
ARCHIVED = [
    row(1, ONE, "UserMessageSent", message_id="m-one"),
    row(2, TWO, "MessageRequested", message_id="m-two", provider_message_id=None),
    row(3, TWO, "UserMessageSent", message_id="m-two"),
    row(4, None, "MessageFailed"),
    row(5, ONE, "MessageFailed", channel="whatsapp"),
    row(6, TWO, "MessageReceived", channel="email", direction="inbound"),
    row(9, TWO, "MessageReceived", "x9"),
]
LATER = [
    row(50, ONE, "MessageDelivered", channel="rcs"),
    row(51, TWO, "MessageRead"),
    row(52, None, "MessageDelivered"),
]


async def archived(store: EventStore, dsns: Dsns, folder: Path) -> None:
    """Archive the first events; the others are in the log."""
    for each in ARCHIVED:
        await store.append([each])
    await execute(dsns.owner, MOVED)
    await store.append([*log_of(60, 62), *LATER])
    await execute(dsns.owner, RELAYED)
    in_archive(dsns, folder, lambda archive: archive.archive(2))


@pytest.mark.parametrize("gone", [False, True], ids=["alive", "after retention"])
@pytest.mark.parametrize("who", [ONE, TWO], ids=["one", "two"])
async def test_what_stays_is_the_others(postgres_dsn: Dsns, tmp_path: Path, who: Handle, gone: bool) -> None:
    """With all that the archive has of it; restored and rebuilt, it is the same, and nothing of the erased one is back. Also of what
    retention took from the timeline."""
    folder, other = tmp_path / "archive", TWO if who == ONE else ONE
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=2) as store:
        await archived(store, postgres_dsn, folder)
        if gone:
            configured = {"channels": [{"channel": "sms", "account": "twilio"}], "retention": {"default": 30}}
            await store.set_client("default", configured, "test")
            await store.remove_expired({}, lambda *_: None, pause=0)
        (found,) = await store.customer_of("default", who.kind, who.value)
        done = await Eraser(store, settings(tmp_path)).run(await asked(store, found["customer_id"]))
        assert done["receipt"]["rows"]["interactions"]["after"] == 0
        assert done["receipt"]["archive"]["events"] == (5 if who == TWO else 3)
        assert WORDS[who.value] not in await told(postgres_dsn)
        text = await restored(postgres_dsn, folder)
        assert WORDS[who.value] not in text and WORDS[other.value] in text
        (still,) = await store.customer_of("default", other.kind, other.value)
        rows = [each for each in await store.timeline("default", still["customer_id"]) if each["channel"] != "push"]
    assert await read(postgres_dsn.owner, "SELECT count(*) FROM threadline.erased_parts") == [0]
    if gone:
        assert not [each for each in rows if each["provider_message_id"] == "x1"]
        return
    shown = next(each for each in rows if each["provider_message_id"] == "x1")
    mine = [
        event
        for event, *_ in (*ARCHIVED, *LATER)
        if event.handle in (other, None) and event.provider_message_id != "x9"
    ]
    assert shown["timestamp"] == min(event.occurred_at for event in mine if event.occurred_at)
    assert set(shown["facts"].values()) <= {event.occurred_at for event in mine}
    assert shown["channel"] == min(event.channel or "" for event in mine)
    assert shown["message_id"] == ("m-one" if other == ONE else "m-two")
