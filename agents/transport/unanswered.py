"""Why a call got no answer, and whether it may have arrived all the same: what decides if it may be made again."""

import os
import ssl
from collections.abc import Iterator


class NoAnswer(Exception):
    """No answer came, or none that is complete.

    `may_have_arrived` is False where nothing of it can have reached the provider (the name did not resolve, the
    connection or its TLS failed, no connection was free), so that it is safe to try again; True once a part of it may
    have been written. `kind` is a word for counting. The message is for operators: it names hosts, never a URL's path, a
    header or a body, which may hold secrets.
    """

    def __init__(self, words: str, may_have_arrived: bool = False, *, kind: str = "connect") -> None:
        super().__init__(words)
        self.may_have_arrived = may_have_arrived
        self.kind = kind


def failure_words(error: BaseException, *, started: bool) -> str:
    """Return in words why a call failed, for people: no class name, no port. `started` is whether a part of the request may
    have been written; nothing that the server sent is then in the words.
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
    """Return the error and those that it was made of, from the innermost."""
    chain: list[BaseException] = []
    following: BaseException | None = error
    while following is not None and following not in chain:
        chain.append(following)
        following = getattr(following, "os_error", None) or following.__cause__ or following.__context__
    return reversed(chain)


#: What is said of a call to an address that a client or a recipient chose. Not whether its name resolves, to what, or
#: which step failed: whoever chooses it could look around the operator's network by the differences.
UNTOLD = "the address gave no answer: it must be a public one, and over https have a certificate that holds"
#: Kinds of failures that are of the address. The others (a setting, no free connection) are told in their own words.
_OF_ADDRESS = frozenset({"connect", "name", "address", "timeout", "lost"})


def untold(error: NoAnswer, *, foreign: bool) -> NoAnswer:
    """The failure as whoever chose the address may know it. Of a recipient's (`foreign`) also the kind is one for all that
    did not arrive; what may have arrived is known as such, since it must not be sent twice."""
    if error.kind not in _OF_ADDRESS:
        return error
    if foreign:
        return NoAnswer(UNTOLD, error.may_have_arrived, kind="recipient")
    return (
        type(error)(UNTOLD)
        if isinstance(error, AddressRefused)
        else NoAnswer(UNTOLD, error.may_have_arrived, kind=error.kind)
    )


class AddressRefused(NoAnswer):
    """The name has no address that may be called. Nothing was connected to."""

    def __init__(self, words: str, may_have_arrived: bool = False) -> None:
        super().__init__(words, may_have_arrived, kind="address")
