"""The pages of the repository, for their tests."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
#: Folders with pages of the project. Others (.venv, build, node_modules) hold what was installed or made.
FOLDERS = ("adapters", "agents", "app", "bench", "deploy", "docs", "schemas", "sql", "tests", "webhooks")
PAGES = sorted(ROOT.glob("*.md")) + sorted(
    page for folder in FOLDERS for page in (ROOT / folder).rglob("*.md") if "node_modules" not in page.parts
)

_FENCE = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)


def without_code(text: str, inline: bool = True) -> str:
    """Return a page's text without its blocks of code, and without code in its lines if `inline`."""
    text = _FENCE.sub("", text)
    return re.sub(r"(?<!`)`[^`\n]+`(?!`)", "", text) if inline else text


def code(text: str) -> list[str]:
    """Return the lines of a page's blocks of code, and each piece of code in its lines."""
    blocks = [line for block in _FENCE.findall(text) for line in block.splitlines()]
    return blocks + re.findall(r"(?<!`)`([^`\n]+)`(?!`)", _FENCE.sub("", text))
