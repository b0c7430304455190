"""An account: read from its JSON, kept encrypted, account_json without its secrets."""

from typing import Any

import pytest

from app.clients.accounts import LockedAccount, UnknownAccount, account_json, account_of, configured, opened, sealed
from app.clients.configured import implied, implied_document
from app.settings import Settings, Source
from schemas import SchemaError
from sql.sealing import Seal

SEAL = Seal([bytes(32)])
TWILIO: dict[str, Any] = {
    "adapter": "twilio",
    "settings": {"account_sid": "AC1", "auth_token": ["tokenfornow", "tokenbefore"], "sender": "+15550001111"},
}


def row(**changed: Any) -> dict[str, Any]:
    """As the store has the account `main` of the client `shop`."""
    account = account_of("main", TWILIO, trusted=False)
    kept = {"adapter": "twilio", "source": "main", "url": None, "trusted": False}
    return {"client_id": "shop", "name": "main", "sealed": sealed(account, "shop", SEAL)} | kept | changed


def test_an_account_is_read() -> None:
    """Values are tuples, several while a secret is being rotated; its source is by default its own name."""
    account = account_of("main", TWILIO | {"url": "https://hooks.example.com/x"}, trusted=True)
    assert account.adapter.name == "twilio"
    assert account.values == {
        "account_sid": ("AC1",),
        "auth_token": ("tokenfornow", "tokenbefore"),
        "sender": ("+15550001111",),
    }
    assert (account.name, account.source, account.url, account.trusted) == (
        "main",
        "main",
        "https://hooks.example.com/x",
        True,
    )
    assert account_of("main", TWILIO | {"source": "twilio"}, trusted=False).source == "twilio"
    assert "tokenfornow" not in repr(account) and "AC1" not in repr(account)


FAULTS: list[tuple[dict[str, Any], str, str]] = [
    ({}, "$.adapter", "is required"),
    ({"adapter": "twilio"}, "$.settings", "is required"),
    ({"adapter": "twillio", "settings": {}}, "$.adapter", "did you mean twilio?"),
    ({"adapter": "customerio", "settings": {}}, "$.adapter", "only receives"),
    ({"adapter": "twilio", "settings": {"auth_tokn": "SECRET"}}, "$.settings['auth_tokn']", "did you mean auth_token?"),
    ({"adapter": "twilio", "settings": {"auth_token": ""}}, "$.settings.auth_token", "must not be empty"),
    ({"adapter": "twilio", "settings": {"auth_token": 7}}, "$.settings.auth_token", "must be a string or a list"),
    ({"adapter": "twilio", "settings": {"auth_token": []}}, "$.settings.auth_token", "fewer than 1"),
    ({"adapter": "twilio", "settings": {"auth_token": "x" * 16385}}, "$.settings.auth_token", "more than 16384"),
    (TWILIO | {"url": "https://u:SECRET@x.example"}, "$.url", "user or a password"),
    (TWILIO | {"trusted": True}, "$.trusted", "is not known here"),
    (TWILIO | {"source": "a b"}, "$.source", "must look like"),
]


@pytest.mark.parametrize(("output", "path", "words"), FAULTS)
def test_a_fault_is_reported_with_its_path(output: dict[str, Any], path: str, words: str) -> None:
    """Where it is, what is wanted there, and never the value."""
    with pytest.raises(SchemaError) as raised:
        account_of("main", output, trusted=False)
    assert raised.value.path == path
    assert words in raised.value.message
    assert "SECRET" not in str(raised.value)


@pytest.mark.parametrize("name", ["", "a b", "../x", "a/b", "x" * 65, "\u0663"])
def test_a_name_is_plain(name: str) -> None:
    """It stands in paths and in what is sealed."""
    with pytest.raises(SchemaError):
        account_of(name, TWILIO, trusted=False)


def test_what_is_sealed_opens_as_it_was() -> None:
    """The same account comes back."""
    assert opened(row(), SEAL) == account_of("main", TWILIO, trusted=False)


@pytest.mark.parametrize("changed", [{"client_id": "other"}, {"name": "spare"}, {"sealed": b"x" * 60}])
def test_a_row_of_another_does_not_open(changed: dict[str, Any]) -> None:
    """A client cannot use what was sealed for another, however it came into its row."""
    with pytest.raises(LockedAccount, match="cannot be decrypted"):
        opened(row(**changed), SEAL)


def test_without_its_key_or_its_adapter_it_is_said_so() -> None:
    """In words for the operator."""
    with pytest.raises(LockedAccount, match=r"secrets\.keys"):
        opened(row(), Seal([]))
    with pytest.raises(UnknownAccount, match="pigeon"):
        opened(row(adapter="pigeon"), SEAL)


def test_secrets_are_shown_by_name_alone() -> None:
    """What the adapter does not say is open counts as secret, aliases too."""
    reported = account_json(opened(row(), SEAL))
    assert reported["settings"] == {"account_sid": ["AC1"], "sender": ["+15550001111"]}
    assert reported["secrets"] == ["auth_token"]
    source = Source.model_validate({"phone_number_id": "1", "access_token": "t", "someday": "x"})
    account = configured("whatsapp_cloud", source)
    assert account is not None
    assert account_json(account)["settings"] == {"phone_number_id": ["1"]}
    assert account_json(account)["secrets"] == ["access_token", "someday"]


def test_sources_make_a_client_without_more() -> None:
    """A route for each channel that one of them sends by: the first that is configured has it; other clients' and those
    that only receive count for nothing."""
    sources = {
        "customerio": Source(),
        "wa": Source(adapter="whatsapp_cloud"),
        "twilio": Source.model_validate({"auth_token": "t"}),
        "theirs": Source(adapter="smtp", client="other"),
        "gone": Source(adapter="pigeon"),
    }
    settings = Settings(sources=sources)
    client = implied("default", settings)
    assert client is not None
    assert [(one.channel, one.account) for one in client.routes] == [
        ("whatsapp", "wa"),
        ("sms", "twilio"),
        ("voice", "twilio"),
    ]
    assert client.version == 0
    assert implied("nobody", settings) is None and implied_document("nobody", settings) is None
    document = implied_document("other", settings)
    assert document == {"channels": [{"channel": "email", "account": "theirs"}]}


def test_a_source_that_cannot_send_does_not_take_a_channel() -> None:
    """The order of the file decides among the sources that have what sending needs; the others come last, by channel and in
    the order of preference."""
    sources = {
        "mailgun": Source.model_validate({"signing_key": "k"}),
        "mailjet": Source.model_validate({"api_key": "k", "secret_key": "s", "sender": "shop@example.com"}),
        "postmark": Source.model_validate({"server_token": "t", "sender": "shop@example.com"}),
        "twilio": Source.model_validate({"auth_token": "t"}),
        "telegram": Source.model_validate({"bot_token": "1:t"}),
    }
    client = implied("default", Settings(sources=sources))
    assert client is not None
    routes = [(one.channel, one.account) for one in client.routes]
    assert routes[:2] == [("email", "mailjet"), ("chat", "telegram")]
    assert ("sms", "twilio") in routes[2:]
