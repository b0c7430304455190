"""Accounts that clients set, as the door knows them: by client and name in the URL, by nothing else."""

from typing import Any

import pytest

from adapters import ADAPTERS
from app.clients.account_sources import AccountSource, webhook_path
from app.settings import Source
from tests.unit.webhooks.test_recognise import DOOR, twilio
from webhooks.recognise import AccountUnavailable, Sources, UnknownSource, named


class Known:
    """Accounts by name; one whose settings do not open."""

    def __init__(self, **accounts: AccountSource) -> None:
        self.accounts = {key.replace("__", "/"): value for key, value in accounts.items()}

    def find(self, name: str) -> Any:
        """As `webhooks.recognise.Accounts`."""
        if name == "shop/broken":
            raise AccountUnavailable("it does not open")
        found = self.accounts.get(name)
        return ("texts", ADAPTERS["twilio"], found) if found else None


def account(client: str, token: str) -> AccountSource:
    return AccountSource("twilio", client, None, {"auth_token": (token,)})


SOURCES = Sources(
    {
        "twilio": Source.model_validate({"auth_token": "operator"}),
        "shop/taken": Source.model_validate({"adapter": "twilio", "auth_token": "operator"}),
    },
    Known(
        shop__twilio=account("shop", "shop's"),
        rival__twilio=account("rival", "rival's"),
        shop__taken=account("shop", "x"),
    ),
)


def posted(token: str, path: str) -> Any:
    url = f"{DOOR}{path}"
    return SOURCES.recognise(twilio(token, url, url))


def test_an_accounts_webhook_is_its_clients() -> None:
    """The door knows it by client and account, its events by the source that its sends name."""
    verdict = posted("shop's", "/shop/twilio")
    assert (verdict.authentic, verdict.client, verdict.source, verdict.events_source) == (
        True,
        "shop",
        "shop/twilio",
        "texts",
    )
    assert verdict.request.source == "texts"


@pytest.mark.parametrize(
    ("token", "path"),
    [("rival's", "/shop/twilio"), ("operator", "/shop/twilio"), ("shop's", "/rival/twilio"), ("shop's", "/twilio")],
)
def test_nobody_elses_secret_is_good_for_it(token: str, path: str) -> None:
    """Another client's, nor the operator's; nor is its own good elsewhere."""
    assert posted(token, path).authentic is False


def test_no_account_is_tried_where_none_is_named() -> None:
    """There may be any number of them."""
    assert posted("shop's", "").authentic is False


def test_a_configured_source_of_the_name_comes_first() -> None:
    """No client takes the operator's place."""
    assert posted("operator", "/shop/taken").client == "default"
    assert posted("x", "/shop/taken").authentic is False


def test_one_that_does_not_open_is_nobody_elses_trouble() -> None:
    """It says so; the next is served."""
    with pytest.raises(AccountUnavailable):
        posted("shop's", "/shop/broken")
    with pytest.raises(UnknownSource):
        posted("shop's", "/shop/none")
    assert posted("shop's", "/shop/twilio").authentic


@pytest.mark.parametrize(
    ("client", "name"), [("shop", "twilio"), ("shop & co %2F", "a.b-c"), ("käufer?#", "x"), ("..", "x")]
)
def test_the_path_names_client_and_account(client: str, name: str) -> None:
    """Whatever is in a client's id."""
    assert named(f"https://hooks.example.com{webhook_path(client, name)}?a=1") == f"{client}/{name}"
