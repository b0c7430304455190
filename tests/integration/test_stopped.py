"""A real worker that is stopped (SIGSTOP) between its attempt and the call, while another one takes its message over."""

import asyncio
import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

import orjson
import psutil
import pytest

from adapters import ADAPTERS
from agents.health import WorkerHealth
from agents.sender.due import Due
from agents.transport import Transport
from agents.transport.oauth import Tokens
from app.clients.configured import Clients
from app.sending.incoming import new_message
from app.sending.requests import read_request
from app.settings import Settings
from sql import EventStore, NewMessage
from tests.conftest import Dsns
from tests.faults.moody import Moody
from tests.faults.senders import configuration, request_of, sources
from tests.fixtures import accounts
from tests.integration.stopping import LOOKUP_AFTER
from tests.support.adapted import asked_after
from tests.support.keys import SEAL
from tests.support.waiting import until

LEASE, TIMEOUT = 6.0, 1.5


async def test_a_worker_that_was_stopped_does_not_call_any_more(
    postgres_dsn: Dsns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The provider says, when asked, that it took nothing; the second worker sends; the first one goes on, and calls nobody."""
    monkeypatch.setitem(ADAPTERS, "postmark", asked_after("postmark", LOOKUP_AFTER))
    async with Moody("postmark", accounts("postmark").settings, share=0.0, seed=1) as provider:
        known = sources({"postmark": provider})
        settings = Settings.model_validate({"sources": known, "sending": {"lease": LEASE, "timeout": TIMEOUT}})
        async with await EventStore.open(postgres_dsn.service, SEAL, pool=4) as store:
            await store.set_client("default", configuration(["postmark"]), "test")
            clients = Clients(store, settings)
            request = read_request(request_of(["postmark"], 1), client_id="default")
            message = new_message(request, await clients.client("default"), datetime.now(UTC))
            assert isinstance(message, NewMessage)
            await store.accept([message])
            first = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tests.integration.stopping", "8",
                env=os.environ | {
                    "THREADLINE_DATA": str(tmp_path),
                    "THREADLINE_POSTGRES__DSN": postgres_dsn.service,
                    "THREADLINE_SOURCES": orjson.dumps(known).decode(),
                    "THREADLINE_SENDING__LEASE": str(LEASE),
                    "THREADLINE_SENDING__TIMEOUT": str(TIMEOUT),
                },
            )  # fmt: skip
            process = psutil.Process(first.pid)
            try:
                await until(lambda: process.status() == psutil.STATUS_STOPPED, 60)
                transport = Transport(timeout=TIMEOUT)
                due = Due(store, clients, transport.carry, Tokens(transport.carry), WorkerHealth(), settings.sending)
                second = asyncio.create_task(due.run())
                await until(lambda: sum(provider.taken.values()) > 0, 60)
                process.send_signal(signal.SIGCONT)
                assert await first.wait() == 0
            finally:
                if first.returncode is None:
                    first.kill()
            second.cancel()
            await asyncio.gather(second, return_exceptions=True)
            await transport.close()
            row = await store.message("default", request.message_id)
    assert provider.taken == {"number 1": 1}
    assert row is not None and row["state"] == "sent"
    assert [attempt["outcome"] for attempt in row["attempts"]].count("accepted") == 1
