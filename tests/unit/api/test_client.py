"""The client of the API: its types are those of the description, and it repeats only what may be repeated."""

import ast
import asyncio
import inspect
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

import app.client
from app.api.openapi.bundle import document
from app.api.openapi.typed import Typed
from app.client import ApiError, AsyncClient, Call, Client, asynchronous, client, routes
from app.client.calls import LONGEST, pause

#: In the text of the asynchronous client, what the blocking one has in its place.
BLOCKING = (
    ("The client for asyncio. It does what `client.py` does, line by line; a test compares the two.", "The client that blocks."),
    ("AsyncIterator, Awaitable, Callable", "Callable, Iterator"), ("Callable[[float], Awaitable[None]]", "Callable[[float], None]"),
    ("AsyncClient", "Client"), ("AsyncIterator", "Iterator"), ("asyncio", "time"), ("async ", ""), ("await ", ""),
    ("__aenter__", "__enter__"), ("__aexit__", "__exit__"), ("aclose", "close"), ("aread", "read"), ("aiter_lines", "iter_lines"),
)  # fmt: skip

Answers = list[httpx.Response | Exception]


def served(answers: Answers, seen: list[httpx.Request] | None = None) -> httpx.MockTransport:
    """Gives these answers in turn."""

    def answer(request: httpx.Request) -> httpx.Response:
        if seen is not None:
            seen.append(request)
        one = answers.pop(0)
        if isinstance(one, Exception):
            raise one
        return one

    return httpx.MockTransport(answer)


def blocking(answers: Answers, waited: list[float], seen: list[httpx.Request] | None = None) -> Client:
    """A client that gets these answers, and notes its waits in place of waiting."""
    return Client("http://test/", "key", http=httpx.Client(transport=served(answers, seen)), sleep=waited.append)


def test_the_routes_are_made_of_the_description() -> None:
    """`python -m app.api.openapi.typed > app/client/routes.py` changes nothing but the format."""
    made = ast.parse(Typed(document()).module())
    assert ast.dump(made) == ast.dump(ast.parse(Path(routes.__file__).read_text()))


def test_every_operation_has_a_function() -> None:
    """Each operation of /v1 and /api, and its path and method."""
    operations = {
        (method.upper(), path)
        for path, item in document()["paths"].items()
        if path.startswith(("/v1/", "/api/"))
        for method in item.keys() - {"parameters"}
    }
    made = set()
    for _, function in inspect.getmembers(routes, inspect.isfunction):
        if function.__module__ == routes.__name__:
            names = inspect.signature(function).parameters
            call = function(**{name: f"{{{name}}}" for name in names})
            made.add((call.method, call.path.replace("%7B", "{").replace("%7D", "}")))
    assert made == operations


def test_the_two_clients_do_the_same() -> None:
    """Line by line, `await` and its like aside."""
    text = Path(asynchronous.__file__).read_text()
    for of_asyncio, plain in BLOCKING:
        text = text.replace(of_asyncio, plain)
    assert [line.strip() for line in text.splitlines()] == [
        line.strip() for line in Path(client.__file__).read_text().splitlines()
    ]


def test_it_stands_alone() -> None:
    """Its modules import nothing of ours but themselves."""
    for file in Path(app.client.__file__).parent.glob("*.py"):
        lines = [
            line.strip() for line in file.read_text().splitlines() if line.strip().startswith(("from ", "import "))
        ]
        ours = [
            line
            for line in lines
            if line.split()[1].startswith(("app", "agents", "adapters", "schemas", "sql", "webhooks"))
        ]
        assert all(line.split()[1].startswith("app.client") for line in ours), file.name


@pytest.mark.parametrize("status", [429, 502, 503, 504, None])
def test_what_may_pass_is_repeated(status: int | None) -> None:
    """A read and a send, whose idempotency key stays the same, are repeated after a growing wait."""
    calls: list[Call[Any]] = [routes.read_message("a"), routes.send_messages({"to": "+15551234567", "body": "x"})]
    for call in calls:
        bad: Any = [httpx.ConnectError("away") if status is None else httpx.Response(status) for _ in range(2)]
        waited: list[float] = []
        seen: list[httpx.Request] = []
        found: Any = blocking([*bad, httpx.Response(200, json={"state": "sent"})], waited, seen).call(call)
        assert found == {"state": "sent"}
        assert 0.25 <= waited[0] <= 0.5 <= waited[1] <= 1.0
        assert len({request.headers.get("idempotency-key") for request in seen}) == 1
        assert ("idempotency-key" in seen[0].headers) == call.keyed


def test_what_changes_something_each_time_is_not_repeated() -> None:
    """A new secret is asked for once, and an answer that will stay the same is not asked for again."""
    calls: list[tuple[Call[Any], int]] = [(routes.rotate_secret(), 503), (routes.read_message("a"), 404)]
    for call, status in calls:
        waited: list[float] = []
        problem = {"status": status, "title": "No", "detail": "there is none"}
        with pytest.raises(ApiError, match=f"{status}: there is none") as caught:
            blocking([httpx.Response(status, json=problem)], waited).call(call)
        assert (caught.value.status, waited) == (status, [])


def test_a_wait_that_is_asked_for_is_kept() -> None:
    """`Retry-After` in seconds or as a date, cut to the longest wait; a request in progress is waited for only with it."""
    call = routes.read_message("a")
    assert pause(call, 1, 429, "7") == 7
    assert pause(call, 1, 503, "86400") == LONGEST
    soon = pause(call, 1, 503, format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True))
    assert soon is not None and 10 < soon <= 20
    keyed: Call[Any] = Call("POST", "/v1/messages", idempotency_key="k")
    assert (pause(keyed, 1, 409, "1"), pause(keyed, 1, 409)) == (1, None)


@pytest.mark.parametrize(
    "given", [f"Mon, 01 Jan {'9' * 20} 00:00:00 GMT", f"Mon, 01 Jan 2026 00:00:00 +{'9' * 14}", "soon", "-1", ""]
)
def test_a_wait_that_cannot_be_read_is_as_none(given: str) -> None:
    """A `Retry-After` of no form, or with numbers beyond any date: the wait is chosen, and the answer's own error is raised."""
    wait = pause(routes.read_message("a"), 1, 503, given)
    assert wait is not None and 0.25 <= wait <= 0.5


def test_after_the_last_try_the_failure_stands() -> None:
    """Four tries by default, three waits."""
    waited: list[float] = []
    with pytest.raises(httpx.ConnectError):
        blocking([httpx.ConnectError("away")] * 4, waited).call(routes.read_message("a"))
    assert len(waited) == 3
    with pytest.raises(ApiError, match="503"):
        blocking([httpx.Response(503)] * 4, waited).call(routes.read_message("a"))


def test_pages_follow_each_other() -> None:
    """By the cursor of the page before, with the same filters, to the last."""
    seen: list[httpx.Request] = []
    answers: Answers = [httpx.Response(200, json={"interactions": [], "next": after}) for after in ("b", "c", None)]
    pages = list(blocking(answers, [], seen).pages(routes.read_timeline("id", channel="sms")))
    assert len(pages) == 3
    assert [dict(request.url.params) for request in seen] == [
        {"channel": "sms"},
        {"channel": "sms", "cursor": "b"},
        {"channel": "sms", "cursor": "c"},
    ]


def test_a_stream_goes_on_where_it_ended() -> None:
    """It is opened again with the id that was seen last; an event that was cut off is not given; 410 ends it."""
    first = 'id: 1-1\n\n: alive\nevent: interaction\nid: 2-2\ndata: {"interactionId": "a"}\n\nid: 3-3\ndata: {"inter'
    seen: list[httpx.Request] = []
    answers: Answers = [
        httpx.Response(200, text=first),
        httpx.ConnectError("away"),
        httpx.Response(410, json={"title": "Gone"}),
    ]
    stream = blocking(answers, [], seen).stream("id")
    assert tuple(next(stream)) == ("2-2", {"interactionId": "a"})
    with pytest.raises(ApiError, match="Gone"):
        next(stream)
    assert [request.headers.get("last-event-id") for request in seen] == [None, "2-2", "2-2"]


async def test_the_client_for_asyncio_works() -> None:
    """It repeats, pages and streams as the other does."""
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)
        await asyncio.sleep(0)

    def of(answers: Answers) -> AsyncClient:
        return AsyncClient("http://test", "key", http=httpx.AsyncClient(transport=served(answers)), sleep=sleep)

    body: Callable[[str | None], httpx.Response] = lambda after: httpx.Response(  # noqa: E731
        200, json={"interactions": [], "next": after}
    )
    async with of([httpx.Response(503), body("b"), body(None)]) as calling:
        assert [page["next"] async for page in calling.pages(routes.read_timeline("id"))] == ["b", None]
    assert len(waited) == 1
    async with of([httpx.Response(200, text='id: 2-2\ndata: {"interactionId": "a"}\n\n')]) as streaming:
        stream = streaming.stream("id")
        assert tuple(await anext(stream)) == ("2-2", {"interactionId": "a"})
        await stream.aclose()  # type: ignore[attr-defined]


def test_requests_name_the_client_that_they_are_for() -> None:
    """In the header Threadline-Client, where the caller said one; an id that no header can carry is refused."""
    seen: list[httpx.Request] = []
    answers: Answers = [httpx.Response(200, json={"messages": [], "next": None}) for _ in range(2)]
    http = httpx.Client(transport=served(answers, seen))
    for given in ("shop", None):
        Client("http://test", "key", client=given, http=http).call(routes.list_messages(state="held"))
    assert [request.headers.get("threadline-client") for request in seen] == ["shop", None]
    with pytest.raises(ValueError, match="ASCII"):
        Client("http://test", "key", client="m\u00fcnchen")
