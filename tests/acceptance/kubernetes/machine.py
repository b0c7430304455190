"""What the cluster changes on its machine, and puts back: network interfaces, kernel settings, packet filter, control groups."""

import contextlib
import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from tests.acceptance.kubernetes.programs import run

#: Nodes are in 10.213.0.0/24, pods in the networks after it. A private range that few networks use.
SERVICES = "10.213.128.0/20"
HOST = "10.213.0.1"
INTERFACE = "tl-nodes"
SYSTEM = Path("/proc/sys")
#: What kubelet, kube-proxy and the network plug-ins set.
SETTINGS = (
    "vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops", "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes", "net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding", "net/ipv4/conf/all/route_localnet",
    "net/ipv4/vs/conntrack", "net/netfilter/nf_conntrack_max", "net/netfilter/nf_conntrack_tcp_timeout_established",
    "net/netfilter/nf_conntrack_tcp_timeout_close_wait",
)  # fmt: skip
GROUPS = Path("/sys/fs/cgroup")
#: Folders that kubelet, containerd and the network plug-ins make wherever their own are.
MADE = tuple(map(Path, ("/var/lib/kubelet", "/var/log/containers", "/run/containerd", "/var/lib/cni")))
#: The network namespaces of pods are mounted here.
NAMESPACES = Path("/run/netns")


def node_address(number: int) -> str:
    """Return the address of a node, counted from 0."""
    return f"10.213.0.{number + 1}"


def pod_range(number: int) -> str:
    """Return the network of a node's pods."""
    return f"10.213.{number + 1}.0/24"


@contextlib.contextmanager
def prepared(nodes: int) -> Iterator[None]:
    """Make the nodes' addresses and a route to services, on a pair of interfaces. At the end put back all that the cluster
    changes."""
    kept = {file: (SYSTEM / file).read_text() for file in SETTINGS if (SYSTEM / file).exists()}
    before = _left()
    absent = [folder for folder in MADE if not folder.exists()]
    run("ip", "link", "delete", INTERFACE, check=False)  # of a run that was killed
    run("ip", "link", "add", INTERFACE, "type", "veth", "peer", "name", f"{INTERFACE}-peer")
    try:
        for number in range(nodes):
            run("ip", "address", "add", f"{node_address(number)}/24", "dev", INTERFACE)
        for end in (INTERFACE, f"{INTERFACE}-peer"):
            run("ip", "link", "set", end, "up")
        run("ip", "route", "replace", SERVICES, "dev", INTERFACE, "src", HOST)
        (SYSTEM / "net/ipv4/ip_forward").write_text("1")
        yield
    finally:
        run("ip", "link", "delete", INTERFACE)
        for number in range(nodes):
            run("ip", "link", "delete", bridge(number), check=False)
        for command in _left() - before:
            run(*command, check=False)
        for folder in absent:
            shutil.rmtree(folder, ignore_errors=True)
        for file, value in kept.items():
            if (SYSTEM / file).read_text() != value:
                (SYSTEM / file).write_text(value)


def bridge(number: int) -> str:
    """Return the name of the interface that a node's pods are connected to."""
    return f"tl-pods-{number}"


def _left() -> set[tuple[str, ...]]:
    """Return the commands that remove the tables of kube-proxy, and namespaces of pods that were not removed in order."""
    tables = [line.split() for line in run("nft", "list", "tables").stdout.splitlines() if line.endswith(" kube-proxy")]
    namespaces = [("ip", "netns", "delete", namespace.name) for namespace in NAMESPACES.glob("cni-*")]
    return {("nft", "delete", *table) for table in tables} | set(namespaces)


def make_groups(name: str) -> None:
    """Make a control group of this name for a node, in each hierarchy (of version 1; or the one of version 2)."""
    for hierarchy in _hierarchies():
        (hierarchy / name).mkdir(exist_ok=True)
        for file in ("cpuset.cpus", "cpuset.mems"):
            if (hierarchy / file).exists():  # else nothing can run in it
                (hierarchy / name / file).write_text((hierarchy / file).read_text())


def remove_groups(name: str) -> None:
    """End the processes that are left in a node's control group, by their ids, and remove it."""
    for hierarchy in _hierarchies():
        top = hierarchy / name
        for _ in range(50):
            left = [int(line) for file in top.rglob("cgroup.procs") for line in file.read_text().split()]
            for process in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
            if not left:
                break
            time.sleep(0.1)
        if top.exists():
            for folder in sorted((path for path in top.rglob("*") if path.is_dir()), reverse=True):
                folder.rmdir()
            top.rmdir()


def _hierarchies() -> list[Path]:
    if (GROUPS / "cgroup.controllers").exists():
        return [GROUPS]
    return [path for path in GROUPS.iterdir() if path.is_dir() and not path.is_symlink()]


def clean(folder: Path) -> None:
    """End what outlives containerd, the processes that hold containers of `folder`, by their ids; unmount all below it."""
    for process in psutil.process_iter(["cmdline"]):
        line = process.info["cmdline"] or [""]
        if "containerd-shim" in line[0] and any(str(folder) in part for part in line):
            process.kill()
    mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for mount in sorted((mount for mount in mounts if mount.startswith(f"{folder}/")), key=len, reverse=True):
        run("umount", "--lazy", mount, check=False)
