"""A whole Threadline whose PostgreSQL and Kafka take encrypted connections only, with a user and the least rights for each part."""

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import psycopg
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.admin import CreateAclsRequest, DeleteAclsRequest
from psycopg import sql
from pydantic import SecretStr

from app.cli.topics import USERS
from app.embedded.cluster import give
from app.embedded.kafka import QUICK_JVM, USER, Kafka
from app.embedded.postgres import DATABASE, SMALL, Postgres
from app.kafka import admin
from app.kafka.rights import RIGHTS, Part, Right
from app.settings import Kafka as KafkaSettings
from app.settings import Settings
from tests.support import traffic
from tests.support.certificate import Authority
from tests.support.stack import Stack
from tests.support.tls_postgres import build

#: Lines of `server.properties`: the clients' listener speaks TLS alone, and who has no right may do nothing.
TLS = """
listener.security.protocol.map=CLIENT:SASL_SSL,CONTROLLER:SASL_PLAINTEXT
ssl.keystore.type=PEM
ssl.keystore.location={keystore}
ssl.truststore.type=PEM
ssl.truststore.location={ca}
ssl.enabled.protocols=TLSv1.3,TLSv1.2
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:{user}
allow.everyone.if.no.acl.found=false
"""
#: The numbers that Kafka's protocol has for what ACLs name (`AclOperation`, `ResourceType`), and of the pattern "literal" and "allow".
OPERATIONS = {"Read": 3, "Write": 4, "Create": 5, "Alter": 7, "DescribeConfigs": 10, "AlterConfigs": 11}
KINDS = {"topic": 2, "group": 3, "cluster": 4}
LITERAL, ALLOW = 3, 3


class SecuredKafka(Kafka):
    """A broker with TLS, SCRAM and ACLs."""

    def __init__(self, folder: Path, log: Path, ca: Authority, users: dict[str, str]) -> None:
        certificate, key = ca.issue("broker")
        keystore = certificate.with_suffix(".keystore.pem")
        keystore.write_bytes(key.read_bytes() + certificate.read_bytes())
        self._ca = ca.file
        more = TLS.format(keystore=keystore, ca=ca.file, user=USER)
        super().__init__(folder, log, jvm=QUICK_JVM, more=more, users=users)

    @property
    def settings(self) -> dict[str, Any]:
        """How its super user reaches it."""
        return super().settings | {"security_protocol": "SASL_SSL", "ca_file": self._ca}


class SecuredStack(Stack):
    """The stack with its servers so; `as_part` gives the variables that make a process log in as its part."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        super().__init__(folder, traffic.SOURCES, **settings)
        folder.mkdir(parents=True, exist_ok=True)
        self.ca = Authority(folder)
        self.passwords = {name: f"{name}-password" for name in (*USERS.values(), "threadline-stranger")}
        self.kafka: SecuredKafka = SecuredKafka(folder / "kafka", folder / "kafka.log", self.ca, self.passwords)
        self.postgres = Postgres(folder / "postgres", folder / "postgres.log", tuning=SMALL, build=build())

    async def start_servers(self) -> None:
        """Start both, PostgreSQL with a certificate and without plain connections from outside."""
        account, _, place = await self.postgres.prepare()
        certificate, key = self.ca.issue("database")
        for name, file in (("server.crt", certificate), ("server.key", key)):
            shutil.copy(file, place / name)
            (place / name).chmod(0o600)
            give(place / name, account)
        (place / "local.conf").write_text("ssl = on\nssl_min_protocol_version = 'TLSv1.2'\n")
        (place / "pg_hba.conf").write_text("hostssl all all 127.0.0.1/32 scram-sha-256\n")
        for name in ("local.conf", "pg_hba.conf"):
            give(place / name, account)
        await super().start_servers()
        await self.grant(*RIGHTS)

    def dsn(self, role: str) -> str:
        """Return how a role connects: with the server's certificate verified, by its authority and its name."""
        return f"{self.postgres.dsn(role)}?{self.verified()}"

    @property
    def settings(self) -> Settings:
        """The settings of the user that makes topics."""
        return super().settings.model_copy(update={"kafka": self.kafka_as(USERS["topics"])})

    def verified(self, ca: Path | None = None) -> str:
        """Return the parameters of a DSN that verify the server."""
        return f"sslmode=verify-full&sslrootcert={quote(str(ca or self.ca.file), safe='')}"

    async def login(self, name: str, group: str) -> str:
        """Create a login that is a member of one of Threadline's roles, and return its DSN."""
        async with await psycopg.AsyncConnection.connect(self.postgres.dsn("superuser"), autocommit=True) as db:
            await db.execute(
                sql.SQL("CREATE ROLE {} LOGIN PASSWORD {} IN ROLE {}").format(
                    sql.Identifier(name), sql.Literal("secret"), sql.Identifier(group)
                )
            )
        address = urlsplit(self.postgres.dsn("service"))
        return f"postgresql://{name}:secret@{address.hostname}:{address.port}/{DATABASE}?{self.verified()}"

    def kafka_as(self, user: str) -> KafkaSettings:
        """Return the settings by which a user reaches the broker."""
        given = self.kafka.settings | {"username": user, "password": SecretStr(self.passwords[user])}
        return KafkaSettings(**given)

    def as_part(self, user: str, dsn: str) -> dict[str, str]:
        """Return the variables of a process that logs in as this user of Kafka, and with this DSN."""
        kafka = self.kafka_as(user).model_dump(exclude_unset=True)
        password = kafka.pop("password").get_secret_value()
        plain = {f"THREADLINE_KAFKA__{name.upper()}": str(value) for name, value in kafka.items()}
        return {"THREADLINE_POSTGRES__DSN": dsn, "THREADLINE_KAFKA__PASSWORD": password, **plain}

    async def grant(self, *rights: Right) -> None:
        """Give the parts these rights, as the super user does."""
        async with admin(KafkaSettings(**self.kafka.settings)) as client:
            for each in _entries(rights):
                answer = await _controller(client, CreateAclsRequest(*each, ALLOW))
                assert not answer.creation_responses[0][0], answer

    async def revoke(self, *rights: Right) -> None:
        """Take these rights away."""
        async with admin(KafkaSettings(**self.kafka.settings)) as client:
            for each in _entries(rights):
                answer = await _controller(client, DeleteAclsRequest(*each, ALLOW))
                assert len(answer.filter_responses[0][2]) == 1, answer


def rights_of(part: Part, operation: str, kind: str, name: str) -> list[Right]:
    """Return the row of the table that has a right, narrowed to that right."""
    return [
        Right(part, (one,), each.kind, (name,), each.purpose)
        for each in RIGHTS
        for one in each.operations
        if each.part == part and one == operation and each.kind == kind and name in each.names
    ]


def _entries(rights: Iterable[Right]) -> list[tuple[Any, ...]]:
    """Return ACLs as Kafka's protocol has them: kind, name, pattern, principal, host, operation."""
    return [
        (KINDS[right.kind], name, LITERAL, f"User:{USERS[right.part]}", "*", OPERATIONS[operation])
        for right in rights
        for name in right.names
        for operation in right.operations
    ]


async def _controller(client: AIOKafkaAdminClient, request: Any) -> Any:
    """Ask the broker, which is the controller too."""
    (broker,) = client._client.cluster.brokers()
    return await client._send_request(request, broker.nodeId)
