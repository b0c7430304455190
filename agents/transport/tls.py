"""Makes the TLS contexts of calls to providers, each once: reading the certificate authorities takes about 30 ms."""

import os
import ssl
from functools import lru_cache

import httpcore


def web_context(protocol: str) -> ssl.SSLContext:
    """Return the context for calls by HTTP, one for each `protocol` ("http1", "http2"), since a client sets the protocols
    that it offers in its context. `SSL_CERT_FILE` and `SSL_CERT_DIR` name other certificate authorities."""
    return _web(protocol, *_authorities())


def mail_context() -> ssl.SSLContext:
    """Return the context for mail servers."""
    return _mail(*_authorities())


def _authorities() -> tuple[str | None, str | None]:
    return os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")


@lru_cache(maxsize=8)
def _web(protocol: str, file: str | None, folder: str | None) -> ssl.SSLContext:
    return httpcore.default_ssl_context()


@lru_cache(maxsize=4)
def _mail(file: str | None, folder: str | None) -> ssl.SSLContext:
    return ssl.create_default_context()
