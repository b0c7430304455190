"""The error of a call without an answer: its cause, and whether the call may have arrived, which decides if it may be
repeated."""

import os
import ssl
from collections.abc import Iterator


class NoAnswer(Exception):
    """No answer came, or only a part of one.

    `may_have_arrived` is False if no part of the call can have reached the provider (the name did not resolve, the
    connection or its TLS failed, no connection was free, the server refused it unread), so that repeating it is safe; True
    once a part may have been written. `kind` is the label of the metric. The message is for operators: it names hosts, never
    a URL's path, a header or a body, which may hold secrets.
    """

    def __init__(self, words: str, may_have_arrived: bool = False, *, kind: str = "connect") -> None:
        super().__init__(words)
        self.may_have_arrived = may_have_arrived
        self.kind = kind


def failure_words(error: BaseException, *, started: bool) -> str:
    """Return in words why a call failed, for people: no class name, no port. `started` is whether a part of the request
    may have been written; nothing that the server sent is then in the words.
    """
    causes = list(_causes(error))
    if any(isinstance(one, TimeoutError) or type(one).__name__.endswith("Timeout") for one in causes):
        return "no answer in time" if started else "no connection in time"
    if started:
        return "the connection was closed before the answer was complete"
    for one in causes:
        if isinstance(one, ssl.SSLCertVerificationError):
            return f"its TLS certificate is not valid ({getattr(one, 'verify_message', None) or 'it could not be verified'})"
        if isinstance(one, ssl.SSLError):
            reason = getattr(one, "reason", None) or "no reason given"  # absent where OpenSSL did not raise it
            return f"TLS could not be agreed on ({reason.lower().replace('_', ' ')})"
        if isinstance(one, ConnectionRefusedError):
            return "the connection was refused"
        if isinstance(one, ConnectionResetError):
            return "the connection was closed as it was opened"
        if isinstance(one, OSError) and one.errno is not None and (words := os.strerror(one.errno)):
            return f"no connection ({words.lower()})"
    return "no connection could be made"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Return the error and its causes, the innermost first."""
    chain: list[BaseException] = []
    following: BaseException | None = error
    while following is not None and following not in chain:
        chain.append(following)
        following = getattr(following, "os_error", None) or following.__cause__ or following.__context__
    return reversed(chain)


#: The message for an address that a client or a recipient chose. It does not reveal whether the name resolves, to which
#: address, or which step failed: from such differences the person who chose it could explore the operator's network.
REDACTED = "the address gave no answer: it must be a public one, and over https have a valid certificate"
#: Kinds of failures that depend on the address. The others (a setting, no free connection) keep their own message.
_OF_ADDRESS = frozenset({"connect", "name", "address", "timeout", "lost", "refused"})


def redacted(error: NoAnswer, *, foreign: bool) -> NoAnswer:
    """Return the error as the person who chose the address may see it. If a recipient did (`foreign`), the kind is the
    same for all failures too; `may_have_arrived` is kept, since the message must not be sent twice."""
    if error.kind not in _OF_ADDRESS:
        return error
    if foreign:
        return NoAnswer(REDACTED, error.may_have_arrived, kind="recipient")
    return (
        type(error)(REDACTED)
        if isinstance(error, AddressRefused)
        else NoAnswer(REDACTED, error.may_have_arrived, kind=error.kind)
    )


class AddressRefused(NoAnswer):
    """The name has no address that may be called. No connection was made."""

    def __init__(self, words: str, may_have_arrived: bool = False) -> None:
        super().__init__(words, may_have_arrived, kind="address")
