"""The page at /docs in Chromium, where that is installed (apt-get install chromium); its text alone where it is not."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest_asyncio
import uvicorn
from playwright.async_api import Browser, Page, async_playwright, expect
from starlette.applications import Starlette

from app.api import openapi
from app.embedded.ports import free
from tests.integration.serving import Server

CHROMIUM = next(
    (path for path in (Path("/usr/bin/chromium"), Path("/usr/bin/chromium-browser")) if path.exists()), None
)
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
OPERATIONS = sum(
    len({"get", "put", "post", "delete", "patch"} & item.keys()) for item in openapi.document()["paths"].values()
)


@asynccontextmanager
async def served() -> AsyncIterator[str]:
    """The base URL of a server that has the page."""
    config = uvicorn.Config(Starlette(routes=openapi.routes()), port=free(), ws="none", log_config=None, lifespan="off")
    server = Server(config)
    serve = asyncio.create_task(server.serve())
    await asyncio.wait_for(server.up.wait(), 10)
    try:
        yield f"http://127.0.0.1:{config.port}"
    finally:
        server.should_exit = True
        await asyncio.wait_for(serve, 10)


if CHROMIUM:

    @pytest_asyncio.fixture
    async def browser() -> AsyncIterator[Browser]:
        """Chromium."""
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            yield browser
            await browser.close()

    @asynccontextmanager
    async def opened(browser: Browser, url: str, *, width: int = 1400, dark: bool = False) -> AsyncIterator[Page]:
        """A new page of this width; whatever it complains of fails the test."""
        context = await browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light"
        )
        page = await context.new_page()
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text) if message.type != "log" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        await page.goto(f"{url}/docs")
        # Not by `wait_for_function`: the page's own policy forbids it to evaluate text.
        await expect(page.locator("#state", has_text=re.compile("^Reading"))).to_have_count(0)
        yield page
        await context.close()
        assert complaints == []

    async def test_page_shows_every_operation_on_any_screen(browser: Browser) -> None:
        """Light and dark, narrow and wide: all operations and schemas, nothing wider than the screen, readable ink."""
        async with served() as url:
            for width in (360, 400, 800, 1400):
                for dark in (False, True):
                    async with opened(browser, url, width=width, dark=dark) as page:
                        assert await page.locator("section.operation").count() == OPERATIONS
                        schemas = openapi.document()["components"]["schemas"]
                        assert await page.locator("section.schema").count() == len(schemas)
                        wide = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
                        assert wide <= 0, (width, dark)
                        ink, ground = [
                            await page.evaluate(f"getComputedStyle(document.body).{one}")
                            for one in ("color", "backgroundColor")
                        ]
                        assert (brightness(ink) > brightness(ground)) is dark
                        assert abs(brightness(ink) - brightness(ground)) > 180

    async def test_page_leads_about(browser: Browser) -> None:
        """The contents' links and those of types lead to a place on the page; narrow, the contents open first."""
        async with served() as url, opened(browser, url, width=400) as page:
            links = await page.eval_on_selector_all("a[href^='#']", "all => all.map(one => one.getAttribute('href'))")
            assert len(links) > OPERATIONS
            missing = await page.evaluate("links => links.filter(one => !document.getElementById(one.slice(1)))", links)
            assert missing == []
            await page.get_by_text("Contents", exact=True).click()
            await page.get_by_role("link", name="Follow a customer's timeline, live").click()
            await expect(page.locator("#followTimeline")).to_be_in_viewport()
            top = await page.evaluate("document.getElementById('followTimeline').getBoundingClientRect().top")
            assert 0 <= top < 200

    async def test_sample_can_be_copied(browser: Browser) -> None:
        """The button takes the command, which names this server."""
        async with served() as url, opened(browser, url) as page:
            await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
            operation = page.locator("#findCustomer")
            await operation.get_by_role("button", name="Copy").first.click()
            await expect(operation.get_by_role("button", name="Copied")).to_have_count(1)
            copied = await page.evaluate("navigator.clipboard.readText()")
            assert copied.startswith(f"curl '{url}/api/customers?handle=%2B15551234567'")

    async def test_nothing_in_the_description_runs(browser: Browser) -> None:
        """Markup in the description is shown as it is written, wherever it stands."""
        evil = "<img src=x onerror='document.title=1'><script>document.title=2</script>"
        text = openapi.orjson.dumps(openapi.document()).decode()
        for word in ("one timeline per customer.", "The customer.", "Whose customer is asked for.", "findCustomer"):
            assert word in text
            text = text.replace(word, evil)
        async with served() as url, opened(browser, url) as page:
            await page.route("**/openapi.json", lambda route: route.fulfill(body=text, content_type="application/json"))
            await page.reload()
            await page.wait_for_selector("section.operation")
            assert await page.locator("img, main script").count() == 0
            assert await page.title() == "Threadline API"
            assert evil in await page.inner_text("main")

    async def test_description_that_cannot_be_read_is_told(browser: Browser) -> None:
        """A word on what is wrong instead of an empty page."""
        async with served() as url:
            page = await browser.new_page()
            await page.route("**/openapi.json", lambda route: route.fulfill(status=503))
            await page.goto(f"{url}/docs")
            await page.get_by_text("/openapi.json answered 503").wait_for()
            await page.close()

else:

    async def test_page_is_checked_by_its_text_alone_as_chromium_is_not_installed() -> None:
        """No Chromium here: nothing inline that the page's policy would stop, and no word from elsewhere."""
        for name in ("docs.html", "docs.css", "docs.js"):
            text = (Path(openapi.__file__).parent / name).read_text()
            assert "//" not in text.replace("// ", "") or "http" not in text
            assert "style=" not in text and "onclick" not in text and "innerHTML" not in text


def brightness(colour: str) -> float:
    """Of `rgb(r, g, b)`, 0 to 255."""
    red, green, blue = (float(part) for part in colour.removeprefix("rgb(").rstrip(")").split(",")[:3])
    return 0.299 * red + 0.587 * green + 0.114 * blue
