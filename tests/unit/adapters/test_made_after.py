"""Each fixture names the provider's pages after which it was made, so that a reviewer can hold it against them."""

from pathlib import Path

from tests.fixtures import accounts
from tests.unit.adapters.test_adapters import each_fixture

ADAPTERS = Path(__file__).parents[3] / "adapters"


@each_fixture
def test_a_fixture_names_the_pages_that_it_was_made_after(provider: str, file: Path) -> None:
    """At least one, each under "Sources" on the provider's page, and with a line about what was read there. One list serves all
    fixtures of a provider, unless `fixtures` in settings.json has another for one of them."""
    made_after = accounts(provider, file.stem).made_after
    _, _, sources = (ADAPTERS / provider / "README.md").read_text("utf-8").partition("\n## Sources\n")
    assert made_after, f"{provider}/settings.json has no madeAfter"
    assert [url for url in made_after if not url.startswith("https://") or url not in sources] == []
    assert [url for url, read in made_after.items() if len(read.split()) < 4] == []
