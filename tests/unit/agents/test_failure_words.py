"""The words for a call that got no answer."""

import os
import ssl

import aiohttp
import httpcore
import pytest
from aiohttp.client_reqrep import ConnectionKey

from agents.transport.unanswered import failure_words

KEY = ConnectionKey("sms.example.com", 8443, True, True, None, None, None)


def refused() -> OSError:
    """As asyncio raises it where nothing listens."""
    return ConnectionRefusedError(111, "Connect call failed ('127.0.0.1', 8443)")


def caused(error: Exception, cause: Exception) -> Exception:
    """An error that was raised from another."""
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (aiohttp.ClientConnectorError(KEY, refused()), "the connection was refused"),
        (aiohttp.ConnectionTimeoutError("Connection timeout to host https://sms.example.com:8443/x"), "no connection in time"),
        (caused(httpcore.ConnectError("All connection attempts failed"), refused()), "the connection was refused"),
        (httpcore.ConnectTimeout(), "no connection in time"),
        (OSError(101, os.strerror(101)), "no connection (network is unreachable)"),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1000)"), "TLS could not be agreed on"),
        (ValueError("a header"), "no connection could be made"),
    ],
)  # fmt: skip
def test_a_call_that_did_not_begin_is_explained_to_people(error: Exception, words: str) -> None:
    """Without the name of a class, and without a port."""
    output = failure_words(error, started=False)
    assert output.startswith(words)
    assert "Error" not in output and "8443" not in output


def test_what_a_server_sent_is_not_repeated() -> None:
    """Once a part of a request was written, only that the answer is missing or cut off."""
    sent = caused(httpcore.RemoteProtocolError("illegal status line: secret"), ValueError("secret"))
    assert failure_words(sent, started=True) == "the connection was closed before the answer was complete"
    assert failure_words(TimeoutError("secret"), started=True) == "no answer in time"
