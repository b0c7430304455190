"""Gives the tests of this folder the key with which the store encrypts."""

import json

import pytest

from tests.support.keys import KEY


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set `secrets.keys` for settings that do not set it, and for processes that a test starts."""
    monkeypatch.setenv("THREADLINE_SECRETS__KEYS", json.dumps([KEY]))
