"""Keeps the clients' peppers and root keys, and finds or makes the handles of a batch (`sql.handles`)."""

import asyncio
from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool

from schemas.events import Handle
from sql.handles import (
    CONTEXT,
    PLACE,
    ROOT,
    Known,
    Owned,
    digest_of,
    new_pepper,
    new_root,
    owned_by,
    platform_of,
    value_of,
)
from sql.hour_keys import HourKeys
from sql.keyed_ids import IdKey
from sql.known import LIFETIME, KnownHandles
from sql.messages import Reference
from sql.parameters import always_written, json
from sql.personal.keys import HandleKey, HandleKeys, new_salt
from sql.pool import Connection, Pooled
from sql.sealing import NoKey, Seal, Tampered

#: Most clients whose peppers and root keys are kept in memory.
MOST = 10_000


class Secrets(NamedTuple):
    """A client's secrets: its `pepper`, by which handles are found; its `root` key, from which their keys are derived; and the key of others' `ids`."""

    pepper: bytes
    root: bytes
    ids: IdKey


class Naming(Pooled):
    """The part of the store that finds handles and their keys. Its methods raise sql.sealing.NoKey if the key that encrypted a client's
    pepper is not configured, and Tampered if the pepper was changed."""

    def __init__(
        self,
        pool: AsyncConnectionPool[Connection],
        seal: Seal,
        hours: HourKeys | None = None,
        sessions: AsyncConnectionPool[Connection] | None = None,
    ) -> None:
        super().__init__(pool, seal, hours, sessions)
        self._secrets: dict[str, Secrets] = {}
        self._known, self._keys = KnownHandles(), HandleKeys(lifetime=LIFETIME)
        self._forgetting: asyncio.TimerHandle | None = None

    async def _handles(self, owned: Collection[Owned]) -> dict[Owned, Known]:
        """Return the handles; make those that are new, and the peppers and root keys of new clients. This runs in transactions of its own:
        a handle that no event names is harmless."""
        found = {one: known for one in owned if (known := self._known.get(one)) is not None}
        missing = [one for one in owned if one not in found]
        if missing:
            # Keyed by what the digest covers: two spellings may be written as one.
            named: dict[tuple[str, str], list[Owned]] = {}
            secrets = await self._secrets_of({one.client for one in missing})
            for one in missing:
                named.setdefault((one.client, digest_of(one, secrets[one.client].pepper).hex()), []).append(one)
            names, until = list(named), self._known.until()  # the time before the query: the answer may be late
            # Look the handles up first: to propose a new handle, a key must be derived.
            listed = {"handles": json(always_written(names))}
            rows = {names[row["place"]]: row for row in await self._rows("find_handles", listed)}
            if new := [name for name in names if name not in rows]:
                proposed = [_Proposed(name[1], named[name][0], secrets[name[0]].root) for name in new]
                listed = {"handles": json(always_written([one.row for one in proposed]))}
                for row in await self._run("make_handles", listed):
                    rows[new[row["place"]]] = row
                    if row["id"] == (one := proposed[row["place"]]).key.handle:  # else another writer made it
                        self._keys.keep(one.key, one.salt)
            for name, row in rows.items():
                for one in named[name]:
                    found[one] = Known(row["id"], row["salt"], until)
                    self._known.keep(one, found[one])
            self._forget_later()
        return found

    async def _key(self, owned: Owned, known: Known) -> HandleKey:
        """Return the key of a handle."""
        kept = self._keys.kept(known.id)
        if kept is not None:
            return kept
        root = (await self._secrets_of({owned.client}))[owned.client].root
        return self._keys.key(known.id, known.salt, root, known.until)

    async def _digest(self, client_id: str, handle: Handle) -> bytes:
        """Return the digest by which a handle is found. The handle of a client without a pepper is unknown: its digest is
        empty, which is nobody's."""
        secrets = await self._known_secrets(client_id)
        return digest_of(owned_by(client_id, handle), secrets.pepper) if secrets is not None else b""

    async def _known_secrets(self, client_id: str) -> Secrets | None:
        """Return a client's pepper and root key; None if it has none yet, so that nothing is stored under them. Writes nothing."""
        if client_id not in self._secrets:
            self._open_secrets(await self._rows("peppers", {"clients": [client_id]}))
        return self._secrets.get(client_id)

    async def _key_of(self, client_id: str, handle: Handle) -> dict[str, Any]:
        """Return the parameters by which a query finds a handle."""
        return {"client_id": client_id, "digest": await self._digest(client_id, handle)}

    async def _references(self, references: Sequence[Reference]) -> Jsonb:
        """Return the parameter `references` that queries read: in each reference, digests replace the provider's id and its recipient."""
        secrets = await self._secrets_of({each.client for each in references})
        return json(
            always_written(
                [
                    (
                        *each[:3],
                        each.provider_message_id and secrets[each.client].ids.digest(each.provider_message_id),
                        each.recipient and (await self._digest(each.client, each.recipient)).hex(),
                    )
                    for each in references
                ]
            )
        )

    async def locked_clients(self, clients: Iterable[str]) -> list[str]:
        """Return those of the clients whose pepper or root key cannot be decrypted, so that nothing of theirs can be written."""
        found = []
        for client in sorted(clients):
            try:
                await self._secrets_of({client})
            except (NoKey, Tampered):
                found.append(client)
        return found

    async def sealed_peppers(self) -> list[dict[str, Any]]:
        """Return the clients' peppers and root keys as they are encrypted: `client_id`, `sealed` and `root`."""
        return await self._rows("all_peppers")

    async def reseal_peppers(self) -> int:
        """Encrypt the peppers and root keys of all clients with the first key; return for how many clients they were encrypted with
        another key before."""
        done = 0
        for row in await self.sealed_peppers():
            again = self._seal.renewed(row["sealed"], CONTEXT.format(row["client_id"]))
            root = self._seal.renewed(row["root"], ROOT.format(row["client_id"]))
            if again is not None or root is not None:
                renewed = {"again": again or row["sealed"], "root_again": root or row["root"]}
                done += len(await self._run("reseal_pepper", row | renewed))
        return done

    async def _secrets_of(self, clients: Collection[str]) -> dict[str, Secrets]:
        while missing := [client for client in clients if client not in self._secrets]:
            # A second look sees what another writer made meanwhile.
            sealed = [self._seal.seal(new_pepper(), CONTEXT.format(client)) for client in missing]
            roots = [self._seal.seal(new_root(), ROOT.format(client)) for client in missing]
            self._open_secrets(await self._run("make_peppers", {"clients": missing, "sealed": sealed, "roots": roots}))
        return self._secrets

    def _open_secrets(self, rows: Iterable[dict[str, Any]]) -> None:
        if len(self._secrets) >= MOST:
            self._secrets.clear()
        for row in rows:
            client = row["client_id"]
            pepper = self._seal.unseal(row["sealed"], CONTEXT.format(client))
            root = self._seal.unseal(row["root"], ROOT.format(client))
            self._secrets[client] = Secrets(pepper, root, IdKey(root))

    def forget_handles(self, handles: Iterable[UUID]) -> None:
        """Forget the salts and keys of handles that were erased, in this process, at once."""
        self._known.clear()
        for handle in handles:
            self._keys.drop(handle)

    def _forget_later(self) -> None:
        """Schedule the forgetting of salts and keys whose time is over, which happens even if nothing is looked up any more."""
        if self._forgetting is None:
            self._forgetting = asyncio.get_running_loop().call_later(LIFETIME, self._forget)

    def _forget(self) -> None:
        self._forgetting = None
        self._known.expire()
        self._keys.expire()
        if self._known or self._keys or self._keys.recent:
            self._forget_later()


class _Proposed:
    """A new handle with its key."""

    __slots__ = ("key", "row", "salt")

    def __init__(self, digest: str, owned: Owned, root: bytes) -> None:
        self.salt = new_salt()
        self.key = HandleKey(uuid4(), self.salt, root)
        platform = platform_of(owned.kind, owned.value)
        sealed = self.key.seal(value_of(owned), PLACE).hex()
        #: The handle as `queries/make_handles.sql` reads it.
        self.row = (owned.client, digest, owned.kind, platform, self.key.handle, self.salt.hex(), sealed)
