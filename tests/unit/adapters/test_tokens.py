"""Tokens, held to a general library: what it makes is read, and whatever is changed is not."""

from base64 import urlsafe_b64encode
from typing import Any

import jwt
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.signing.tokens import claims_of

SECRET = "a secret of more than sixty-four bytes, as the longest of the digests wants it to be"
CLAIMS: dict[str, Any] = {"iss": "Provider", "iat": 1772443800, "größe": "ü"}
ALL = ("HS256", "HS384", "HS512")


@pytest.mark.parametrize("algorithm", ALL)
def test_a_librarys_token_is_read(algorithm: str) -> None:
    """Under each digest, where it is one of those asked for."""
    token = jwt.encode(CLAIMS, SECRET, algorithm=algorithm)
    assert claims_of(token, SECRET, ALL) == CLAIMS
    assert claims_of(token, f"{SECRET}x", ALL) is None
    assert claims_of(token, SECRET, [name for name in ALL if name != algorithm]) is None


@given(st.integers(0, 400), st.sampled_from("Ab0-_.=+é \n"))
def test_a_token_with_any_character_changed_is_none(at: int, character: str) -> None:
    """In head, claims or signature, and with anything after it."""
    token = jwt.encode(CLAIMS, SECRET, algorithm="HS256")
    at = min(at, len(token))
    changed = token[:at] + character + token[at + 1 :]
    assert claims_of(changed, SECRET, ALL) == (CLAIMS if changed == token else None)


def part(value: Any) -> str:
    return urlsafe_b64encode(orjson.dumps(value)).decode().rstrip("=")


@pytest.mark.parametrize(
    "token",
    [
        "",
        "..",
        "a.b",
        f"{part({'alg': 'none'})}.{part(CLAIMS)}.",
        f"{part({'alg': ['HS256']})}.{part(CLAIMS)}.x",
        f"{part([])}.{part(CLAIMS)}.x",
        f"{part('[' * 2000)}.{part(CLAIMS)}.x",
        jwt.encode(CLAIMS, SECRET, algorithm="HS256", headers={"crit": ["exp"]}),
        jwt.encode(CLAIMS | {"long": "x" * 9000}, SECRET, algorithm="HS256"),
        jwt.api_jws.encode(b"[]", SECRET, algorithm="HS256"),
        jwt.api_jws.encode(b"{", SECRET, algorithm="HS256"),
    ],
)
def test_what_is_no_token_is_none(token: str) -> None:
    """Not signed, not an object, endless, or with a demand that nobody here knows."""
    assert claims_of(token, SECRET, ALL) is None
