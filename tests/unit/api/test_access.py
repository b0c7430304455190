"""API keys: what is good, what is refused, and for how long an answer is believed."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from app.http.access import (
    LOOK_UPS_BURST,
    TTL,
    UNKNOWN_TTL,
    Access,
    Forbidden,
    TooManyUnknown,
    Unauthenticated,
    bearer,
    fingerprint,
    mint,
    unknown_scopes,
)


class Rows:
    """Keys in memory that count how often they are asked for."""

    def __init__(self) -> None:
        self.rows: dict[UUID, dict[str, Any]] = {}
        self.asked = 0
        self.pause = 0.0
        self.error: Exception | None = None

    def add(self, *scopes: str, client: str = "default") -> tuple[UUID, str]:
        """A new key: its id and the header that carries it."""
        id, token, hash = mint()
        self.rows[id] = {
            "id": id,
            "name": "test",
            "client_id": client,
            "scopes": list(scopes),
            "hash": hash,
            "revoked_at": None,
            "expires_at": None,
        }
        return id, f"Bearer {token}"

    async def api_key(self, id: UUID) -> Mapping[str, Any] | None:
        """The row."""
        self.asked += 1
        await asyncio.sleep(self.pause)
        if self.error:
            raise self.error
        row = self.rows.get(id)
        return dict(row) if row else None


class Clock:
    """A clock that is moved by hand, in seconds."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def test_good_key_tells_its_client_and_scopes() -> None:
    """A key that was made opens what its scope names, for its client."""
    rows = Rows()
    id, header = rows.add("timeline:read", client="shop")
    key = await Access(rows).check(header, "timeline:read")
    assert (key.id, key.client, key.scopes) == (id, "shop", frozenset({"timeline:read"}))


async def test_key_without_the_scope_is_forbidden() -> None:
    """A good key of another scope is refused with the scope that it lacks."""
    rows = Rows()
    _, header = rows.add("webhooks:write")
    with pytest.raises(Forbidden, match="timeline:read"):
        await Access(rows).check(header, "timeline:read")


async def test_other_secret_of_a_known_id_is_refused() -> None:
    """The id alone opens nothing."""
    rows = Rows()
    id, _ = rows.add("timeline:read")
    with pytest.raises(Unauthenticated):
        await Access(rows).check(f"Bearer tl_{id.hex}_{'0' * 64}", "timeline:read")


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Basic dXNlcjpwYXNz",
        "Bearer tl_",
        "Bearer tl_xyz_abc",
        "Bearer " + "a" * 9000,
        "Bearer tl_\u0660" + "0" * 31 + "_" + "0" * 64,
        "tl_" + "0" * 32 + "_" + "0" * 64,
    ],
)
async def test_what_is_no_key_is_refused_without_a_look_at_the_store(header: str | None) -> None:
    """Garbage costs no query."""
    rows = Rows()
    with pytest.raises(Unauthenticated):
        await Access(rows).check(header, "timeline:read")
    assert rows.asked == 0


async def test_row_is_asked_for_once_within_its_time() -> None:
    """Requests of one key share one look-up for at most TTL seconds."""
    rows, clock = Rows(), Clock()
    _, header = rows.add("timeline:read")
    access = Access(rows, now=clock)
    for _ in range(5):
        await access.check(header, "timeline:read")
    assert rows.asked == 1
    clock.now += TTL
    await access.check(header, "timeline:read")
    assert rows.asked == 2


async def test_revoked_key_is_refused_within_a_minute() -> None:
    """A key that was used just before it was revoked stops working once its row is looked at again."""
    rows, clock = Rows(), Clock()
    id, header = rows.add("timeline:read")
    access = Access(rows, now=clock)
    await access.check(header, "timeline:read")
    rows.rows[id]["revoked_at"] = "now"
    clock.now += 60
    with pytest.raises(Unauthenticated):
        await access.check(header, "timeline:read")


async def test_unknown_key_is_looked_up_again_soon() -> None:
    """An id that was unknown costs no second query at once, and is known soon after it was made."""
    rows, clock = Rows(), Clock()
    id, header = rows.add("timeline:read")
    row = rows.rows.pop(id)
    access = Access(rows, now=clock)
    for _ in range(3):
        with pytest.raises(Unauthenticated):
            await access.check(header, "timeline:read")
    assert rows.asked == 1
    rows.rows[id] = row
    clock.now += UNKNOWN_TTL
    assert (await access.check(header, "timeline:read")).id == id


async def test_many_at_once_ask_once() -> None:
    """A hundred requests that find nothing remembered wait for one look-up, and one that gives up stops no other."""
    rows = Rows()
    rows.pause = 0.02
    _, header = rows.add("timeline:read")
    access = Access(rows)
    tasks = [asyncio.create_task(access.check(header, "timeline:read")) for _ in range(100)]
    await asyncio.sleep(0.005)
    tasks[0].cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    assert len({key.id for key in results[1:] if not isinstance(key, BaseException)}) == 1
    assert rows.asked == 1


async def test_store_that_is_away_is_not_remembered() -> None:
    """An error of the look-up reaches the caller, and the next request asks again."""
    rows = Rows()
    _, header = rows.add("timeline:read")
    rows.error = ConnectionError("away")
    access = Access(rows)
    with pytest.raises(ConnectionError):
        await access.check(header, "timeline:read")
    rows.error = None
    await access.check(header, "timeline:read")
    assert rows.asked == 2


async def test_rows_remembered_are_bounded() -> None:
    """Made-up ids cannot fill the memory."""
    rows = Rows()
    access = Access(rows, remembered=8)
    for _ in range(50):
        with pytest.raises(Unauthenticated):
            await access.check(f"Bearer {mint()[1]}", "timeline:read")
    assert access.remembered == 8


def test_hash_is_not_the_secret() -> None:
    """What is stored is the secret's SHA-256, from which no key can be made."""
    id, token, hash = mint()
    secret = token.rpartition("_")[2]
    assert token == f"tl_{id.hex}_{secret}"
    assert hash == fingerprint(secret)
    assert len(hash) == 32
    assert secret.encode() not in hash


def test_two_keys_share_nothing() -> None:
    """Every key has an id and a secret of its own."""
    assert len({part for _ in range(100) for part in mint()[1].split("_")[1:]}) == 200


def test_bearer_is_read_in_any_case() -> None:
    """The scheme's name has no case (RFC 9110 section 11.1)."""
    assert bearer("bEaReR  abc ") == "abc"


def test_unknown_scopes_are_named() -> None:
    """A misspelt scope is found before a key is made."""
    assert unknown_scopes(["timeline:read", "timeline:reed"]) == ["timeline:reed"]


async def test_a_key_that_expired_is_refused_with_its_time() -> None:
    """A key works until its time and no longer, also where its row is remembered."""
    rows = Rows()
    id, header = rows.add("timeline:read")
    rows.rows[id]["expires_at"] = datetime.now(UTC) + timedelta(milliseconds=200)
    access = Access(rows)
    assert (await access.check(header, "timeline:read")).id == id
    await asyncio.sleep(0.25)
    with pytest.raises(Unauthenticated, match="expired at 20"):
        await access.check(header, "timeline:read")
    assert rows.asked == 1


async def test_use_is_noted_once_for_many_requests() -> None:
    """Who asks often is noted with the last time; who is refused is not."""
    rows = Rows()
    id, header = rows.add("timeline:read")
    access = Access(rows)
    before = datetime.now(UTC)
    for _ in range(3):
        await access.check(header, "timeline:read")
    with pytest.raises(Forbidden):
        await access.check(header, "webhooks:write")
    (noted,) = access.take_used().items()
    assert noted[0] == id and before <= noted[1] <= datetime.now(UTC)
    assert access.take_used() == {}


async def test_made_up_keys_cost_few_queries_and_shut_nobody_out() -> None:
    """From one address so many unknown keys are looked up and no more; another address, and a key that was good, go on."""
    rows, clock = Rows(), Clock()
    _, good = rows.add("timeline:read")
    access = Access(rows, now=clock)
    await access.check(good, "timeline:read", address="10.0.0.1")
    refused = 0
    for _ in range(2 * LOOK_UPS_BURST):
        try:
            await access.check(f"Bearer {mint()[1]}", "timeline:read", address="10.0.0.1")
        except TooManyUnknown:
            refused += 1
        except Unauthenticated:
            pass
    assert refused == LOOK_UPS_BURST + 1
    assert rows.asked == LOOK_UPS_BURST
    clock.now += TTL + 1
    await access.check(good, "timeline:read", address="10.0.0.1")
    with pytest.raises(Unauthenticated):
        await access.check(f"Bearer {mint()[1]}", "timeline:read", address="10.0.0.2")
