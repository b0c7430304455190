"""What a Kafka client is given, from the settings."""

import datetime
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from pydantic import SecretStr

from app.kafka import client_args
from app.kafka.topics import TOPICS, max_record
from app.settings import Blobs, Kafka, Settings


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate that signs itself, and its key, as files."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "broker.example.com")])
    day = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, day, day + datetime.timedelta(days=36500))
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    cert, key_file = tmp_path / "cert.pem", tmp_path / "key.pem"
    cert.write_bytes(made.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
    key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return cert, key_file


def test_a_plain_broker_needs_its_address_only() -> None:
    """Without security nothing else is given."""
    assert client_args(Kafka(bootstrap="broker:9092")) == {
        "bootstrap_servers": "broker:9092",
        "security_protocol": "PLAINTEXT",
    }


def test_sasl_over_tls_verifies_the_broker(certificate: tuple[Path, Path]) -> None:
    """The broker's certificate and name are checked against the given authority, and the password is passed on."""
    kafka = Kafka(
        bootstrap="broker:9093",
        security_protocol="SASL_SSL",
        sasl_mechanism="SCRAM-SHA-512",
        username="threadline",
        password=SecretStr("secret"),
        ca_file=certificate[0],
    )

    given = client_args(kafka)

    context = given.pop("ssl_context")
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname
    assert [found["serialNumber"] for found in context.get_ca_certs()] == ["01"]
    assert given == {
        "bootstrap_servers": "broker:9093",
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "threadline",
        "sasl_plain_password": "secret",
    }


def test_a_client_certificate_is_shown(certificate: tuple[Path, Path]) -> None:
    """With mutual TLS the certificate and its key are loaded, and a wrong key is noticed at once."""
    cert, key = certificate
    given = client_args(Kafka(bootstrap="b:1", security_protocol="SSL", ca_file=cert, cert_file=cert, key_file=key))
    assert "ssl_context" in given
    assert "sasl_mechanism" not in given

    other = ec.generate_private_key(ec.SECP256R1())
    key.write_bytes(other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(ssl.SSLError):
        client_args(Kafka(bootstrap="b:1", security_protocol="SSL", ca_file=cert, cert_file=cert, key_file=key))


def test_sasl_without_tls_has_no_context() -> None:
    """SASL_PLAINTEXT authenticates in the clear: no TLS is set up."""
    given = client_args(
        Kafka(bootstrap="b:1", security_protocol="SASL_PLAINTEXT", username="u", password=SecretStr("p"))
    )

    assert "ssl_context" not in given
    assert given["sasl_mechanism"] == "PLAIN"


def test_without_an_address_the_message_says_what_to_do() -> None:
    """No bootstrap is an error that names the setting."""
    with pytest.raises(ValueError, match="THREADLINE_KAFKA__BOOTSTRAP"):
        client_args(Kafka())


def test_every_topic_has_dead_letters() -> None:
    """For each topic there is `<topic>.dlq` and nothing else, and each is named once."""
    names = [topic.name for topic in TOPICS]
    live = [name for name in names if not name.endswith(".dlq")]

    assert sorted(names) == sorted(live + [f"{name}.dlq" for name in live])
    assert len(set(names)) == len(names)
    assert {"webhooks.received", "events.reported", "events.recorded", "messages.requested"} < set(live)


@pytest.mark.parametrize("replication", [1, 3])
def test_how_a_topic_is_kept_follows_the_settings(replication: int) -> None:
    """One broker flushes each message; a cluster has two replicas in sync instead. The largest body always fits."""
    kafka = Kafka(replication=replication, flush_every_message=replication == 1, partitions=6)
    settings = Settings(kafka=kafka, blobs=Blobs(over=5_000_000))
    received = TOPICS[0]

    configs = received.configs(settings)

    assert received.partitions(settings) == 6
    assert int(configs["max.message.bytes"]) == max_record(settings) > 5_000_000
    assert configs.get("flush.messages") == ("1" if replication == 1 else None)
    assert configs.get("min.insync.replicas") == ("2" if replication == 3 else None)
