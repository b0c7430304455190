"""Why a call got no answer, and whether it may have arrived all the same: what decides if it may be made again."""


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


class AddressRefused(NoAnswer):
    """The name has no address that may be called. Nothing was connected to."""

    def __init__(self, words: str, may_have_arrived: bool = False) -> None:
        super().__init__(words, may_have_arrived, kind="address")
