"""Makes certificates for servers and callers of tests and of the benchmark."""

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from itertools import count
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


def certificate(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """Make a self-signed certificate for localhost in the folder. Returns its file, for clients to trust, and a server's context."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _named("localhost")
    now = datetime.now(UTC)
    names: list[x509.GeneralName] = [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file, own = folder / "certificate.pem", folder / "key.pem"
    file.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    own.write_bytes(_plain(key))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, own)
    return file, context


class Authority:
    """A CA that signs certificates for localhost and for clients. `file` has its certificate, for others to trust."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self._files, self._numbers = folder / name, count()
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named(name)
        self._own = self._sign(self._name, self._key.public_key(), timedelta(days=2), ca=True, names=[])
        self.file = folder / f"{name}.pem"
        self.file.write_bytes(self._own.public_bytes(serialization.Encoding.PEM))

    def issue(
        self, name: str, *, expired: bool = False, early: bool = False, names: tuple[str, ...] = ()
    ) -> tuple[Path, Path]:
        """Return the files of a new certificate with this common name and of its key. It is for localhost, or for `names`;
        `early`: from in an hour on."""
        key = ec.generate_private_key(ec.SECP256R1())
        alternatives: list[x509.GeneralName] = [x509.DNSName(each) for each in names or ("localhost",)]
        if not names:
            alternatives.append(x509.IPAddress(ip_address("127.0.0.1")))
        valid = timedelta(minutes=-5) if expired else timedelta(days=1)
        signed = self._sign(_named(name), key.public_key(), valid, ca=False, names=alternatives, early=early)
        file = self._files.with_name(f"{self._files.name}-{next(self._numbers)}-{name}.pem")
        own = file.with_suffix(".key")
        file.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        own.write_bytes(_plain(key))
        return file, own

    def _sign(
        self,
        name: x509.Name,
        key: ec.EllipticCurvePublicKey,
        valid: timedelta,
        *,
        ca: bool,
        names: list[x509.GeneralName],
        early: bool = False,
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder(self._name, name, key, x509.random_serial_number())
            .not_valid_before(now + timedelta(hours=1) if early else now - timedelta(days=1))
            .not_valid_after(now + valid)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self._key, hashes.SHA256())


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])


def _plain(key: ec.EllipticCurvePrivateKey) -> bytes:
    plain = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
