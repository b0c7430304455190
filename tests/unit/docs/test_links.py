"""The pages: each relative link and anchor leads somewhere, and each page of docs/ is in the site's navigation and in docs/index.md."""

import re
from functools import cache
from pathlib import Path

import pytest

from tests.unit.docs.pages import PAGES, ROOT, without_code

LINK = re.compile(r"\[(?:[^\[\]]|\[[^\]]*\])*\]\(([^()\s]+)\)")
HEADING = re.compile(r"^#{1,6} +(.+?)\s*$", re.MULTILINE)


@cache
def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub gives to the headings of `page`."""
    found: set[str] = set()
    for heading in HEADING.findall(without_code(page.read_text("utf-8"), inline=False)):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
        number, name = 0, slug
        while name in found:
            number += 1
            name = f"{slug}-{number}"
        found.add(name)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_each_link_leads_somewhere(page: Path) -> None:
    """A relative link names a file or folder of the tree, and an anchor a heading of the page."""
    broken = []
    for link in LINK.findall(without_code(page.read_text("utf-8"))):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            broken.append(link)
    assert not broken


def test_each_page_is_in_the_navigation() -> None:
    """mkdocs.yml names each page of docs/, and no page that does not exist."""
    named = set(re.findall(r": (\S+\.md)$", (ROOT / "mkdocs.yml").read_text("utf-8"), re.MULTILINE))
    assert {f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md")} <= named
    assert all((ROOT / name).exists() for name in named)


def test_each_page_is_in_the_index() -> None:
    """docs/index.md links to each other page of docs/."""
    linked = set(LINK.findall((ROOT / "docs" / "index.md").read_text("utf-8")))
    assert {page.name for page in (ROOT / "docs").glob("*.md")} - {"index.md"} <= linked
