"""Where signing is an option that an account may have off, a secret in the URL or basic authentication stands in for it."""

from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from adapters import ADAPTERS, PROVIDERS
from adapters.contract import InvalidSignature, Request
from adapters.signing.optional import WORDS
from tests.fixtures import accounts, fixtures
from tests.unit.adapters.test_adapters import request_of, unsigned

OPTIONAL = [name for name in PROVIDERS if WORDS in ADAPTERS[name].signature]
CASES = [pytest.param(name, file, id=f"{name}/{file.stem}") for name in OPTIONAL for file in fixtures(name)]
each = pytest.mark.parametrize(("provider", "file"), CASES)
KEY, USER = "a-secret-of-the-url", "hooks:a-password"


def with_key(request: Request, key: str = KEY) -> Request:
    return replace(request, url=f"{request.url}{'&' if '?' in request.url else '?'}key={key}")


def with_user(request: Request, user: str = USER) -> Request:
    return replace(request, headers={**request.headers, "authorization": f"Basic {b64encode(user.encode()).decode()}"})


WAYS: dict[str, tuple[str, Callable[..., Request], str]] = {
    "url_secret": (KEY, with_key, "another-secret"),
    "basic_auth": (USER, with_user, "hooks:another"),
}


def test_these_providers_sign_only_where_the_account_is_set_to() -> None:
    """The list follows the providers' pages; each offers the settings of an unsigned provider."""
    assert OPTIONAL == ["vonage", "plivo", "turn_whatsapp", "messagebird", "seven", "telegram"]
    for name in OPTIONAL:
        assert {"url_secret", "basic_auth"} <= {setting.name for setting in ADAPTERS[name].settings}


@each
@pytest.mark.parametrize("way", WAYS)
def test_an_unsigned_request_is_known_by_the_callers_secret(way: str, provider: str, file: Path) -> None:
    """With the secret it is accepted, whether or not the source has a signing secret too; with another it is refused."""
    value, put, wrong = WAYS[way]
    account, verify = accounts(provider, file.stem), ADAPTERS[provider].verify
    bare = unsigned(provider, file)
    assert verify(put(bare), {way: (value,)}) is True
    assert verify(put(bare), {**account.values, way: (value,)}) is True
    for values in ({way: (value,)}, {**account.values, way: (value,)}):
        for request in (bare, put(bare, wrong)):
            with pytest.raises(InvalidSignature):
                verify(request, values)


@each
def test_the_callers_secret_does_not_excuse_a_wrong_signature(provider: str, file: Path) -> None:
    """A signature that is there is checked, and without the setting an unsigned request is refused as before."""
    account, adapter = accounts(provider, file.stem), ADAPTERS[provider]
    wrong = {setting.name for setting in adapter.settings if setting.secret} & set(account.settings)
    values = account.values | {name: ("a wrong secret",) for name in wrong} | {"url_secret": (KEY,)}
    with pytest.raises(InvalidSignature):
        adapter.verify(with_key(request_of(provider, file)), values)
    with pytest.raises(InvalidSignature):
        adapter.verify(unsigned(provider, file), account.values)


@each
def test_a_request_without_a_signature_needs_no_single_use_token(provider: str, file: Path) -> None:
    """The token of a signature that is absent would be one for all requests, of which all but the first would be refused."""
    once = ADAPTERS[provider].once
    assert once is None or once(with_key(unsigned(provider, file))) is None
