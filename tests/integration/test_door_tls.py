"""The HTTP process where it ends TLS itself: what is refused, what its limits are then, and how its certificate changes."""

import asyncio
import hmac
import shutil
import ssl
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from app.embedded import addresses
from app.http.listening.connections import Bounds, Connections
from app.http.listening.handshake import Front, Handshake
from app.http.listening.tls import server_context
from app.settings import Door, Tls
from tests.integration.reloaded import BODY, Process, running, section
from tests.support.certificate import Authority
from tests.support.waiting import eventually

AWAY = {"THREADLINE_POSTGRES__DSN": "postgresql://x@127.0.0.1:1/x", "THREADLINE_KAFKA__BOOTSTRAP": "127.0.0.1:1"}
SOURCE = section("first", "one")


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Signs the certificates of the door and of its callers."""
    return Authority(tmp_path)


class TlsDoor:
    """The HTTP process with TLS. PostgreSQL and Kafka are away, so that it spools."""

    def __init__(self, folder: Path, authority: Authority) -> None:
        self.process = Process("serve", folder, AWAY)
        self.authority = authority
        self.certificate, self.key = folder / "door.pem", folder / "door.key"
        self.renew()

    def renew(self) -> None:
        """Put a new certificate in the place of the one before, and its key."""
        certificate, key = self.authority.issue("door")
        shutil.move(certificate, self.certificate)
        shutil.move(key, self.key)

    def write(self, *more: str, sources: str = SOURCE, door: str = "") -> None:
        """Write the settings, with these lines in the section of TLS and in that of the door."""
        files = f'certificate = "{self.certificate}"\nkey = "{self.key}"\n'
        self.process.write(f"[door]\n{door}\n[door.tls]\n{files}" + "\n".join(more), sources)

    def client(self, *certificate: Path) -> httpx.AsyncClient:
        """A client that trusts the authority, with a certificate of its own if one is given."""
        trusted = ssl.create_default_context(cafile=self.authority.file)
        if certificate:
            trusted.load_cert_chain(certificate[0], certificate[1])
        url = f"https://localhost:{self.process.port}"
        return httpx.AsyncClient(base_url=url, verify=trusted, trust_env=False, timeout=30)

    @asynccontextmanager
    async def running(self, *certificate: Path) -> AsyncIterator[httpx.AsyncClient]:
        """The process, started; a client of it."""
        await self.process.http.aclose()
        self.process.http = self.client(*certificate)
        async with running(self.process):
            yield self.process.http

    async def raw(self, sent: bytes = b"") -> bytes:
        """Send bytes without TLS; all that comes back until the connection ends."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.process.port)
        writer.write(sent)
        try:
            return await asyncio.wait_for(reader.read(), 30)
        except ConnectionError:
            return b""
        finally:
            writer.close()

    async def openssl(self, *options: str) -> tuple[int | None, str]:
        """`openssl s_client` with these options: its exit status, and what it printed."""
        program = ("openssl", "s_client", "-connect", f"127.0.0.1:{self.process.port}", *options)
        pipe = asyncio.subprocess.PIPE
        child = await asyncio.create_subprocess_exec(
            *program, stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=asyncio.subprocess.STDOUT
        )
        out, _ = await asyncio.wait_for(child.communicate(), 30)
        return child.returncode, out.decode(errors="replace")

    async def serial(self) -> str:
        """The serial number of the certificate that a new connection gets."""
        context = ssl.create_default_context(cafile=self.authority.file)
        _, writer = await asyncio.open_connection("localhost", self.process.port, ssl=context)
        found: str = writer.get_extra_info("peercert")["serialNumber"]
        writer.close()
        return found


@pytest.fixture
def door(tmp_path: Path, authority: Authority) -> TlsDoor:
    """One that is not started."""
    return TlsDoor(tmp_path, authority)


def signed(secret: str = "one") -> dict[str, str]:
    """The headers of a webhook of the source `first`."""
    signature = hmac.new(secret.encode(), BODY, "sha256").hexdigest()
    return {"content-type": "application/json", "x-hub-signature-256": f"sha256={signature}"}


async def test_what_is_spoken(door: TlsDoor) -> None:
    """TLS 1.2 and 1.3 with forward secrecy and authenticated encryption. TLS 1.1 and older suites are refused. Plain HTTP is
    closed, and leaves no line in the log. Webhooks are taken; this machine's commands trust the certificate that is set."""
    door.write(door="header_timeout = 5")
    async with door.running() as http:
        assert (await http.post("/webhooks/aggregate/first", content=BODY, headers=signed())).status_code == 200
        trusting = addresses.trust(Door(tls=Tls(certificate=door.certificate, key=door.key)))
        async with httpx.AsyncClient(verify=trusting, trust_env=False) as local:
            assert (await local.get(f"https://127.0.0.1:{door.process.port}/healthz")).status_code == 200
        for version in ("-tls1_2", "-tls1_3"):
            status, shown = await door.openssl(version)
            assert status == 0 and "Verification" in shown, shown
        code, refused = await door.openssl("-tls1_1", "-cipher", "ALL:@SECLEVEL=0")
        assert code == 1 and "Cipher is (NONE)" in refused
        code, refused = await door.openssl("-tls1_2", "-cipher", "AES128-SHA:AES128-GCM-SHA256:ECDHE-ECDSA-AES128-SHA")
        assert code == 1 and "Cipher is (NONE)" in refused
        answered = await door.raw(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
        assert b"HTTP" not in answered  # at most an alert of TLS
        page = (await http.get("/metrics")).text
        assert 'connections_ended_total{reason="handshake"} 3.0' in page
    lines = door.process.child.log.read_text()
    assert "Traceback" not in lines and "handshake" not in lines


async def test_the_limits_hold(door: TlsDoor) -> None:
    """A handshake that does not begin, or stays half done, ends when a head must be there, and counts as a connection until
    then. So do a head and a body that are slow, or too large, inside TLS; each answer is read whole."""
    door.write(door="header_timeout = 2\nidle_timeout = 3\nbody_grace = 1\nbody_timeout = 3")
    async with door.running() as http:
        context = ssl.create_default_context(cafile=door.authority.file)

        async def inside(sent: bytes) -> bytes:
            reader, writer = await asyncio.open_connection("localhost", door.process.port, ssl=context)
            writer.write(sent)
            try:
                return await asyncio.wait_for(reader.read(), 30)
            finally:
                writer.close()

        hello = _hello(context)
        waiting = asyncio.gather(door.raw(), door.raw(hello[:50]), door.raw(hello))
        await eventually(lambda: _metric(http, "connections"), lambda open: open >= 4)
        head = b"POST /webhooks/aggregate/first HTTP/1.1\r\nhost: x\r\n"
        silent, slow, idle, body, large = await asyncio.gather(
            inside(b""),
            inside(head),
            inside(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"),
            inside(head + b"content-length: 1000\r\n\r\n"),
            inside(head + b"x-y: " + b"1" * 50_000 + b"\r\n\r\n"),
        )
        assert silent == b""
        assert [each[9:12] for each in (slow, idle, body, large)] == [b"408", b"200", b"408", b"431"]
        nothing, begun, half = await waiting
        assert nothing == begun == b""
        assert half.startswith(b"\x16\x03\x03")  # the server's part of the handshake, and nothing after it
        assert 'connections_ended_total{reason="slow handshake"} 3.0' in (await http.get("/metrics")).text


async def test_handshakes_make_room(authority: Authority) -> None:
    """A handshake is a member of the table of connections, so that an address with too many of them loses them first."""
    certificate, key = authority.issue("door")
    context = server_context(Tls(certificate=certificate, key=key))
    assert context is not None
    table = Connections(Bounds(connections=4, head_timeout=600))
    front = Front(table, context)

    def never() -> Handshake:
        raise AssertionError("no handshake is completed")

    server = await asyncio.get_running_loop().create_server(lambda: front.protocol(never), "127.0.0.1", 0)  # type: ignore[arg-type]
    port = server.sockets[0].getsockname()[1]
    opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(12)]
    await eventually(lambda: asyncio.sleep(0, table.ended["full"]), lambda ended: ended == 8)
    assert table.count == len(front.pending) == 4
    front.close()
    await eventually(lambda: asyncio.sleep(0, table.count), lambda count: count == 0)
    server.close()
    for _, writer in opened:
        writer.close()


async def test_the_certificate_changes_under_load(door: TlsDoor) -> None:
    """New files are used for new connections, a file that does not fit is refused and named, and no request fails."""
    door.write()
    async with door.running() as http:
        answers: Counter[object] = Counter()

        enough = asyncio.Event()

        async def call() -> None:
            while (
                not enough.is_set()
            ):  # not cancelled, since httpx leaves a connection open whose handshake is cancelled
                async with door.client() as once:  # a connection of its own, and one that is kept
                    for each in (once, http):
                        answered = await each.post("/webhooks/aggregate/first", content=BODY, headers=signed())
                        answers[answered.status_code] += 1

        callers = [asyncio.create_task(call()) for _ in range(2)]
        try:
            first = await door.serial()
            door.renew()
            await door.process.reach(1)
            second = await door.serial()
            good = door.key.read_bytes()
            door.key.write_bytes(door.authority.issue("other")[1].read_bytes())
            await eventually(lambda: door.process.metric("refused"), lambda refused: refused == 1)
            assert await door.serial() == second != first
            door.key.write_bytes(good)
            await door.process.reach(2)
            seen = answers.total()
            await eventually(lambda: asyncio.sleep(0, answers.total()), lambda total: total > seen)
        finally:
            enough.set()
            await asyncio.gather(*callers)
        assert set(answers) == {200}
    (refused,) = door.process.logged("settings_refused")
    assert refused["faults"] == ["door.tls.certificate and door.tls.key cannot be used together: key values mismatch"]


async def test_client_certificates_are_required(door: TlsDoor, tmp_path: Path) -> None:
    """With `client_ca` a caller without a certificate, with an expired one, one of tomorrow, or one of another CA is refused in the
    handshake; the log says why, without the certificate."""
    callers = Authority(tmp_path, "callers")
    good, expired = callers.issue("relay"), callers.issue("relay", expired=True)
    early = callers.issue("relay", early=True)
    stranger = Authority(tmp_path, "strangers").issue("relay")
    door.write(f'client_ca = "{callers.file}"')
    async with door.running(*good) as http:
        assert (await http.post("/webhooks/aggregate/first", content=BODY, headers=signed())).status_code == 200
        for certificate, why in (
            (expired, "certificate has expired"),
            (early, "certificate is not yet valid"),
            (stranger, "unable to get"),
            ((), "none was presented"),
        ):
            await asyncio.sleep(1.1)  # the log has one line a second for each reason
            async with door.client(*certificate) as refused:
                with pytest.raises(httpx.TransportError):
                    await refused.get("/healthz")
            assert why in door.process.logged("connections_ended")[-1]["why"]


async def test_client_certificates_of_named_sources(door: TlsDoor, tmp_path: Path) -> None:
    """With `client_certificates = "sources"` only a source with `client_names` needs one, and one of these names: a signed
    webhook without it is a 403. Other sources take any caller; a bad certificate is refused all the same."""
    callers = Authority(tmp_path, "callers")
    meta, other = callers.issue("meta", names=("client.example.com",)), callers.issue("other", names=("x.example.com",))
    sources = SOURCE + section("second", "one", client_names=["client.example.com"])
    door.write(f'client_ca = "{callers.file}"\nclient_certificates = "sources"', sources=sources)
    async with door.running() as http, door.client(*meta) as named, door.client(*other) as unnamed:
        found = {
            (who, source): (
                await each.post(f"/webhooks/aggregate/{source}", content=BODY, headers=signed())
            ).status_code
            for source in ("first", "second")
            for who, each in (("nobody", http), ("named", named), ("other", unnamed))
        }
        assert {key for key, status in found.items() if status == 403} == {("nobody", "second"), ("other", "second")}
        assert set(found.values()) == {200, 403}
        async with door.client(*callers.issue("meta", expired=True)) as refused:
            with pytest.raises(httpx.TransportError):
                await refused.get("/healthz")


async def test_files_that_do_not_fit_end_the_start(door: TlsDoor) -> None:
    """The process ends with status 2 and the setting's name; an encrypted key is not asked for on the terminal."""
    door.write()
    await door.process.http.aclose()
    child = await asyncio.create_subprocess_exec(
        "openssl", "ec", "-aes256", "-passout", "pass:secret", "-in", str(door.key), "-out", str(door.key),
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert await child.wait() == 0
    door.process.child.start()
    assert await door.process.child.wait(60)
    assert door.process.child.exit_code == 2
    assert "door.tls.certificate and door.tls.key cannot be used together" in door.process.child.log.read_text()


def _hello(context: ssl.SSLContext) -> bytes:
    """The first bytes of a client's handshake."""
    outgoing = ssl.MemoryBIO()
    client = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


async def _metric(http: httpx.AsyncClient, name: str) -> float:
    page = (await http.get("/metrics")).text
    (line,) = [line for line in page.splitlines() if line.startswith(f"threadline_{name} ")]
    return float(line.split()[1])


async def test_the_health_check_finds_out_that_the_door_speaks_tls(door: TlsDoor, tmp_path: Path) -> None:
    """Of any name, and where callers need a certificate, which it has not; nothing on the port is not healthy."""
    assert await healthy(door.process.port) == 1
    door.write()
    async with door.running():
        assert await healthy(door.process.port) == 0
    callers = Authority(tmp_path, "callers")
    door.write(f'client_ca = "{callers.file}"')
    async with door.running(*callers.issue("relay")):
        assert await healthy(door.process.port) == 0


async def test_the_health_check_asks_a_plain_process_too() -> None:
    """One that answers 503 is not healthy."""
    answers = {b"200 OK": 0, b"503 Service Unavailable": 1}
    for status, code in answers.items():

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, status: bytes = status) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 " + status + b"\r\ncontent-length: 0\r\n\r\n")
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        async with server:
            assert await healthy(server.sockets[0].getsockname()[1]) == code


async def healthy(port: int) -> int | None:
    """Return the exit status of the image's health check."""
    check = Path(__file__).parents[2] / "deploy" / "healthcheck.py"
    made = await asyncio.create_subprocess_exec(
        sys.executable, str(check), str(port), stdout=asyncio.subprocess.DEVNULL
    )
    return await made.wait()
