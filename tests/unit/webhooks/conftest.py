"""Puts each request to the door in both ways in which a server can: as ASGI messages, and whole."""

import pytest

from tests.unit.webhooks import doors


@pytest.fixture(params=[False, True], ids=["messages", "whole"])
def at_once(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether the door of `doors` is offered whole requests."""
    given: bool = request.param
    monkeypatch.setattr(doors, "AT_ONCE", given)
    return given
