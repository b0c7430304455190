"""Stores that speak the protocol of S3: one in memory, and moto's server, where it is installed beside the project.

moto cannot be in the lock file: botocore, which it needs, excludes the python-dateutil 4 that Faust's croniter pins.
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import format_datetime
from hashlib import sha256
from pathlib import Path
from xml.sax.saxutils import escape

import httpx

from adapters.signing.sigv4 import Credentials, signed
from app.embedded import ports

BUCKET = "bodies"
#: A page of a listing.
PAGE = 2


class InMemory:
    """Answers as Amazon S3 does, for one bucket with its name in the path. `broken` are statuses that come first."""

    def __init__(self, pages: int = PAGE) -> None:
        self.objects: dict[str, tuple[bytes, datetime]] = {}
        self.asked: list[str] = []
        self.broken: list[int | Exception] = []
        self._page = pages

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Handle a request, as `httpx.MockTransport` needs it."""
        self.asked.append(request.method)
        body = request.read()
        if self.broken:
            broken = self.broken.pop(0)
            if isinstance(broken, Exception):
                raise broken
            return _error(broken, {503: "SlowDown", 403: "SignatureDoesNotMatch"}.get(broken, "InternalError"))
        bucket, _, key = request.url.path.removeprefix("/").partition("/")
        if bucket != BUCKET:
            return _error(404, "NoSuchBucket")
        if not key:
            return self._list(request.url.params)
        if request.method == "DELETE":
            self.objects.pop(key, None)
            return httpx.Response(204)
        if request.method == "PUT" and (source := request.headers.get("x-amz-copy-source")):
            body = self.objects[source.removeprefix(f"/{BUCKET}/")][0]
            self.objects[key] = body, datetime.now(UTC)
            return httpx.Response(200, content=b"<CopyObjectResult/>")
        if request.method == "PUT":
            if sha256(body).hexdigest() != request.headers["x-amz-content-sha256"]:
                return _error(400, "XAmzContentSHA256Mismatch")
            if len(body) != int(request.headers["content-length"]):
                return _error(400, "IncompleteBody")
            self.objects[key] = body, datetime.now(UTC)
            return httpx.Response(200)
        if key not in self.objects:
            return _error(404, "NoSuchKey")
        body, then = self.objects[key]
        modified = {"last-modified": format_datetime(then, usegmt=True)}
        if "range" in request.headers:
            return httpx.Response(206, content=body[:1], headers=modified)
        return httpx.Response(200, content=body, headers=modified)

    def _list(self, asked: httpx.QueryParams) -> httpx.Response:
        keys = [key for key in sorted(self.objects) if key.startswith(asked["prefix"])]
        after = asked.get("continuation-token", "")
        most = min(int(asked["max-keys"]), self._page)
        found = [key for key in keys if key > after.rpartition("=")[2]]
        contents = "".join(
            f"<Contents><Key>{escape(key)}</Key><LastModified>{self.objects[key][1]:%Y-%m-%dT%H:%M:%S.000Z}"
            f"</LastModified><Size>{len(self.objects[key][0])}</Size></Contents>"
            for key in found[:most]
        )
        more = f"<NextContinuationToken>a+/b={found[most - 1]}</NextContinuationToken>" if len(found) > most else ""
        head = '<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        return httpx.Response(200, content=f"{head}{more}{contents}</ListBucketResult>".encode())


def _error(status: int, code: str) -> httpx.Response:
    return httpx.Response(status, content=f"<?xml version='1.0'?><Error><Code>{code}</Code></Error>".encode())


class Moto:
    """A running server of moto, which verifies signatures by botocore's own code, with a bucket and its user's credentials."""

    def __init__(self, endpoint: str, process: "subprocess.Popen[bytes]") -> None:
        self.endpoint = endpoint
        self.process = process
        root = Credentials("root", "root", "us-east-1", "iam")
        policy = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:*","kms:*"],"Resource":"*"}]}'
        self._post(root, "Action=CreateUser&UserName=threadline")
        self._post(
            root,
            str(
                httpx.QueryParams(
                    Action="PutUserPolicy", UserName="threadline", PolicyName="all", PolicyDocument=policy
                )
            ),
        )
        made = self._post(root, "Action=CreateAccessKey&UserName=threadline")
        self.key = made.partition("<AccessKeyId>")[2].partition("<")[0]
        self.secret = made.partition("<SecretAccessKey>")[2].partition("<")[0]
        url = f"{endpoint}/{BUCKET}"
        httpx.put(
            url, headers=signed("PUT", url, {}, b"", Credentials("root", "root", "us-east-1", "s3"), datetime.now(UTC))
        )
        httpx.post(f"{endpoint}/moto-api/reset-auth", content=b"0").raise_for_status()  # verify from now on

    def _post(self, credentials: Credentials, form: str) -> str:
        headers = {"content-type": "application/x-www-form-urlencoded"}
        made = signed("POST", f"{self.endpoint}/", headers, form.encode(), credentials, datetime.now(UTC))
        return httpx.post(f"{self.endpoint}/", headers=made, content=form.encode()).raise_for_status().text


@contextmanager
def moto(log: Path) -> Iterator[Moto | None]:
    """Run moto's server, or yield None where it is not installed."""
    program = shutil.which("moto_server")
    if program is None:
        yield None
        return
    port = ports.free()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    with log.open("wb") as out:
        process = subprocess.Popen(
            [program, "-H", "127.0.0.1", "-p", str(port)],
            env=environment,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
        try:
            endpoint = f"http://127.0.0.1:{port}"
            for _ in range(300):
                try:
                    httpx.get(f"{endpoint}/moto-api/data.json")
                    break
                except httpx.TransportError:
                    time.sleep(0.1)
            yield Moto(endpoint, process)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
