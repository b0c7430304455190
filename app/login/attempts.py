"""One attempt to log in, which is bound to the browser that began it. Pure but for the random secret.

The browser has a secret in a cookie, which no page can read. `state`, `nonce` and the code verifier are made of it, so that nothing is
stored here, and an answer of the issuer is good in this browser alone: RFC 6749 section 10.12, RFC 7636, OpenID Connect Core 3.1.2.1.
"""

import base64
import binascii
import hmac
import re
import secrets
from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import urlsplit

#: The cookie of an attempt, and the seconds that it is good for.
COOKIE, PATIENCE = "__Host-threadline-login", 600
#: Where people go after the log-in, unless they came from elsewhere; most characters of that.
HOME, MOST = "/", 1024

_FORM = re.compile(r"([A-Za-z0-9_-]{43})\.([a-z0-9_]{0,32})\.([A-Za-z0-9_-]{0,2048})", re.ASCII)
_PATH = re.compile(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt by the issuer of a name, to go to `next` afterwards. `secret`: 43 characters."""

    secret: str
    issuer: str
    next: str

    @classmethod
    def new(cls, issuer: str, next: str | None) -> "Attempt":
        """Begin an attempt."""
        return cls(new_secret(), issuer, safe(next))

    @classmethod
    def read(cls, text: str) -> "Attempt | None":
        """Return the attempt of a cookie's value, None if it is none."""
        if not (match := _FORM.fullmatch(text)):
            return None
        try:
            next = base64.urlsafe_b64decode(match[3] + "=" * (-len(match[3]) % 4)).decode()
        except (binascii.Error, UnicodeDecodeError):
            return None
        return cls(match[1], match[2], safe(next))

    @property
    def value(self) -> str:
        """The cookie's value."""
        return f"{self.secret}.{self.issuer}.{_text(self.next.encode())}"

    @property
    def state(self) -> str:
        """What the issuer gives back. It covers the issuer's name and where to go."""
        return self._made(f"state {self.issuer} {self.next}")

    @property
    def nonce(self) -> str:
        """What the ID token repeats."""
        return self._made("nonce")

    @property
    def verifier(self) -> str:
        """The code verifier, which the issuer gets with the code."""
        return self._made("verifier")

    def answered(self, state: str) -> bool:
        """Return whether an answer with this state is to this attempt."""
        return hmac.compare_digest(state.encode(), self.state.encode())

    def _made(self, purpose: str) -> str:
        return _text(hmac.digest(self.secret.encode(), purpose.encode(), "sha256"))


def new_secret() -> str:
    """Return a new secret: 256 random bits in 43 characters."""
    return secrets.token_urlsafe(32)


def challenge(verifier: str) -> str:
    """Return the S256 challenge of a code verifier (RFC 7636 section 4.2)."""
    return _text(sha256(verifier.encode()).digest())


def safe(path: str | None) -> str:
    """Return a path of this host that a person may be sent to, with its query: what is given, if it is one, else the home page. What a
    browser could read as another host, or as another header, is none."""
    if path is None or len(path) > MOST or not _PATH.fullmatch(path):
        return HOME
    parts = urlsplit(path)
    return HOME if parts.scheme or parts.netloc else path


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
