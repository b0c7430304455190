"""Mail with large attachments, kept in a bucket: from the door to the API and back, and the door while the bucket is away."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import httpx
import pytest

from tests.e2e.test_large_mail import MB, SOURCES, System, noise, postmark
from tests.support.s3 import BUCKET, moto
from tests.support.stack import ROOT, Stack


async def test_a_mail_is_kept_in_the_bucket(servers_folder: Path) -> None:
    """Twice posted it is one object, whose attachment the API returns. While the bucket is away a large mail gets 503 with
    Retry-After; with another secret the door does not start."""
    with moto(servers_folder / "moto.log") as server:
        if server is None:
            pytest.skip("moto_server is not on the PATH")
        s3 = {
            "bucket": BUCKET,
            "endpoint": server.endpoint,
            "access_key_id": server.key,
            "secret_access_key": server.secret,
        }
        async with Stack(servers_folder / "s3", sources=SOURCES, blobs={"s3": s3}) as stack:
            token = await stack.key("timeline:read", "personal:read")
            await asyncio.gather(stack.start("serve"), stack.start("work"))
            system = System(stack, token, token)
            body, headers = postmark("bucket@example.com", ("a.bin", "application/octet-stream", noise(3 * MB, 1)))

            assert [await system.post("postmark", body, headers) for _ in range(2)] == [200, 200]
            one = await system.interaction("bucket@example.com")
            answer = await system.get(f"/api/interactions/{one['interactionId']}/attachments/0")
            assert (answer.status_code, answer.content) == (200, noise(3 * MB, 1))
            assert not system.blobs()

            wrong = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "app.cli", "serve",
                env={**os.environ, **stack.environment, "PYTHONPATH": str(ROOT),
                     "THREADLINE_BLOBS__S3__SECRET_ACCESS_KEY": "another"},
                stderr=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL,
            )  # fmt: skip
            _, said = await wrong.communicate()
            assert wrong.returncode == 2
            assert b"403 SignatureDoesNotMatch: check blobs.s3.secret_access_key" in said and b"another" not in said

            os.killpg(server.process.pid, signal.SIGKILL)
            url = f"{stack.url}/webhooks/aggregate/postmark"
            away: httpx.Response = await system.http.post(url, content=body, headers=headers)
            assert (away.status_code, away.headers["retry-after"]) == (503, "10")
            small, headers = postmark("small@example.com")
            assert await system.post("postmark", small, headers) == 200
            await system.http.aclose()
