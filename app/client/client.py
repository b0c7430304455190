"""The client that blocks."""

import time
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any, Self

import httpx

from app.client.answers import Change, Page, Stream, following, read
from app.client.calls import LONGEST, PATIENCE, Answer, Call, credentials, pause
from app.client.routes import follow_timeline


class Client:
    """Calls the API at a URL with a key. A request that may be repeated is, up to `tries` times, after waits of at most `longest`
    seconds. `client`: the client id that each request names, for a key that acts for several. `http` is used in place of a connection
    pool of its own."""

    def __init__(
        self, url: str, key: str, *, client: str | None = None, tries: int = 4, longest: float = LONGEST, timeout: float = 30,
        http: httpx.Client | None = None, sleep: Callable[[float], None] = time.sleep,
    ) -> None:  # fmt: skip
        self._http = http or httpx.Client(timeout=timeout)
        self._url, self._headers = url.rstrip("/"), credentials(key, client)
        self._tries, self._longest, self._sleep = tries, longest, sleep

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def call(self, call: Call[Answer]) -> Answer:
        """Return the answer of a request. Raises ApiError if the API refuses it, httpx.TransportError if there is no answer."""
        call = call.with_key()
        return read(call, self.respond(call))

    def respond(self, call: Call[Any]) -> httpx.Response:
        """Return the last response to a request, whatever its status, after as many tries as it is worth. Raises
        httpx.TransportError if there is none."""
        for tried in count(1):
            try:
                response = self._http.request(
                    call.method, self._url + call.path, params=call.parameters, json=call.body,
                    headers=self._headers | call.headers,
                )  # fmt: skip
            except httpx.TransportError:
                if tried >= self._tries or (wait := pause(call, tried, longest=self._longest)) is None:
                    raise
            else:
                given = response.headers.get("retry-after")
                wait = pause(call, tried, response.status_code, given, longest=self._longest)
                if tried >= self._tries or wait is None:
                    return response
            self._sleep(wait)
        raise AssertionError("unreachable")

    def pages(self, call: Call[Page]) -> Iterator[Page]:
        """Yield the page of a request, and all pages after it."""
        after: Call[Page] | None = call
        while after is not None:
            page = self.call(after)
            yield page
            after = following(after, page)

    def stream(self, customer_id: str, last_event_id: str | None = None) -> Iterator[Change]:
        """Yield the interactions of a customer as they change, without end: a stream that ends is opened again where it ended.
        Raises as `call` does, if it cannot be opened."""
        call, stream, failures = follow_timeline(customer_id), Stream(last_event_id), 0
        url = self._url + call.path
        while True:
            given = None
            try:
                headers = self._headers | stream.headers
                with self._http.stream("GET", url, headers=headers, timeout=PATIENCE) as response:
                    given = response.headers.get("retry-after")
                    if not response.is_success:
                        response.read()
                        if pause(call, 1, response.status_code) is None or failures + 1 >= self._tries:
                            read(call, response)
                    else:
                        failures = 0
                        for text in response.iter_lines():
                            if (change := stream.line(text)) is not None:
                                yield change
            except httpx.TransportError:
                if failures + 1 >= self._tries:
                    raise
            failures += 1
            stream.restart()
            self._sleep(pause(call, failures, retry_after=given, longest=self._longest) or 0)
