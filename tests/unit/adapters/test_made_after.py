"""Each fixture names the provider's pages after which it was made, so that a reviewer can hold it against them."""

from pathlib import Path

import pytest

from adapters import PROVIDERS
from tests.fixtures import accounts, fixtures

ADAPTERS = Path(__file__).parents[3] / "adapters"


@pytest.mark.parametrize("provider", [name for name in PROVIDERS if fixtures(name)])
def test_fixtures_name_the_pages_that_they_were_made_after(provider: str) -> None:
    """At least one each, under "Sources" on the provider's page, and with a line about what was read there. One list serves all
    fixtures of a provider, unless `fixtures` in settings.json has another for one of them."""
    _, _, sources = (ADAPTERS / provider / "README.md").read_text("utf-8").partition("\n## Sources\n")
    for file in fixtures(provider):
        made_after = accounts(provider, file.stem).made_after
        assert made_after, f"{provider}/settings.json has no madeAfter"
        assert [url for url in made_after if not url.startswith("https://") or url not in sources] == []
        assert [url for url, read in made_after.items() if len(read.split()) < 4] == []
