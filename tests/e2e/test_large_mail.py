"""Mail with large attachments, through real Kafka and PostgreSQL: from the door to the API and back, byte for byte."""

import asyncio
import os
import random
import signal
import sys
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from email.message import EmailMessage
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
import pytest_asyncio

from tests.support.stack import ROOT, Stack
from tests.support.waiting import eventually

#: Webhooks are posted to the source's name; signatures are tested with the adapters.
SOURCES = {
    "parse": {"adapter": "sendgrid", "accept_unsigned": True},
    "postmark": {"adapter": "postmark", "accept_unsigned": True},
    "narrow": {"adapter": "postmark", "accept_unsigned": True, "max_body": 1 << 20},
}
BOUNDARY = "xYzZY"
MB = 1_000_000


def noise(size: int, seed: int) -> bytes:
    """Return bytes that do not compress."""
    return random.Random(seed).randbytes(size)  # a file, no secret


def form(sender: str, *files: tuple[str, str, bytes]) -> tuple[bytes, dict[str, str]]:
    """Return SendGrid's parsed mail:
    https://www.twilio.com/docs/sendgrid/for-developers/parsing-email/setting-up-the-inbound-parse-webhook."""
    fields = {
        "from": f"Ana <{sender}>", "to": "in@example.org", "subject": "Photos", "text": "See the files.",
        "envelope": orjson.dumps({"from": sender, "to": ["in@example.org"]}).decode(),
        "headers": f"Message-ID: <{sender}>\nSubject: Photos\n",
    }  # fmt: skip
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    for number, (name, kind, data) in enumerate(files, 1):
        head = f'Content-Disposition: form-data; name="attachment{number}"; filename="{name}"\r\nContent-Type: {kind}'
        parts += [f"--{BOUNDARY}\r\n{head}\r\n\r\n".encode(), data, b"\r\n"]
    body = b"".join([*parts, f"--{BOUNDARY}--\r\n".encode()])
    return body, {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}


def raw_form(sender: str, *files: tuple[str, str, bytes]) -> tuple[bytes, dict[str, str]]:
    """Return SendGrid's raw mail ("Post the raw, full MIME message")."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"], mail["Message-ID"] = sender, "in@example.org", "Photos", f"<{sender}>"
    mail.set_content("See the files.")
    for name, kind, data in files:
        main, _, sub = kind.partition("/")
        mail.add_attachment(data, maintype=main, subtype=sub, filename=name)
    body, headers = form(sender)
    end = f"--{BOUNDARY}--\r\n".encode()
    part = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="email"\r\n\r\n'.encode()
    return body.removesuffix(end) + part + mail.as_bytes() + b"\r\n" + end, headers


def postmark(sender: str, *files: tuple[str, str, bytes]) -> tuple[bytes, dict[str, str]]:
    """Return Postmark's parsed mail: https://postmarkapp.com/developer/webhooks/inbound-webhook."""
    mail = {
        "FromFull": {"Email": sender, "Name": "Ana"}, "From": sender, "To": "in@example.org", "Subject": "Photos",
        "MessageID": sha256(sender.encode()).hexdigest()[:32], "TextBody": "See the files.", "MailboxHash": "",
        "MessageStream": "inbound", "OriginalRecipient": "in@example.org", "Date": "Sat, 28 Nov 2026 10:00:00 +0000",
        "Attachments": [
            {"Name": name, "Content": b64encode(data).decode(), "ContentType": kind, "ContentLength": len(data)}
            for name, kind, data in files
        ],
    }  # fmt: skip
    return orjson.dumps(mail), {"content-type": "application/json"}


class System:
    """A running system, and the keys of two clients."""

    def __init__(self, stack: Stack, key: str, other: str) -> None:
        self.stack = stack
        self.http = httpx.AsyncClient(timeout=120)
        self.key, self.other = {"authorization": f"Bearer {key}"}, {"authorization": f"Bearer {other}"}

    async def post(self, source: str, body: bytes, headers: dict[str, str]) -> int:
        url = f"{self.stack.url}/webhooks/aggregate/{source}"
        return (await self.http.post(url, content=body, headers=headers)).status_code

    async def get(self, path: str, key: dict[str, str] | None = None) -> httpx.Response:
        return await self.http.get(f"{self.stack.url}{path}", headers=key or self.key)

    async def interaction(self, sender: str) -> dict[str, Any]:
        """Wait for the only interaction of a sender, and return it."""

        async def find() -> list[dict[str, Any]]:
            found = await self.http.get(f"{self.stack.url}/api/customers", params={"handle": sender}, headers=self.key)
            if found.status_code != 200:
                return []
            page = await self.get(f"/api/customers/{found.json()['customerId']}/interactions")
            rows: list[dict[str, Any]] = page.json()["interactions"]
            return rows

        [one] = await eventually(find, bool, within=60)
        return one

    def blobs(self) -> list[Path]:
        return [path for path in (self.stack.folder / "blobs").glob("??/*") if path.is_file()]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def system(servers_folder: Path) -> AsyncIterator[System]:
    """One system for the tests of this file; each uses senders of its own."""
    async with Stack(servers_folder / "large", sources=SOURCES) as stack:
        tokens = [await stack.key("timeline:read", "personal:read", client=client) for client in ("default", "other")]
        await asyncio.gather(stack.start("serve"), stack.start("work"))
        running = System(stack, *tokens)
        yield running
        await running.http.aclose()


pytestmark = pytest.mark.asyncio(loop_scope="module")
Make = Callable[..., tuple[bytes, dict[str, str]]]


@pytest.mark.parametrize(("source", "make"), [("parse", form), ("parse", raw_form), ("postmark", postmark)])
async def test_a_mail_of_25_mb_comes_back_byte_for_byte(system: System, source: str, make: Make) -> None:
    """Each file has its name, type, size and digest, and the API returns its bytes, to be saved and never shown."""
    sender = f"{make.__name__}@example.com"
    files = [
        ("Foto é.jpg", "image/jpeg", noise(16 * MB, 1)),
        ("page.html", "text/html", b"<script>alert(1)</script>\n" * 40_000),
        ("b.bin", "application/octet-stream", noise(6 * MB, 2)),
    ]
    body, headers = make(sender, *files)
    assert await system.post(source, body, headers) in (200, 204)

    one = await system.interaction(sender)

    assert one["content"]["text"].strip() == "See the files."
    assert [(m["name"], m["type"], m["size"], m["digest"]) for m in one["content"]["media"]] == [
        (name, kind, len(data), sha256(data).hexdigest()) for name, kind, data in files
    ]
    path = f"/api/interactions/{one['interactionId']}/attachments"
    for n, (_, kind, data) in enumerate(files):
        answer = await system.get(f"{path}/{n}")
        assert answer.status_code == 200, answer.text
        assert answer.content == data
        assert answer.headers["content-type"] == kind
        assert answer.headers["content-disposition"].startswith("attachment; filename=")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"].startswith("sandbox")
    assert (await system.get(f"{path}/0", system.other)).status_code == 404
    assert (await system.get(f"{path}/3")).status_code == 404
    [[largest]] = await system.stack.rows("SELECT max(size) FROM threadline.raw_webhooks")
    assert largest < 100_000


async def test_a_redelivery_is_stored_once(system: System) -> None:
    """The same mail again makes no second blob and no second event."""
    body, headers = form("twice@example.com", ("a.bin", "application/octet-stream", noise(2 * MB, 3)))
    before = len(system.blobs())
    assert [await system.post("parse", body, headers) for _ in range(2)] == [200, 200]
    await system.interaction("twice@example.com")
    assert len(system.blobs()) == before + 1
    one = await system.interaction("twice@example.com")
    events = (await system.get(f"/api/interactions/{one['interactionId']}")).json()["events"]
    assert len([event for event in events if event["type"] == "MessageReceived"]) == 1


async def test_a_source_has_a_limit_of_its_own(system: System) -> None:
    """A body above the source's limit is refused."""
    body, headers = postmark("narrow@example.com", ("a.bin", "application/octet-stream", noise(MB, 4)))
    assert await system.post("narrow", body, headers) == 413


async def test_a_deleted_body_makes_a_dead_letter_that_can_be_replayed(system: System) -> None:
    """While the worker is down the body is deleted; its record becomes a dead letter with the reason, and its neighbours go
    on."""
    await system.stack.children["work"].stop()
    body, headers = postmark("gone@example.com", ("a.bin", "application/octet-stream", noise(MB, 5)))
    before = set(system.blobs())
    assert await system.post("postmark", body, headers) == 200
    [blob] = set(system.blobs()) - before
    kept = blob.read_bytes()
    blob.unlink()
    body, headers = postmark("after@example.com", ("a.bin", "application/octet-stream", noise(MB, 6)))
    assert await system.post("postmark", body, headers) == 200
    await system.stack.start("work")
    await system.interaction("after@example.com")

    async def letters() -> list[Any]:
        return await system.stack.rows(
            "SELECT id, reason, octet_length(value) FROM threadline.dead_letters WHERE reason LIKE 'its body%'"
        )

    [(id, reason, size)] = await eventually(letters, bool)
    assert "deleted" in reason and size < 10_000

    blob.write_bytes(kept)
    replay = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "app.cli", "dead-letters", "replay", str(id),
        env={**os.environ, **system.stack.environment, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert await replay.wait() == 0
    assert (await system.interaction("gone@example.com"))["content"]["media"][0]["size"] == MB


async def test_kafka_away(system: System) -> None:
    """While Kafka is away the reference goes to the spool and the body to its folder; when it is back both are read."""
    await system.stack.kafka.stop()
    body, headers = form("away@example.com", ("a.bin", "application/octet-stream", noise(3 * MB, 7)))
    assert await system.post("parse", body, headers) == 200
    spooled = sum(path.stat().st_size for path in (system.stack.folder / "spool").rglob("*") if path.is_file())
    assert 0 < spooled < 100_000
    await system.stack.kafka.start()
    one = await system.interaction("away@example.com")
    answer = await system.get(f"/api/interactions/{one['interactionId']}/attachments/0")
    assert answer.content == noise(3 * MB, 7)


async def test_a_door_that_is_killed_while_a_body_arrives(system: System) -> None:
    """Nothing was acknowledged, and what arrived is left in `incoming`, from where it is swept; the next door goes on."""
    body, headers = form("killed@example.com", ("a.bin", "application/octet-stream", noise(20 * MB, 8)))

    async def half() -> AsyncIterator[bytes]:
        yield body[: 5 * MB]
        await asyncio.sleep(0.5)
        os.kill(system.stack.children["serve"].pid, signal.SIGKILL)
        yield body[5 * MB :]

    with pytest.raises(httpx.TransportError):
        await system.http.post(f"{system.stack.url}/webhooks/aggregate/parse", content=half(), headers=headers)
    assert any((system.stack.folder / "blobs" / "incoming").iterdir())
    await system.stack.children["serve"].wait()
    await system.stack.start("serve")
    assert await system.post("parse", body, headers) == 200
    one = await system.interaction("killed@example.com")
    assert one["content"]["media"][0]["size"] == 20 * MB
