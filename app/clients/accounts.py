"""A client's accounts at providers: reads them from JSON (`schemas/account.json`), encrypts, decrypts and shows them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from adapters import ADAPTERS
from adapters.checked import faults, public_names
from adapters.contract import Adapter, Send, Values, WrongSetting
from app.sending.configuration import hint, must_be_public
from app.settings import Source
from schemas import SchemaError
from schemas.documents import check
from schemas.faults import Faults
from sql.sealing import NoKey, Seal, Tampered

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)


class UnknownAccount(Exception):
    """The client has no such account, or it cannot be used: the message says why."""


class LockedAccount(UnknownAccount):
    """The account's settings cannot be decrypted, which the operator can correct."""


@dataclass(frozen=True, slots=True)
class Account:
    """An account at a provider. `source`: the name under which its webhooks come and its messages' ids are known (several
    sources may be one account); `url`: where its webhooks are posted; `trusted`: the operator set it, so it may be at a
    private address."""

    name: str
    adapter: Adapter
    values: Values = field(repr=False)
    source: str
    url: str | None
    trusted: bool

    @property
    def send(self) -> Send:
        """How its adapter sends. Raises WrongSetting if the adapter only receives."""
        if self.adapter.send is None:
            raise WrongSetting(f"{self.adapter.name} does not send, it only receives")
        return self.adapter.send


def account_of(name: str, document: Mapping[str, Any], *, trusted: bool) -> Account:
    """Return the account that a document describes. Raises SchemaError with all errors and their paths."""
    if not _NAME.fullmatch(name):
        raise SchemaError("$", f"an account's name must look like {_NAME.pattern}")
    found = Faults()
    with found:
        check("account", document)
    values = _values(document)
    document = found.sound(document)
    with found:
        if "adapter" in document:
            adapter = _sending(document["adapter"])
            for key, fault in faults(adapter, values):
                found.add(f"$.settings['{key}']", fault)
    with found:
        if (url := document.get("url")) is not None:
            must_be_public(url, "$.url")
    found.refuse()
    return Account(name, adapter, values, document.get("source", name), url, trusted)


def _values(document: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Return the settings of a document that need not fit its schema: those whose values do."""
    settings = document.get("settings") if isinstance(document, Mapping) else None
    given = {} if not isinstance(settings, Mapping) else settings
    listed = {key: value if isinstance(value, list) else [value] for key, value in given.items()}
    return {
        key: tuple(each) for key, each in listed.items() if each and all(isinstance(one, str) and one for one in each)
    }


def _sending(name: str) -> Adapter:
    """Return the adapter of that name, which sends. Raises SchemaError."""
    adapter = ADAPTERS.get(name)
    if adapter is None or adapter.send is None:
        senders = {one.name: one for one in ADAPTERS.values() if one.send is not None}
        wrong = "is no adapter" if adapter is None else "does not send, it only receives"
        raise SchemaError("$.adapter", wrong + hint(name, senders))
    return adapter


def configured(name: str, source: Source) -> Account | None:
    """Return the account of a source in the settings, or None where its adapter does not send."""
    adapter = ADAPTERS.get(source.adapter or name)
    if adapter is None or adapter.send is None:
        return None
    return Account(name, adapter, source.values, source.provider(name), source.url, True)


def sealed(account: Account, client_id: str, seal: Seal) -> bytes:
    """Return the account's settings, encrypted for this client and name. Raises NoKey."""
    return seal.seal(orjson.dumps(dict(account.values)), _context(client_id, account.name))


def opened(row: Mapping[str, Any], seal: Seal) -> Account:
    """Return the account of a row of the store, decrypted. Raises UnknownAccount, LockedAccount."""
    adapter = ADAPTERS.get(row["adapter"])
    if adapter is None:
        raise UnknownAccount(f"the account {row['name']} is of the adapter {row['adapter']}, which is not there")
    try:
        plain = seal.unseal(bytes(row["sealed"]), _context(row["client_id"], row["name"]))
    except (NoKey, Tampered) as error:
        raise LockedAccount(f"the settings of the account {row['name']} cannot be decrypted: {error}") from error
    settings = {key: tuple(values) for key, values in orjson.loads(plain).items()}
    return Account(row["name"], adapter, settings, row["source"], row["url"], row["trusted"])


def account_json(account: Account) -> dict[str, Any]:
    """Return the account as JSON: of its secrets only the names."""
    open = public_names(account.adapter)
    return {
        "name": account.name,
        "adapter": account.adapter.name,
        "source": account.source,
        "url": account.url,
        "trusted": account.trusted,
        "settings": {name: list(values) for name, values in sorted(account.values.items()) if name in open},
        "secrets": sorted(account.values.keys() - open),
    }


def _context(client_id: str, name: str) -> str:
    # Neither contains a control character (see `app.clients.changes`), so no two pairs give the same text.
    return f"account\x1f{client_id}\x1f{name}"
