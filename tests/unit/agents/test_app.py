"""The set of agents, and what they are connected with."""

from pathlib import Path
from typing import Any

import faust
import pytest

from agents import READS, build, credentials
from agents.consumer import BatchTransport
from agents.health import WorkerHealth
from app.settings import Kafka, Settings, Worker


def app_of(tmp_path: Path, **worker: Any) -> faust.App:
    settings = Settings(data=tmp_path, kafka=Kafka(bootstrap="b1:9092,b2:9092"), worker=Worker(**worker))
    return build(settings, None, WorkerHealth(), None)  # type: ignore[arg-type]  # nothing is appended here


def test_each_agent_is_there_by_name(tmp_path: Path) -> None:
    """Exactly the agents of the table, each on its topic: none is left to discovery."""
    app = app_of(tmp_path)

    assert {name: tuple(agent.channel.topics) for name, agent in app.agents.items()} == READS


@pytest.mark.parametrize("fast", [True, False])
def test_the_fast_reader_can_be_switched_off(tmp_path: Path, fast: bool) -> None:
    """`worker.fast_batches = false` leaves stock Faust."""
    assert isinstance(app_of(tmp_path, fast_batches=fast).transport, BatchTransport) is fast


def test_without_kafka_it_says_what_to_set(tmp_path: Path) -> None:
    """The error names the variable."""
    with pytest.raises(ValueError, match="THREADLINE_KAFKA__BOOTSTRAP"):
        build(Settings(data=tmp_path), None, WorkerHealth(), None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kafka", "kind"),
    [
        ({"security_protocol": "PLAINTEXT"}, type(None)),
        ({"security_protocol": "SSL"}, faust.SSLCredentials),
        (
            {"security_protocol": "SASL_SSL", "sasl_mechanism": "SCRAM-SHA-512", "username": "u", "password": "p"},
            faust.SASLCredentials,
        ),
    ],
)
def test_security_reaches_faust(kafka: dict[str, str], kind: type[Any]) -> None:
    """TLS and SASL settings become Faust's credentials."""
    found: Any = credentials(Kafka.model_validate(kafka))

    assert isinstance(found, kind)
    if kafka["security_protocol"] == "SASL_SSL":
        assert (found.mechanism.value, found.username, found.password) == ("SCRAM-SHA-512", "u", "p")
        assert found.ssl_context is not None
