"""What `threadline doctor` says of weak set-ups."""

from typing import Any

import pytest

from app.cli.doctor.exposure import exposure
from app.settings import Settings

#: All of it as it should be, beyond this machine.
GOOD: dict[str, Any] = {
    "kafka": {"bootstrap": "kafka.example.com:9093", "security_protocol": "SASL_SSL"},
    "postgres": {"dsn": "postgresql://u:p@db.example.com/threadline?sslmode=verify-full"},
    "sources": {"twilio": {"auth_token": "d1f0a8c4b7e64d2f", "account_sid": "test"}},
}


async def found(**changed: Any) -> list[tuple[str, str, str]]:
    """The findings on the good set-up with these changes."""
    return [(one.what, one.state, one.found) async for one in exposure(Settings.model_validate(GOOD | changed))]


async def test_a_good_set_up_is_ok() -> None:
    """One line says so. An account id is no secret, so that its value is not judged."""
    assert [(what, state) for what, state, _ in await found()] == [("Exposure", "ok")]


@pytest.mark.parametrize(
    ("changed", "what", "state", "says"),
    [
        ({"door": {"host": "0.0.0.0"}}, "Door and API", "look", "0.0.0.0:8080 without TLS"),
        ({"door": {"host": "::", "trusted_proxies": ["10.0.0.0/8"]}}, "Door and API", "note", "door.trusted_proxies"),
        ({"worker": {"host": "0.0.0.0"}}, "Worker", "note", "0.0.0.0:8081 without TLS or key"),
        ({"kafka": {"bootstrap": "localhost:9092, k.example.com:9092"}}, "Kafka", "look", "to k.example.com are not"),
        ({"kafka": {"bootstrap": "[2001:db8::1]:9092", "security_protocol": "SSL"}}, "Kafka", "look", "have no user"),
        ({"postgres": {"dsn": "postgresql://u:hidden@db.example.com/x"}}, "PostgreSQL", "look", "sslmode=prefer"),
        ({"postgres": {"owner_dsn": "host=/run,db2 sslmode=require"}}, "PostgreSQL", "look", "owner_dsn reaches db2 "),
        (
            {"sources": {"twilio": {"auth_token": ["good-one", "Change-Me"]}}},
            "Source twilio",
            "wrong",
            "its auth_token",
        ),
    ],
)
async def test_a_weak_set_up_is_named(changed: dict[str, Any], what: str, state: str, says: str) -> None:
    """With what is weak, and without a secret."""
    (one,) = await found(**changed)
    assert one[:2] == (what, state)
    assert says in one[2]
    assert "hidden" not in one[2]


@pytest.mark.parametrize(
    "changed",
    [
        {"door": {"host": "::1"}, "worker": {"host": "127.0.0.2"}},
        {"door": {"host": "0.0.0.0", "tls": {"certificate": "c.pem", "key": "k.pem"}}},
        {"kafka": {"bootstrap": "127.0.0.1:9092,localhost:9092"}},
        {"postgres": {"dsn": "postgresql://u:p@127.0.0.1/x", "owner_dsn": "host=/run/postgresql"}},
    ],
)
async def test_what_stays_on_the_machine_is_no_weakness(changed: dict[str, Any]) -> None:
    """Nor is a door that ends TLS itself."""
    assert [state for _, state, _ in await found(**changed)] == ["ok"]
