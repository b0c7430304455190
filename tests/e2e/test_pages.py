"""The page at /docs in Chromium, where that is installed (apt-get install chromium); its text alone where it is not."""

import asyncio
import itertools
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace

import orjson
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
SUMMARIES = [
    item[method]["summary"]
    for item in openapi.document()["paths"].values()
    for method in ("get", "put", "post", "delete", "patch")
    if method in item
]
COLOURS = """() => {
    const found = getComputedStyle(document.querySelector("h1"));
    return [found.color, getComputedStyle(document.body).backgroundColor];
}"""

#: The names in tables that take several lines, and the paths in lists of operations that end outside their list.
CUT = """() => {
    const names = [...document.querySelectorAll(".markdown td code")].filter((one) => one.getClientRects().length > 1);
    const paths = [...document.querySelectorAll(".endpoint-path")].filter((one) => {
        const list = one.closest(".endpoints").getBoundingClientRect();
        return one.getBoundingClientRect().right > list.right + 1 || one.scrollWidth > one.clientWidth + 1;
    });
    return [names.map((one) => one.innerText), paths.map((one) => one.innerText)];
}"""


@asynccontextmanager
async def served() -> AsyncIterator[str]:
    """The base URL of a server that has the page."""
    app = Starlette(routes=openapi.routes())
    app.state.api = SimpleNamespace(settings=SimpleNamespace(api=SimpleNamespace(description="open")))
    config = uvicorn.Config(app, port=free(), ws="none", log_config=None, lifespan="off")
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
        page.on(
            "console", lambda message: complaints.append(message.text) if message.type not in ("log", "info") else None
        )
        page.on("pageerror", lambda error: complaints.append(str(error)))
        await page.goto(f"{url}/docs")
        await page.wait_for_selector(f"text={SUMMARIES[0]}", state="attached")
        yield page
        await context.close()
        assert complaints == []

    async def test_page_shows_every_operation_on_any_screen(browser: Browser) -> None:
        """Light and dark, narrow and wide: all operations, nothing wider than the screen, readable ink."""
        async with served() as url:
            for width, dark in itertools.product((400, 1400), (False, True)):
                async with opened(browser, url, width=width, dark=dark) as page:
                    for summary in SUMMARIES:
                        await expect(page.get_by_text(summary).first).to_be_attached()
                    wide = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
                    assert wide <= 0, (width, dark)
                    ink, ground = await page.evaluate(COLOURS)
                    assert (brightness(ink) > brightness(ground)) is dark
                    assert abs(brightness(ink) - brightness(ground)) > 180

    async def test_names_stay_whole_and_no_path_is_cut(browser: Browser) -> None:
        """A scope's name is not broken within its table; a long path in a list of operations goes on below."""
        async with served() as url:
            for width in (400, 1400):
                async with opened(browser, url, width=width) as page:
                    broken, cut = await page.evaluate(CUT)
                    assert (broken, cut) == ([], []), width

    async def test_page_asks_no_other_host(browser: Browser) -> None:
        """Each request goes to this server, also while an operation is shown that is far down the page."""
        async with served() as url:
            asked: list[str] = []
            context = await browser.new_context()
            context.on("request", lambda request: asked.append(request.url))
            page = await context.new_page()
            await page.goto(f"{url}/docs#tag/recipients")
            await page.wait_for_selector(f"text={SUMMARIES[0]}", state="attached")
            await page.mouse.wheel(0, 20_000)
            await page.wait_for_load_state("networkidle")
            await context.close()
        assert {f"{url}/docs", f"{url}/docs/scalar.js", f"{url}/docs/start.js", f"{url}/openapi.json"} <= {
            one.partition("#")[0] for one in asked
        }
        assert [one for one in asked if not one.startswith((url, "data:", "blob:"))] == []

    async def test_nothing_in_the_description_runs(browser: Browser) -> None:
        """Markup in the description runs no script, wherever it stands."""
        evil = "<img src=x onerror='document.title=1'><script>document.title=2</script>"
        text = orjson.dumps(openapi.document()).decode()
        for word in ("one timeline per customer.", "The customer.", "The customer's address in it.", "findCustomer"):
            assert word in text
            text = text.replace(word, evil)
        async with served() as url:
            page = await browser.new_page()
            await page.route("**/openapi.json", lambda route: route.fulfill(body=text, content_type="application/json"))
            await page.goto(f"{url}/docs")
            await page.wait_for_selector(f"text={SUMMARIES[0]}", state="attached")
            assert await page.locator("#reference script, #reference [onerror]").count() == 0
            assert not (await page.title()).isdigit()
            await page.close()

else:

    def test_page_is_checked_by_its_text_alone_as_chromium_is_not_installed() -> None:
        """No Chromium here: nothing inline that the page's policy would stop, and no word from elsewhere."""
        for name in ("index.html", "start.js"):
            text = (Path(openapi.__file__).parents[1] / "reference" / name).read_text()
            assert "<script>" not in text and "style=" not in text and "onclick" not in text
            assert "http" not in re.sub("^//.*$", "", text, flags=re.MULTILINE)


def brightness(colour: str) -> float:
    """Of `rgb(r, g, b)`, 0 to 255."""
    red, green, blue = (float(part) for part in colour.removeprefix("rgb(").rstrip(")").split(",")[:3])
    return 0.299 * red + 0.587 * green + 0.114 * blue
