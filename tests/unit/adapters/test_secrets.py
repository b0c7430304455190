"""A key without anything in it verifies nothing: every adapter, every setting, every fixture, and each odd signature."""

import ast
import hmac
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest

import adapters
from adapters import ADAPTERS, PROVIDERS
from adapters.checked import faults
from adapters.contract import InvalidSignature, Request
from adapters.signing.keys import ed25519_key
from adapters.signing.signatures import keyed, same
from tests.fixtures import accounts, fixtures
from tests.unit.adapters.test_adapters import request_of, unsigned

#: What an operator may leave where a key should be.
EMPTY = ("", " ", "\t\n", "not base64!!", "whsec_", "whpk_", ":", "user:", "X-Key:", "====")
WRONG_KEYS = (
    *(
        "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----",
        "-----BEGIN CERTIFICATE-----\nAAAA",
        "{}",
        '{"keys": []}',
    ),
    "A" * 43 + "=",
)
#: Signatures that an empty key would make, or none at all.
FORGED = (
    *(
        "",
        " ",
        ":",
        "=",
        "v1,",
        "v1a,",
        "sha256=",
        "Basic Og==",
        "application x:",
        "application :",
        "Bearer ",
        "\x00",
        "é",
    ),
    hmac.digest(b"", b"", "sha256").hex(),
    b64encode(hmac.digest(b"", b"", "sha256")).decode(),
)


def forged(provider: str, file: Path, output: str) -> Iterator[Request]:
    """The fixture without its signature, and with each forged one where the signature stands."""
    yield unsigned(provider, file)
    places = [place.partition(":") for place in accounts(provider, file.stem).signature]
    if any(kind != "header" for kind, _, _ in places):
        return
    for value in FORGED:
        if value.strip() != output.strip():  # a token of one mark is none that anyone would set, and yet not empty
            request = request_of(provider, file)
            request.headers = {**request.headers, **{name.lower(): value for _, _, name in places}}
            yield request


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_key_that_is_none_never_verifies(provider: str) -> None:
    """Whatever stands in a secret's place, nothing unsigned or wrongly signed is authentic, also one by one."""
    adapter = ADAPTERS[provider]
    keys = [one.name for one in adapter.settings if one.secret or one.name in ("public_key", "certificate")]
    seen: set[tuple[str, ...]] = set()
    for file in fixtures(provider):
        account = accounts(provider, file.stem)
        if (kind := tuple(sorted(account.settings))) in seen:
            continue
        seen.add(kind)
        for output in (*EMPTY, *WRONG_KEYS):
            everywhere = account.values | {name: (output,) for name in keys if name in account.settings}
            single = [account.values | {name: (output,)} for name in keys if name in account.settings]
            alone: list[dict[str, tuple[str, ...]]] = [{name: (output,)} for name in keys]
            for values in (everywhere, *single, *alone):
                for request in forged(provider, file, output):
                    try:
                        authentic = adapter.verify(request, values, fresh=False)
                    except InvalidSignature:
                        continue
                    assert authentic is not True, (file.name, output, values.keys(), request.headers)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_what_cannot_be_used_is_refused_as_it_is_read(provider: str) -> None:
    """An empty secret, and text where a key or a number should be: by name, without a word of the value."""
    adapter = ADAPTERS[provider]
    for setting in adapter.settings:
        if setting.secret or setting.reads:
            assert [name for name, _ in faults(adapter, {setting.name: ("",)})] == [setting.name]
            assert [name for name, _ in faults(adapter, {setting.name: (" \t",)})] == [setting.name]
        if setting.name in ("public_key", "application_secret", "max_age", "basic_auth", "certificate", "auth_key"):
            (found,) = faults(adapter, {setting.name: ("no!key,kept-from-words",)})
            assert found[0] == setting.name and "kept-from-words" not in found[1]
    assert not list(faults(adapter, accounts(provider).values))
    ((name, words),) = faults(adapter, {"secert": ("kept-from-words",)})
    assert name == "secert" and provider in words and "kept-from-words" not in words


def test_an_account_of_each_fixture_is_accepted() -> None:
    """What verifies is never taken for a fault."""
    for provider in PROVIDERS:
        for file in fixtures(provider):
            assert not list(faults(ADAPTERS[provider], accounts(provider, file.stem).values)), file


def test_nothing_is_the_same_as_nothing() -> None:
    """Two empty values are equal, and prove nothing; with an empty key anyone can sign."""
    assert same(b"a", b"a") and not same(b"a", b"b")
    assert not same(b"", b"") and not same(b"", b"a") and not same(b"a", b"")
    with pytest.raises(InvalidSignature):
        keyed(b"", "sha256", b"message")
    assert keyed(b"k", "sha256", b"message") == hmac.digest(b"k", b"message", "sha256")


def test_a_point_of_small_order_is_no_key() -> None:
    """With the identity as the key, R = identity and S = 0 is a signature of any message that the library takes."""
    identity = (1).to_bytes(32, "little")
    for raw in (bytes(32), identity, identity[:-1] + b"\x80", (2**255 - 20).to_bytes(32, "little")):
        with pytest.raises(InvalidSignature):
            ed25519_key(b64encode(raw).decode())
    assert ed25519_key("whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=")  # RFC 8032 section 7.1, test 1


def test_secrets_are_compared_in_one_place() -> None:
    """No adapter compares or makes an HMAC itself, but those that sign what they send; simulated providers sign."""
    sending = {"signing/signatures.py", "signing/sigv4.py", "webpush/encryption.py"}
    folder = Path(adapters.__file__).parent
    for file in sorted(folder.rglob("*.py")):
        if str(file.relative_to(folder)) in sending or file.name == "simulator.py":
            continue
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            names = [each.name for each in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
            module = node.module if isinstance(node, ast.ImportFrom) else None
            assert "hmac" not in (module, *names) and "compare_digest" not in names, file
