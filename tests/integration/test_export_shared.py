"""The export of one of two customers whose events are in one interaction: his own, and nothing of the other's."""

import io
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from jsonschema import Draft202012Validator

from app.api.bodies import event, interaction
from app.exporting.export import export
from app.exporting.gathering import Forms, subject_of
from schemas.events import Handle
from sql import EventStore
from tests.conftest import Dsns
from tests.integration.erasures import settings
from tests.integration.serving import serving
from tests.integration.test_erasure_api import exported as served_export
from tests.integration.test_erasure_parts_archived import ARCHIVED, LATER, ONE, TWO, WORDS, archived
from tests.support.keys import SEAL
from tests.support.tenanted import Caller

pytest.importorskip("pyarrow", reason="the extra `archive` is not installed")
ROWS = (*ARCHIVED, *LATER)


async def exported(store: EventStore, folder: Path, who: Handle) -> tuple[dict[str, Any], str]:
    """Export the customer with an address; return what data.json and the page have."""
    (found,) = await store.customer_of("default", who.kind, who.value)
    subject = await subject_of(store, "default", found["customer_id"])
    assert subject is not None
    pieces = export(store, settings(folder), subject, datetime.now(UTC), Forms(interaction, event))
    with zipfile.ZipFile(io.BytesIO(b"".join([piece async for piece in pieces]))) as made:
        return opened({name: made.read(name) for name in made.namelist()})


def opened(files: dict[str, bytes]) -> tuple[dict[str, Any], str]:
    """Return what data.json, which fits its schema, and the page have."""
    data: dict[str, Any] = orjson.loads(files["data.json"])
    Draft202012Validator(orjson.loads(files["data.schema.json"])).validate(data)
    return data, files["timeline.html"].decode()


def nothing_of(other: Handle, *texts: str) -> bool:
    """Return whether neither the words nor the number of the other are in texts, nor the words of nobody."""
    return not any(word in text for text in texts for word in (WORDS[other.value], other.value, "weisskraut"))


def is_his(who: Handle, data: dict[str, Any], page: str) -> None:
    """Check that an export has all that the customer said and was sent, and nothing of the other."""
    mine = [each for each, *_ in ROWS if each.handle == who and each.provider_message_id != "x9"]
    (part,) = data["parts"]
    assert [each["type"] for each in part["events"]] == [each.type for each in mine]
    assert [each["payload"].get("content") for each in part["events"]] == [each.payload.get("content") for each in mine]
    assert part["unreadMonths"] == []
    alone = [each for each in data["interactions"] if each["providerMessageId"] in ("x1", "x9")]
    assert len(alone) == (1 if who == TWO else 0)  # x9 is his alone
    assert page.count("<article>") == len(mine) + len(data["interactions"]) and WORDS[who.value] in page
    assert nothing_of(TWO if who == ONE else ONE, orjson.dumps(data).decode(), page)


@pytest.mark.parametrize("old", [False, True], ids=["in the log", "archived"])
@pytest.mark.parametrize("who", [ONE, TWO], ids=["one", "two"])
async def test_an_export_has_the_customers_own_part(postgres_dsn: Dsns, tmp_path: Path, who: Handle, old: bool) -> None:
    """Whoever of the two has the interaction on his timeline, and wherever its events are."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=2) as store:
        if old:
            await archived(store, postgres_dsn, tmp_path / "archive")
        else:
            for row in ROWS:
                await store.append([row])
        is_his(who, *await exported(store, tmp_path, who))


@pytest.mark.parametrize("who", [ONE, TWO], ids=["one", "two"])
async def test_the_api_exports_the_same(postgres_dsn: Dsns, tmp_path: Path, who: Handle) -> None:
    """As the tenant's role, and out of the archive."""
    scopes = ("timeline:read", "personal:read", "customers:read", "customers:export")
    async with serving(postgres_dsn.service, settings(tmp_path), scopes=scopes) as served:
        await archived(served.store, postgres_dsn, tmp_path / "archive")
        (found,) = await served.store.customer_of("default", who.kind, who.value)
        is_his(who, *opened(await served_export(served, f"/v1/customers/{found['customer_id']}")))


@pytest.mark.parametrize("who", [ONE, TWO], ids=["one", "two"])
async def test_what_cannot_be_read_is_named(postgres_dsn: Dsns, tmp_path: Path, who: Handle) -> None:
    """Where a file of the archive is not what was written, the export says of which months, and has no more of the other."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=2) as store:
        await archived(store, postgres_dsn, tmp_path / "archive")
        for file in (tmp_path / "archive").rglob("*.parquet"):
            file.write_bytes(file.read_bytes()[:-1] + b"?")
        data, page = await exported(store, tmp_path, who)
    (part,) = data["parts"]
    assert len(part["unreadMonths"]) == 1 and part["unreadMonths"][0] in page
    assert [each["type"] for each in part["events"]] == [each.type for each, *_ in LATER if each.handle == who]
    assert nothing_of(TWO if who == ONE else ONE, orjson.dumps(data).decode(), page)


@pytest.mark.parametrize("who", [ONE, TWO], ids=["one", "two"])
async def test_a_request_is_in_the_export_of_whom_it_goes_to(postgres_dsn: Dsns, tmp_path: Path, who: Handle) -> None:
    """And not in that of another, though events of both name the message."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=2) as store:
        wanted = {"to": {"sms": ONE.value}, "content": {"text": WORDS[ONE.value]}}
        await store.accept([await Caller(store, "default", postgres_dsn.owner).message("m-two", **wanted)])
        for row in ROWS:
            await store.append([row])
        data, page = await exported(store, tmp_path, who)
    assert [each["messageId"] for each in data["messages"]] == (["m-two"] if who == ONE else [])
    assert nothing_of(TWO if who == ONE else ONE, orjson.dumps(data).decode(), page)
