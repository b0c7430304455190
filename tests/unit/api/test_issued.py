"""Tokens of an issuer: which are good, which are refused, and how long its keys are believed. The issuer is a real HTTP server."""

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from itertools import count
from typing import Any

import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import ValidationError

from app.http.access import Access, Forbidden, NotAllowed, Unauthenticated
from app.http.issued import MOST, Invalid, Issuers, Tokens
from app.http.jwks import BETWEEN, FRESH, STALE, IssuerAway, Jwks
from app.http.scopes import ROLES
from app.settings.identity import Identity
from tests.support.issuer import EC_KEY, OTHER_KEY, RSA_KEY, SHORT_KEY, Issuer, rsa_jwk, running
from tests.unit.api.test_access import Clock, Rows


@pytest_asyncio.fixture
async def issuer() -> AsyncIterator[Issuer]:
    """An issuer that is up."""
    async with running() as made:
        yield made


async def test_a_token_is_a_credential_like_a_key(issuer: Issuer) -> None:
    """For the client that it names, with the scopes and roles of ours that it has; words of others grant nothing."""
    access = Access(Rows(), tokens=Tokens(issuer.identity(roles_claim="realm_access.roles")))
    token = issuer.token(realm_access={"roles": ["clerk", "boss"]}, scope="openid metrics:read")
    key = await access.check(f"Bearer {token}", "messages:write")
    assert (key.client, key.actor) == ("shop", "token:ana")
    assert key.scopes == ROLES["clerk"].scopes | {"metrics:read"}
    with pytest.raises(Forbidden, match="clients:write"):
        await access.check(f"Bearer {token}", "clients:write")
    again = await access.check(f"Bearer {issuer.token(EC_KEY, 'e', 'ES256')}", "timeline:read")
    assert again.id == key.id and access.take_used() == {}


@pytest.mark.parametrize("client", [None, "", "*", 7, [], ["*"], [7, "a/b"], {"shop": 1}, " shop", "a\x00b"])
async def test_a_token_without_a_client_sees_nothing(issuer: Issuer, client: Any) -> None:
    """Also where it asks for all clients, or names one in no way that counts."""
    access = Access(Rows(), tokens=Tokens(issuer.identity()))
    with pytest.raises(NotAllowed, match="no client"):
        await access.check(f"Bearer {issuer.token(threadline_client=client)}", "timeline:read")


async def test_a_token_of_several_clients_acts_for_the_one_that_is_named(issuer: Issuer) -> None:
    """It has none before; what is no client's id is left out of its list."""
    access = Access(Rows(), tokens=Tokens(issuer.identity()))
    key = await access.check(f"Bearer {issuer.token(threadline_client=['shop', 'bank', '*', 'shop'])}", None)
    assert (key.client, key.clients, key.several) == ("", ("bank", "shop"), True)
    key = await access.check(f"Bearer {issuer.token(threadline_client=['shop', '*'])}", None)
    assert (key.client, key.clients, key.several) == ("shop", (), False)


async def test_roles_are_mapped_by_the_settings(issuer: Issuer) -> None:
    """Words of the claim that the table has grant its roles; others, also those with the name of a role, nothing."""
    tokens = Tokens(issuer.identity(roles={"7f3a": ["clerk"], "both": ["operator", "developer"]}))
    said = await tokens.check(issuer.token(roles=["7f3a", "administrator", "x"], scope=None))
    assert said.scopes == ROLES["clerk"].scopes
    said = await tokens.check(issuer.token(roles=["both"], scope=None))
    assert said.scopes == ROLES["operator"].scopes | ROLES["developer"].scopes


async def test_each_issuer_has_its_own_keys_audience_and_claims(issuer: Issuer) -> None:
    """`iss` says by which a token is verified: one that another issuer signed, that states it falsely, or is for the other's audience
    is refused. Both may have a subject of the same name; they are two persons."""
    async with running() as other:
        other.keys = [rsa_jwk(OTHER_KEY, "a")]
        both = Issuers(
            {
                "one": issuer.identity(),
                "two": Identity(issuer=other.url, audience=["second"], client_claim="tenant"),
            }
        )
        access = Access(Rows(), tokens=both)
        first = await access.check(f"Bearer {issuer.token()}", None)
        second = await access.check(f"Bearer {other.token(OTHER_KEY, aud='second', tenant='bank')}", None)
        assert (first.client, second.client) == ("shop", "bank")
        assert (first.actor, second.actor) == ("token:one/ana", "token:two/ana") and first.id != second.id
        assert (issuer.fetches, other.fetches) == (1, 1)
        wrong = [
            other.token(RSA_KEY, aud="second", tenant="bank"),
            issuer.token(OTHER_KEY),
            issuer.token(iss=other.url),
            other.token(OTHER_KEY, tenant="bank"),
            issuer.token(aud="second"),
            issuer.token(iss="https://third.example"),
            issuer.token(iss=None),
            "a.b.c",
            "x" * (MOST + 1),
        ]
        for token in wrong:
            with pytest.raises(Invalid):
                await both.check(token)
        issuer.status = 500  # one that is away does not keep out the other's
        assert (
            await Issuers({"two": other.identity()})
            .of(other.token())
            .verified(other.token(OTHER_KEY, aud="second"), ["second"])
        )["sub"] == "ana"


@pytest.mark.parametrize("place", [0, 1])
async def test_json_that_is_nested_deeply_is_refused(issuer: Issuer, place: int) -> None:
    """As the header, and as the claims: what reads it gives up, and that is the token's fault."""
    parts = issuer.token().split(".")
    parts[place] = base64.urlsafe_b64encode(b'{"a":' + b"[" * 4000).rstrip(b"=").decode()
    for check in (Tokens(issuer.identity()).check, Issuers({"": issuer.identity()}).check):
        with pytest.raises(Invalid):
            await check(".".join(parts))


async def test_without_an_issuer_no_token_is_accepted(issuer: Issuer) -> None:
    """Only API keys are; and with one, keys still are."""
    with pytest.raises(Unauthenticated):
        await Access(Rows()).check(f"Bearer {issuer.token()}", "timeline:read")
    rows = Rows()
    id, header = rows.add("timeline:read")
    assert (await Access(rows, tokens=Tokens(issuer.identity())).check(header, "timeline:read")).id == id
    assert issuer.fetches == 0


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": "another"},
        {"aud": None},
        {"iss": "https://other.example"},
        {"iss": None},
        {"exp": 1},
        {"exp": None},
        {"sub": None},
        {"sub": ""},
        {"sub": "ana\x00"},
        {"nbf": 99_999_999_999},
        {"kid": None},
        {"kid": "unknown"},
        {"key": OTHER_KEY},
        {"alg": "RS512"},
        {"alg": "PS256"},
        {"headers": {"jku": "https://evil.example/keys"}},
        {"headers": {"jwk": {"kty": "RSA"}}},
        {"headers": {"x5u": "https://evil.example/cert"}},
        {"headers": {"crit": ["exp"]}},
        {"more": "x" * MOST},
    ],
    ids=count(),
)
async def test_a_token_that_is_wrong_in_one_thing_is_refused(issuer: Issuer, changed: dict[str, Any]) -> None:
    """Wrong audience, issuer, time, key, algorithm, a header that brings a key, or too large."""
    with pytest.raises(Invalid):
        await Tokens(issuer.identity()).check(issuer.token(**changed))


async def test_a_token_that_nobody_signed_is_refused(issuer: Issuer) -> None:
    """With the algorithm none, and by HMAC with the public key as the secret: both are what a library might accept that lets the
    token choose. Neither does what is no token."""
    tokens = Tokens(issuer.identity())
    public = RSA_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    good = issuer.token().split(".")
    for alg in ("none", "None", "HS256"):
        header = base64.urlsafe_b64encode(json.dumps({"alg": alg, "kid": "a"}).encode()).rstrip(b"=").decode()
        signed = f"{header}.{good[1]}"
        mac = hmac.new(public, signed.encode(), hashlib.sha256).digest()
        for signature in ("", good[2], base64.urlsafe_b64encode(mac).rstrip(b"=").decode()):
            with pytest.raises(Invalid):
                await tokens.check(f"{signed}.{signature}")
    for garbage in ("", "a", "a.b.c", ".." * 100, good[0], "\u0660.a.b"):
        with pytest.raises(Invalid):
            await tokens.check(garbage)
    assert (await tokens.check(".".join(good))).subject == "ana"


async def test_keys_that_must_not_verify_do_not(issuer: Issuer) -> None:
    """Two keys of one id, a key for encryption, a short one, and a secret: tokens signed by them are refused, others are not."""
    issuer.keys += [rsa_jwk(OTHER_KEY, "twice"), rsa_jwk(RSA_KEY, "twice"), rsa_jwk(OTHER_KEY, "enc", use="enc")]
    secret = base64.urlsafe_b64encode(b"s" * 32).rstrip(b"=").decode()
    issuer.keys += [
        rsa_jwk(SHORT_KEY, "short"),
        {"kty": "oct", "k": secret, "kid": "oct", "alg": "HS256"},
        {"kid": "x"},
    ]
    tokens = Tokens(issuer.identity())
    wrong = [issuer.token(RSA_KEY, "twice"), issuer.token(OTHER_KEY, "twice"), issuer.token(OTHER_KEY, "enc")]
    wrong.append(issuer.token(b"s" * 32, "oct", "HS256"))
    for token in wrong:
        with pytest.raises(Invalid):
            await tokens.check(token)
    assert (await tokens.check(issuer.token())).subject == "ana"
    assert await Jwks(issuer.url).key("short") is None


async def test_rotated_keys_are_found_and_made_up_ids_cost_one_fetch(issuer: Issuer) -> None:
    """A new id is fetched at once, and then none for half a minute, whatever ids are made up; after 15 minutes a key that the issuer
    took away is gone."""
    clock = Clock()
    keys = Jwks(issuer.url, now=clock)
    assert await keys.key("a") is not None and issuer.fetches == 1
    issuer.keys = [rsa_jwk(OTHER_KEY, "b")]
    clock.now += BETWEEN
    assert await keys.key("b") is not None and issuer.fetches == 2
    for number in range(20):
        assert await keys.key(f"made up {number}") is None
    assert issuer.fetches == 2
    issuer.keys = []
    clock.now += FRESH - 1
    assert await keys.key("b") is not None and issuer.fetches == 2
    clock.now += 1
    assert await keys.key("b") is None and issuer.fetches == 3


async def test_while_the_issuer_is_away_its_keys_count_for_a_day(issuer: Issuer) -> None:
    """It is asked every half minute; after a day, and where no key was ever fetched, tokens cannot be verified."""
    clock = Clock()
    keys = Jwks(issuer.url, now=clock)
    assert await keys.key("a") is not None
    issuer.status = 500
    clock.now += STALE
    assert await keys.key("a") is not None and issuer.fetches == 2
    clock.now += 1
    with pytest.raises(IssuerAway):
        await keys.key("a")
    assert issuer.fetches == 2
    with pytest.raises(IssuerAway):
        await Jwks(issuer.url).key("a")
    clock.now += BETWEEN
    issuer.status = 200
    assert await keys.key("a") is not None


async def test_another_issuers_description_is_not_believed(issuer: Issuer) -> None:
    """Its keys would then verify tokens of this one."""
    issuer.states = "https://other.example"
    with pytest.raises(IssuerAway):
        await Jwks(issuer.url).key("a")
    assert issuer.fetches == 0
    assert await Jwks(issuer.url, f"{issuer.url}/keys").key("a") is not None


async def test_a_stronger_login_may_be_demanded(issuer: Issuer) -> None:
    """One of the values of acr, all of amr."""
    tokens = Tokens(issuer.identity(acr=["silver", "gold"], amr=["mfa", "pwd"]))
    good: dict[str, Any] = {"acr": "gold", "amr": ["pwd", "mfa", "hwk"]}
    assert (await tokens.check(issuer.token(**good))).client == "shop"
    for wrong in ({"acr": "bronze"}, {"acr": None}, {"acr": ["gold"]}, {"amr": ["pwd"]}, {"amr": None}):
        with pytest.raises(Invalid, match="stronger login"):
            await tokens.check(issuer.token(**(good | wrong)))


@pytest.mark.parametrize(
    "wrong",
    [
        {"issuer": "https://id.example"},
        {"issuer": "http://id.example", "audience": ["threadline"]},
        {"issuer": "id.example", "audience": ["threadline"]},
        {"issuer": "https://id.example", "audience": ["threadline"], "jwks_url": "http://id.example/keys"},
        {"roles_claim": "a..b"},
        {"roles": {"group": ["boss"]}},
        {"issuer": "https://id.example", "audience": ["threadline", "web"], "login_client_id": "web"},
        {"issuer": "https://id.example", "audience": ["cli"], "cli_client_id": "cli"},
        {"login_client_id": "web", "login_scopes": ["profile"]},
    ],
)
def test_settings_that_are_not_safe_are_refused(wrong: dict[str, Any]) -> None:
    """An issuer without an audience, URLs that anybody on the way could answer, roles that there are not, and ID tokens that would pass
    for tokens for the API."""
    with pytest.raises(ValidationError):
        Identity(**wrong)
