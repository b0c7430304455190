"""`threadline demo`: post the webhooks of a customer's day, shuffled and some twice, and print the timelines."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
from rich.console import Console
from rich.text import Text

from app.cli.demo.provider_posts import DOOR, Post, RelayPosts, client, providers
from app.cli.demo.story import Story, story_of
from app.cli.support.kafka import quiet
from app.cli.support.store import opened
from app.cli.support.terminal import table
from app.cli.support.timeline_table import timeline_table
from app.cli.up import FAILURES, in_words
from app.embedded import addresses, firstrun, running
from app.embedded.display import Display
from app.embedded.supervisor import Supervisor
from app.http.scopes import PERSONAL
from app.http.tokens import mint
from app.numbered import numbered
from app.settings import Settings
from app.settings.loading import load

#: Requests at once, the share that is posted twice, and the seconds until the timelines must show all.
AT_ONCE, TWICE, PATIENCE = 8, 0.3, 30.0
NOTE = "(Twilio's webhooks have no time, so the time of receipt stands in, here in the order of the posts.)\n"


class Failed(Exception):
    """The demo failed. The message says how."""


def demo() -> int:
    """Post signed provider webhooks to the HTTP process, shuffled and some twice, and print the timelines.

    Starts Threadline where it does not run. Exit code 1 where the timelines are not as expected.
    """
    console = Console()
    quiet()
    try:
        return asyncio.run(_run(console))
    except Failed as error:
        console.print(Text(str(error), "red"))
    except httpx.TransportError as error:
        console.print(Text(f"The HTTP process does not answer ({error!r}). What is wrong? threadline doctor", "red"))
    except running.AlreadyRunning as error:
        console.print(Text(str(error), "red"))
    except FAILURES as error:
        console.print(Text(f"Threadline cannot run: {in_words(error, load())}", "red"))
    return 1


async def _run(console: Console) -> int:
    async with _running(console) as settings:
        url = addresses.url(settings.door)
        async with _key(settings) as token, _client(settings, url) as http:
            story = story_of(datetime.now(UTC), **providers(settings, url), relay=RelayPosts(token))
            await _post(console, http, story)
            http.headers["authorization"] = f"Bearer {token}"
            began = time.monotonic()
            timelines = await _see(http, story)
            seen = 1000 * (time.monotonic() - began)
            console.print(f"All of it is in the timelines, seen {seen:.0f} ms after the last answer.")
            console.print(Text(NOTE, "dim"))
        for customer, handles, interactions, earlier in timelines:
            console.print(timeline_table(customer, handles, interactions, width=console.width))
            if earlier:
                console.print(Text(f"and {earlier} from before: threadline timeline {handles[0]['value']}\n", "dim"))
    return 0


def _client(settings: Settings, url: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=url, timeout=30, verify=addresses.trust(settings.door))


@asynccontextmanager
async def _running(console: Console) -> AsyncIterator[Settings]:
    """Return the settings of the system that runs from this folder, or of one that is started now and stopped at the end."""
    settings = load()
    if running.is_starting(settings.data):
        raise Failed("Threadline is starting here. Once it is up, call the demo again.")
    try:
        found = running.resolve(settings)
    except running.NotRunning:
        found = None
    if found is not None:
        yield found
        return
    console.print("Nothing runs here, so Threadline is started for the demo, and stopped after it.")
    display = Display()
    with running.lock(settings.data):
        firstrun.configure(settings.data)
        firstrun.ensure_key(settings.data, load())
        supervisor = Supervisor(load(), display)
        try:
            with display:
                await supervisor.start()
            watching = asyncio.create_task(supervisor.watch())
            try:
                yield running.resolve(load())
            finally:
                watching.cancel()
        finally:
            await supervisor.stop()
            console.print(Text(f"Stopped. The data stays in {settings.data}; go on with it: threadline up", "dim"))


@asynccontextmanager
async def _key(settings: Settings) -> AsyncIterator[str]:
    """Return an API key that is revoked at the end."""
    id, token, hash = mint()
    async with opened(settings) as store:
        await store.create_api_key(
            id, "threadline demo", client(settings), ["timeline:read", PERSONAL, "webhooks:write"], hash
        )
        try:
            yield token
        finally:
            await store.revoke_api_key(id)


async def _post(console: Console, http: httpx.AsyncClient, story: Story) -> None:
    """Post the story in random order, some of it twice, and print the answers. Raises Failed."""
    draw = random.Random()  # noqa: S311  # an order, not a secret
    posts = story.posts + draw.sample(story.posts, int(len(story.posts) * TWICE))
    draw.shuffle(posts)
    again = len(posts) - len(story.posts)
    console.print(
        f"Posting {numbered(len(posts), 'request')} to {http.base_url.join(DOOR)}, shuffled, {again} of them twice:"
    )
    places = asyncio.Semaphore(AT_ONCE)

    async def answer(post: Post) -> tuple[str, int]:
        async with places:
            response = await http.post(f"{DOOR}{post.path}", content=post.body, headers=dict(post.headers))
        return post.source, response.status_code

    answers = Counter(await asyncio.gather(*map(answer, posts)))
    counts = table("source", "requests", "answered")
    for source in sorted(answers):
        counts.add_row(source[0], str(answers[source]), Text(str(source[1]), "green" if source[1] < 300 else "red"))
    console.print(counts)
    if refused := sum(count for (_, status), count in answers.items() if status >= 300):
        raise Failed(f"{refused} requests were refused; the log of the HTTP process says why.")


#: A customer's id and handles, the interactions of this run, and the number of others.
Timeline = tuple[str, list[dict[str, Any]], list[dict[str, Any]], int]


async def _see(http: httpx.AsyncClient, story: Story) -> list[Timeline]:
    """Return the timelines once they show every expected fact and text. Raises Failed after PATIENCE seconds."""
    deadline = time.monotonic() + PATIENCE
    while True:
        timelines: list[Timeline] = []
        missing: list[str] = []
        for handle, expected in story.expected.items():
            customer, interactions = await _read(http, handle)
            ours = [one for one in interactions if one["providerMessageId"] in expected]
            missing += story.missing(handle, ours)
            timelines.append(
                (customer.get("customerId", ""), customer.get("handles", []), ours, len(interactions) - len(ours))
            )
        if not missing:
            return timelines
        if time.monotonic() > deadline:
            raise Failed(
                f"After {PATIENCE:.0f} s the timelines lack: {'; '.join(missing)}. What is wrong? threadline doctor"
            )
        await asyncio.sleep(0.05)


async def _read(http: httpx.AsyncClient, handle: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    found = await http.get("/api/customers", params={"handle": handle})
    if found.status_code == 404:
        return {}, []
    customer = found.raise_for_status().json()
    page = await http.get(f"/api/customers/{customer['customerId']}/interactions", params={"limit": 200})
    return customer, page.raise_for_status().json()["interactions"]
