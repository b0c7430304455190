"""The pages of docs/: what one tries on one machine fits what it is tried with."""

import re

from adapters.twilio.simulator import ACCOUNT
from tests.unit.docs.pages import ROOT


def test_the_callbacks_page_sends_by_the_account_that_the_simulator_has() -> None:
    """Any other is refused as not authenticated."""
    page = (ROOT / "docs" / "callbacks.md").read_text()
    assert re.findall("account_sid=(AC[0-9a-f]+)", page) == [ACCOUNT]
