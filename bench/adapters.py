"""Measures adapters: microseconds to verify and normalize a webhook of one event, for each provider's slowest fixture.

The limit is the work that no adapter can avoid: parsing the body once, and one HMAC over it.
"""

import gc
import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from urllib.parse import parse_qsl

import orjson

from adapters import ADAPTERS, PROVIDERS, interpret
from adapters.contract import Request
from app.cli.support.http_file import read_request
from bench import alone
from tests.fixtures import accounts, fixtures

#: Runs of one fixture, each timed separately; the median counts.
RUNS = 60


@dataclass(frozen=True, slots=True)
class Cost:
    """The slowest fixture of one provider, in microseconds; `public_key`: its signature scheme uses one."""

    provider: str
    fixture: str
    took: float
    limit: float
    public_key: bool


def measure(runs: int = RUNS) -> list[Cost]:
    """Return the cost of each provider that has a fixture of one event, cheapest first."""
    gc.collect()
    gc.disable()
    try:
        found = [cost for name in PROVIDERS if (cost := _slowest(name, runs)) is not None]
    finally:
        gc.enable()
    return sorted(found, key=lambda cost: cost.took)


def _slowest(provider: str, runs: int) -> Cost | None:
    costs = [cost for file in fixtures(provider) if (cost := _cost(provider, file, runs)) is not None]
    return max(costs, key=lambda cost: cost.took, default=None)


def _cost(provider: str, file: Path, runs: int) -> Cost | None:
    came, account = read_request(file.read_bytes()), accounts(provider, file.stem)
    adapter, values, url = ADAPTERS[provider], account.values, came.url()

    def work() -> int:
        request = Request(came.method, url, came.headers, came.body, account.at, provider)
        adapter.verify(request, values)
        found = interpret(request, provider)
        return len(found.events) + len(found.unprocessable)

    def least() -> object:
        hmac.digest(b"secret", came.body, "sha256")
        return orjson.loads(came.body) if came.body[:1] in (b"{", b"[") else parse_qsl(came.body.decode("latin-1"))

    if work() != 1:
        return None
    return Cost(provider, file.stem, _median(work, runs), _median(least, runs), bool(account.private_key))


def _median(act: Callable[[], object], runs: int) -> float:
    took = []
    for _ in range(runs):
        began = time.thread_time_ns()  # processor time, so that other work on the machine does not count
        act()
        took.append(time.thread_time_ns() - began)
    return median(took) / 1000


if __name__ == "__main__":
    alone.part("adapters", __doc__)
