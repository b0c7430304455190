"""The public keys by which receipts and the ledger were signed, as options give them."""

from collections.abc import Sequence
from typing import Annotated

import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from app.auditing.anchors import private_key, public_key
from app.cli.support.terminal import MISUSED, print_error
from app.settings.loading import load

PublicKeys = Annotated[
    list[str] | None,
    typer.Option(
        "--public-key", help="Public key that signed it; repeatable. By default that of the setting audit.key."
    ),
]


def keys_of(given: Sequence[str] | None) -> list[Ed25519PublicKey]:
    """Return the keys of the option, else that of the settings; empty without any. Ends the command (SystemExit 2) for a text that
    is no public key."""
    if given:
        return [_public(text) for text in given]
    own = load().audit.key
    return [] if own is None else [private_key(own.get_secret_value()).public_key()]


def _public(text: str) -> Ed25519PublicKey:
    try:
        return public_key(text)
    except ValueError:
        wrong = f"--public-key {text} is no public key: give one as threadline audit key prints it, base64 of 32 bytes."
        raise SystemExit(print_error(wrong, MISUSED)) from None
