"""docs/access.md has the tables that the code has."""

from app.cli.support.scopes import markdown_lines
from tests.unit.docs.pages import ROOT


def test_the_page_has_the_tables_of_the_code() -> None:
    """Word for word; `threadline keys scopes --markdown` prints them."""
    page = (ROOT / "docs" / "access.md").read_text()
    assert "\n".join(markdown_lines()) in page
