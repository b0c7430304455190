"""Starts and stops the cluster."""

import asyncio
import contextlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from secrets import token_hex
from typing import Any, Self

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from app.embedded import ports
from app.embedded.firstrun import write_secret
from app.embedded.process import Child
from tests.acceptance.kubernetes import images, machine
from tests.acceptance.kubernetes.node import Node
from tests.acceptance.kubernetes.programs import program, require, run


class Cluster:
    """A cluster of two nodes in `folder`, as a context. The API server listens on loopback; nodes and pods have addresses that
    only this machine has."""

    def __init__(self, folder: Path, nodes: int = 2) -> None:
        self.folder = folder
        self.nodes = [Node(number, folder) for number in range(nodes)]
        self.credentials = folder / "kubeconfig"
        self._children: list[Child] = []
        self._closing = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        require()
        self.folder.mkdir(parents=True)
        self._closing.enter_context(machine.prepared(len(self.nodes)))
        try:
            await self._start()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def _start(self) -> None:
        self._start_control()
        for node in self.nodes:
            self._closing.push_async_callback(node.stop)
            node.start_containers()
        archives = await asyncio.to_thread(images.archives, self.folder)
        for node in self.nodes:
            for archive in archives:
                await asyncio.to_thread(node.load, archive)
        for archive in archives:
            archive.unlink()
        for node in self.nodes:
            node.start(self.credentials)
        await self.wait(
            lambda: len(self.kubectl("get", "nodes", "--output=name").split()) == len(self.nodes), "register"
        )
        self.kubectl("wait", "--for=condition=Ready", "node", "--all", "--timeout=120s")

    def _start_control(self) -> None:
        """Start etcd, the API server, and once it answers, what is a client of it."""
        peers, clients, api = ports.free(), ports.free(), ports.free()
        token, keys = token_hex(16), self.folder / "accounts.pem"
        write_secret(self.folder / "tokens", f'{token},admin,admin,"system:masters"\n')
        _write_key(keys)
        write_secret(self.credentials, json.dumps(_credentials(f"https://127.0.0.1:{api}", token)))
        self._run(
            "etcd", "--data-dir", self.folder / "etcd", "--unsafe-no-fsync", "--log-level=warn",
            f"--listen-client-urls=http://127.0.0.1:{clients}", f"--advertise-client-urls=http://127.0.0.1:{clients}",
            f"--listen-peer-urls=http://127.0.0.1:{peers}", f"--initial-advertise-peer-urls=http://127.0.0.1:{peers}",
            f"--initial-cluster=default=http://127.0.0.1:{peers}",
        )  # fmt: skip
        self._run(
            "kube-apiserver", f"--etcd-servers=http://127.0.0.1:{clients}", f"--secure-port={api}", "--bind-address=127.0.0.1",
            f"--advertise-address={machine.HOST}", "--cert-dir", self.folder / "certificates",
            "--token-auth-file", self.folder / "tokens", "--authorization-mode=RBAC",
            f"--service-cluster-ip-range={machine.SERVICES}", "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={keys}", f"--service-account-signing-key-file={keys}",
            "--kubelet-preferred-address-types=InternalIP", "--profiling=false",
        )  # fmt: skip
        self._ready()
        credentials = f"--kubeconfig={self.credentials}"
        self._run(
            "kube-controller-manager", credentials, f"--service-account-private-key-file={keys}", "--leader-elect=false",
            "--bind-address=127.0.0.1", f"--secure-port={ports.free()}", "--authentication-skip-lookup",
            "--cert-dir", self.folder / "certificates",
        )  # fmt: skip
        self._run(
            "kube-scheduler", credentials, "--leader-elect=false", "--bind-address=127.0.0.1", f"--secure-port={ports.free()}",
            "--authentication-skip-lookup", "--cert-dir", self.folder / "certificates",
        )  # fmt: skip
        # One for both nodes, since they share the machine's network.
        (self.folder / "proxy.json").write_text(json.dumps(_proxy(self.credentials)))
        self._run("kube-proxy", "--config", self.folder / "proxy.json", f"--hostname-override={self.nodes[0].name}")

    def _ready(self, within: float = 60) -> None:
        deadline = time.monotonic() + within
        while self.kubectl("get", "--raw=/readyz", check=False) != "ok":
            dead = [child for child in self._children if not child.alive]
            if dead or time.monotonic() > deadline:
                raise (dead or self._children)[-1].failure(f"the API server is not ready within {within:.0f} s")
            time.sleep(0.3)

    def _run(self, name: str, *arguments: str | Path) -> None:
        child = Child(name, [program(name), *arguments], self.folder / f"{name}.log")
        self._closing.push_async_callback(child.stop)
        child.start()
        self._children.append(child)

    async def __aexit__(self, *_: object) -> None:
        """Remove the pods, stop everything in reverse order, and put the machine back as it was, whatever of it fails."""
        everywhere = ("--all", "--all-namespaces", "--timeout=60s")
        self.kubectl("delete", "deployment,statefulset,job", *everywhere, "--cascade=orphan", check=False)
        self.kubectl("delete", "pod", *everywhere, "--grace-period=1", check=False)
        await self._closing.aclose()

    async def wait(self, true: Callable[[], object], what: str, within: float = 240) -> None:
        """Wait until `true()` is, which is called in a thread. Raises StartFailed of a process that has ended, or TimeoutError
        after `within` seconds."""
        deadline = time.monotonic() + within
        while not await asyncio.to_thread(true):
            for child in (*self._children, *(child for node in self.nodes for child in node.children)):
                if not child.alive:
                    raise child.failure(f"it ended, {child.how_it_ended()}")
            if time.monotonic() > deadline:
                raise TimeoutError(f"{what}: not within {within:.0f} s")
            await asyncio.sleep(0.3)

    def kubectl(self, *arguments: str | Path, given: str | None = None, check: bool = True) -> str:
        """Run kubectl, with `given` as its input, and return its output. Fails the test if it fails, unless not `check`."""
        return run("kubectl", f"--kubeconfig={self.credentials}", *arguments, given=given, check=check).stdout

    def helm(self, *arguments: str | Path, check: bool = True) -> str:
        """Run helm, and return its output and errors. Fails the test if it fails, unless not `check`."""
        homes = {f"HELM_{name}_HOME": str(self.folder / "helm") for name in ("CACHE", "CONFIG", "DATA")}
        done = run("helm", f"--kubeconfig={self.credentials}", *arguments, environment=homes, within=400, check=check)
        return done.stdout + done.stderr


def _write_key(file: Path) -> None:
    """Write a private key that signs the tokens of service accounts."""
    key = rsa.generate_private_key(65537, 2048)
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption())
    write_secret(file, key.private_bytes(*form).decode())


def _credentials(server: str, token: str) -> dict[str, Any]:
    """Return a kubeconfig. The server's certificate, made at its start, is not verified: it is on loopback."""
    return {
        "apiVersion": "v1", "kind": "Config", "current-context": "tests",
        "clusters": [{"name": "tests", "cluster": {"server": server, "insecure-skip-tls-verify": True}}],
        "users": [{"name": "tests", "user": {"token": token}}],
        "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": "tests"}}],
    }  # fmt: skip


def _proxy(credentials: Path) -> dict[str, Any]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration", "mode": "nftables",
        "clientConnection": {"kubeconfig": str(credentials)},
        "healthzBindAddress": f"127.0.0.1:{ports.free()}", "metricsBindAddress": f"127.0.0.1:{ports.free()}",
        # The limits of connection tracking stay the machine's.
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
    }  # fmt: skip
