"""A client's accounts at providers: read from JSON (`schemas/account.json`), sealed, opened, and shown without secrets."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from adapters import ADAPTERS
from adapters.checked import faults
from adapters.contract import Adapter, Send, Values, WrongSetting
from app.clients.seal import NoKey, Seal, Tampered
from app.sending.configuration import hint, must_be_public
from app.settings import Source
from schemas import SchemaError
from schemas.documents import check

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)


class UnknownAccount(Exception):
    """The client has no such account. The message says which it has, or what is wrong with it."""


class LockedAccount(UnknownAccount):
    """The account is there, and its settings cannot be decrypted: the operator can mend that."""


@dataclass(frozen=True, slots=True)
class Account:
    """An account at a provider. `source` is the name under which its webhooks come, or of
    the account that several sources are (its messages' ids are known by that), `url` where they are posted.
    `trusted`: the operator set it, so it may be at a private address."""

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
    """The account that the document describes. Raises SchemaError with the path of the first fault."""
    if not _NAME.fullmatch(name):
        raise SchemaError("$", f"an account's name must look like {_NAME.pattern}")
    check("account", document)
    adapter = ADAPTERS.get(document["adapter"])
    if adapter is None or adapter.send is None:
        senders = {one.name: one for one in ADAPTERS.values() if one.send is not None}
        wrong = "is no adapter" if adapter is None else "does not send, it only receives"
        raise SchemaError("$.adapter", wrong + hint(document["adapter"], senders))
    values: dict[str, tuple[str, ...]] = {
        key: (said,) if isinstance(said, str) else tuple(said) for key, said in document["settings"].items()
    }
    for key, fault in faults(adapter, values):
        raise SchemaError(f"$.settings['{key}']", fault)
    if (url := document.get("url")) is not None:
        must_be_public(url, "$.url")
    return Account(name, adapter, values, document.get("source", name), url, trusted)


def configured(name: str, source: Source) -> Account | None:
    """The account that a source of the settings is; None where its adapter does not send."""
    adapter = ADAPTERS.get(source.adapter or name)
    if adapter is None or adapter.send is None:
        return None
    return Account(name, adapter, source.values, source.provider(name), source.url, True)


def sealed(account: Account, client_id: str, seal: Seal) -> bytes:
    """Its settings, encrypted for this client and name. Raises NoKey."""
    return seal.seal(orjson.dumps(dict(account.values)), _context(client_id, account.name))


def opened(row: Mapping[str, Any], seal: Seal) -> Account:
    """The account of a row of the store. Raises UnknownAccount, LockedAccount."""
    adapter = ADAPTERS.get(row["adapter"])
    if adapter is None:
        raise UnknownAccount(f"the account {row['name']} is of the adapter {row['adapter']}, which is not there")
    try:
        plain = seal.unseal(bytes(row["sealed"]), _context(row["client_id"], row["name"]))
    except (NoKey, Tampered) as error:
        raise LockedAccount(f"the settings of the account {row['name']} cannot be decrypted: {error}") from error
    values = {key: tuple(said) for key, said in orjson.loads(plain).items()}
    return Account(row["name"], adapter, values, row["source"], row["url"], row["trusted"])


def shown(account: Account) -> dict[str, Any]:
    """What may be told of it: the values of settings that are no secrets, and only the names of the others."""
    open = {name for one in account.adapter.settings if not one.secret for name in (one.name, *one.aliases)}
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
    # Neither has a control character in it (see `app.clients.changes`), so no two pairs are one text.
    return f"account\x1f{client_id}\x1f{name}"
