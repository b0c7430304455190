"""Writes the configuration at the first start, with generated secrets, so that signed webhooks work and receipts of erasures are signed
at once."""

import base64
import secrets
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from app.auditing.anchors import new_key as audit_key
from app.settings import KEYS_FILE, Settings
from sql.sealing import new_key

TEMPLATE = Path(__file__).with_name("threadline.toml")

#: The private half of the key that the source `sendgrid` trusts, for the demo to sign with. SendGrid signs with ECDSA
#: over P-256: https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features
SENDGRID_KEY = "sendgrid.pem"


def configure(data: Path) -> bool:
    """Write `<data>/threadline.toml` and the demo's key unless they are there. Returns whether it wrote."""
    file = data / "threadline.toml"
    if file.exists():
        return False
    key = ec.generate_private_key(ec.SECP256R1())
    write_secret(
        secrets_folder(data) / SENDGRID_KEY,
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
    )
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    values = {
        "twilio_auth_token": secrets.token_hex(16),
        "sendgrid_public_key": base64.b64encode(public).decode(),
        "whatsapp_app_secret": secrets.token_hex(16),
        "whatsapp_verify_token": secrets.token_urlsafe(16),
        "audit_key": audit_key(),
    }
    write_secret(file, TEMPLATE.read_text().format(**values))
    return True


def make_key(data: Path) -> bool:
    """Create the key that encrypts secrets and personal data, unless it exists. Returns whether it was created."""
    file = data / KEYS_FILE
    if file.exists():
        return False
    secrets_folder(data)
    write_secret(file, new_key() + "\n")
    return True


def ensure_key(data: Path, settings: Settings) -> bool:
    """Create the key unless the settings give one or it exists. Returns whether it was created."""
    return not settings.secrets.given and make_key(data)


def secrets_folder(data: Path) -> Path:
    """Return the folder for secrets (the demo's key, the sample's API key, the encryption key), readable by this user only."""
    folder = data / "secrets"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def write_secret(file: Path, text: str) -> None:
    """Write a file atomically, readable by this user only."""
    unfinished = file.with_name(f"{file.name}.unfinished")
    unfinished.touch(mode=0o600)
    unfinished.write_text(text)
    unfinished.replace(file)
