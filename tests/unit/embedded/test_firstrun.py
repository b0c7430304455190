"""The configuration that a first start writes."""

import base64
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
    load_pem_private_key,
)

from adapters import ADAPTERS
from app.embedded.firstrun import SENDGRID_KEY, configure, secrets_folder
from app.settings import Settings


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings as they are after a first start."""
    monkeypatch.delenv("THREADLINE_CONFIG", raising=False)
    monkeypatch.setenv("THREADLINE_DATA", str(tmp_path))
    assert configure(tmp_path)
    return Settings()


def test_each_source_has_what_its_adapter_verifies_with(settings: Settings) -> None:
    """Every source names an adapter that exists, and gives only settings that it has."""
    assert settings.sources.keys() == {"twilio", "sendgrid", "whatsapp_cloud"}
    for name, source in settings.sources.items():
        assert source.values.keys() <= {setting.name for setting in ADAPTERS[name].settings}
        assert not source.accept_unsigned


def test_the_demo_can_sign_as_sendgrid(settings: Settings, tmp_path: Path) -> None:
    """The private key beside the configuration belongs to the public key in it, on the curve that SendGrid uses."""
    private = load_pem_private_key((secrets_folder(tmp_path) / SENDGRID_KEY).read_bytes(), password=None)
    assert isinstance(private, EllipticCurvePrivateKey)
    assert isinstance(private.curve, SECP256R1)

    (public,) = settings.sources["sendgrid"].values["public_key"]

    configured = load_der_public_key(base64.b64decode(public))
    raw = (Encoding.X962, PublicFormat.UncompressedPoint)
    assert configured.public_bytes(*raw) == private.public_key().public_bytes(*raw)


def test_a_receipt_of_an_erasure_is_signed(settings: Settings, tmp_path: Path) -> None:
    """By a key of this installation alone."""
    assert settings.audit.key is not None
    (other := tmp_path / "other").mkdir()
    assert configure(other)
    assert settings.audit.key.get_secret_value() not in (other / "threadline.toml").read_text()


def test_nobody_else_can_read_it(settings: Settings, tmp_path: Path) -> None:
    """The files are 0600, the folder of secrets 0700."""
    for file in (tmp_path / "threadline.toml", secrets_folder(tmp_path) / SENDGRID_KEY):
        assert file.stat().st_mode & 0o777 == 0o600
    assert secrets_folder(tmp_path).stat().st_mode & 0o777 == 0o700


def test_a_second_start_changes_nothing(settings: Settings, tmp_path: Path) -> None:
    """What is there is the user's."""
    (tmp_path / "threadline.toml").write_text("# mine\n")

    assert not configure(tmp_path)
    assert (tmp_path / "threadline.toml").read_text() == "# mine\n"


def test_secrets_are_new_each_time(settings: Settings, tmp_path: Path) -> None:
    """No two first starts share a secret."""
    other = tmp_path / "other"
    other.mkdir()
    configure(other)

    assert (other / "threadline.toml").read_text() != (tmp_path / "threadline.toml").read_text()
