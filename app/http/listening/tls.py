"""Makes the TLS contexts of the door, and of commands that call it from this machine."""

import ssl
from collections.abc import Mapping
from typing import Any

from app.settings import Tls

#: The cipher suites of TLS 1.2: forward secrecy and authenticated encryption only (RFC 9325 section 4.2). Those of TLS 1.3 are
#: OpenSSL's own, which are all of that kind.
CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"


class TlsUnusable(ValueError):
    """A file of `door.tls` cannot be used. The message names the setting and the fault, and nothing of the file's content."""


def server_context(tls: Tls) -> ssl.SSLContext | None:
    """Return a context with what the files have now, or None if TLS is not set. Raises TlsUnusable."""
    if tls.certificate is None or tls.key is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    context.set_alpn_protocols(["http/1.1"])
    try:
        # Without a function for the password OpenSSL would ask for it on the terminal.
        context.load_cert_chain(tls.certificate, tls.key, password=lambda: b"")
    except ssl.SSLError as error:
        reason = (error.reason or "").replace("_", " ").lower() or "not readable as PEM, or encrypted"
        raise TlsUnusable(f"door.tls.certificate and door.tls.key cannot be used together: {reason}") from None
    except OSError as error:
        raise TlsUnusable(f"door.tls.certificate or door.tls.key cannot be read: {error.strerror}") from None
    if tls.client_ca is not None:
        try:
            context.load_verify_locations(tls.client_ca)
        except ssl.SSLError:
            raise TlsUnusable("door.tls.client_ca has no certificate in PEM") from None
        except OSError as error:
            raise TlsUnusable(f"door.tls.client_ca cannot be read: {error.strerror}") from None
        context.verify_mode = ssl.CERT_REQUIRED if tls.client_certificates == "required" else ssl.CERT_OPTIONAL
    return context


def names_of(certificate: Mapping[str, Any] | None) -> frozenset[str]:
    """Return the names of a verified client certificate (as `SSLSocket.getpeercert` gives it): the DNS names and URIs of its
    subject alternative name, or the common name if there are none (RFC 6125 section 6.4.4)."""
    if not certificate:
        return frozenset()
    stated = {value for kind, value in certificate.get("subjectAltName", ()) if kind in ("DNS", "URI")}
    common = {value for part in certificate.get("subject", ()) for name, value in part if name == "commonName"}
    return frozenset(stated or common)
