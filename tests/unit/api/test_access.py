"""API keys: what is good, what is refused, and for how long an answer is believed."""

import asyncio
import string
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from ipaddress import ip_network
from itertools import count
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.http.access import (
    LOOK_UPS_BURST,
    TTL,
    UNKNOWN_TTL,
    Access,
    Forbidden,
    NotAllowed,
    TooManyUnknown,
    Unauthenticated,
    bearer,
)
from app.http.scopes import ROLES, SCOPES, unknown_scopes
from app.http.tokens import fault_of, fingerprint, id_of, mint


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
            "roles": [],
            "networks": [],
            "makers": [],
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
    """The row that another id leads to opens nothing: the hash decides."""
    rows = Rows()
    id, _ = rows.add("timeline:read")
    other, token, _ = mint()
    rows.rows[other] = rows.rows[id]
    with pytest.raises(Unauthenticated):
        await Access(rows).check(f"Bearer {token}", "timeline:read")


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
        "Bearer tl_live_\u0660" + "0" * 48,
        "Bearer tl_live_" + "0" * 49,
        "Bearer tl_" + "0" * 32 + "_" + "0" * 64,
        "Bearer " + mint()[1][:-1],
        "Bearer " + mint()[1].swapcase(),
        "Bearer " + mint("test")[1],
        mint()[1],
    ],
    ids=count(),
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
    """What is stored are SHA-256 of the key, from which no key can be made; the id is no part of the hash."""
    id, token, hash = mint()
    assert id == id_of(token) and hash == fingerprint(token) == sha256(token.encode()).digest()
    assert id.bytes not in hash and token.encode() not in hash


def test_two_keys_share_nothing() -> None:
    """Every key has an id and a secret of its own."""
    made = [mint() for _ in range(100)]
    assert len({id for id, _, _ in made} | {token for _, token, _ in made} | {hash for _, _, hash in made}) == 300


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


async def test_addresses_of_one_site_count_as_one() -> None:
    """Of a network of version 6 that a site has (a /64), however many of its addresses it uses; the next network goes on."""
    rows = Rows()
    access = Access(rows, now=Clock())
    for number in range(LOOK_UPS_BURST):
        with pytest.raises(Unauthenticated):
            await access.check(f"Bearer {mint()[1]}", None, address=f"2001:db8::{number:x}")
    with pytest.raises(TooManyUnknown):
        await access.check(f"Bearer {mint()[1]}", None, address="2001:db8::ffff:1")
    with pytest.raises(Unauthenticated):
        await access.check(f"Bearer {mint()[1]}", None, address="2001:db8:0:1::1")


@given(st.integers(0, 56), st.sampled_from(string.ascii_letters + string.digits + "_"))
def test_one_wrong_character_of_a_key_is_refused_by_its_form(place: int, other: str) -> None:
    """Whichever it is: a checksum of 32 bits finds every error of one character."""
    token = mint()[1]
    wrong = token[:place] + other + token[place + 1 :]
    assert (fault_of(wrong, "live") is None) == (wrong == token)


def test_a_key_of_the_other_kind_or_of_the_former_form_is_refused_with_the_reason() -> None:
    """The holder learns what to do."""
    assert "test key" in (fault_of(mint("test")[1], "live") or "")
    assert "threadline keys create" in (fault_of(f"tl_{'0' * 32}_{'a' * 64}") or "")


@pytest.mark.parametrize(
    ("address", "passes"),
    [
        ("10.1.2.3", True),
        ("::ffff:10.1.2.3", True),
        ("2001:db8::7", True),
        ("11.1.2.3", False),
        ("2001:db9::7", False),
        ("", False),
        ("a socket", False),
    ],
)
async def test_a_key_with_networks_is_good_from_these_only(address: str, passes: bool) -> None:
    """An address of version 4 counts also where it is written as one of version 6; no address is in no network."""
    rows = Rows()
    id, header = rows.add("timeline:read")
    rows.rows[id]["networks"] = [ip_network("10.0.0.0/8"), ip_network("2001:db8::/32")]
    access = Access(rows)
    if passes:
        assert (await access.check(header, "timeline:read", address=address)).id == id
    else:
        with pytest.raises(NotAllowed):
            await access.check(header, "timeline:read", address=address)
        assert access.take_used() == {}


async def test_a_role_grants_its_scopes_and_no_other() -> None:
    """Beside the scopes that the key has itself; a role that does not exist grants nothing."""
    rows = Rows()
    id, header = rows.add("metrics:read")
    rows.rows[id]["roles"] = ["clerk", "of old"]
    key = await Access(rows).check(header, "messages:write")
    assert key.scopes == ROLES["clerk"].scopes | {"metrics:read"}
    with pytest.raises(Forbidden, match="clients:write"):
        await Access(rows).check(header, "clients:write")


def test_roles_hold_scopes_that_exist_and_no_role_sees_other_clients() -> None:
    """An administrator has all scopes of a client; the dead letters of all clients need the scope by itself."""
    assert all(role.scopes <= SCOPES.keys() for role in ROLES.values())
    assert ROLES["administrator"].scopes == SCOPES.keys() - {"dead-letters:all"}
    assert all("dead-letters:all" not in role.scopes for role in ROLES.values())
    assert "timeline:read" not in ROLES["operator"].scopes
