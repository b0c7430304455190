"""Finds the programs of the cluster, and runs those that end."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

#: A folder with the programs that no package of Debian has.
FOLDER = "KUBERNETES_BIN"
#: Each program, and where it comes from.
ORIGINS = {
    **dict.fromkeys(
        ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kubelet", "etcd", "kubectl", "helm"),
        f"deploy/helm/README.md says how to get it; put it on the PATH, or name its folder in {FOLDER}",
    ),
    **dict.fromkeys(("containerd", "ctr"), "on Debian and Ubuntu: apt install containerd"),
    "runc": "on Debian and Ubuntu: apt install runc",
    "nft": "on Debian and Ubuntu: apt install nftables",
    "catatonit": "on Debian and Ubuntu: apt install catatonit",
    "podman": "on Debian and Ubuntu: apt install podman",
    "host-local": "on Debian and Ubuntu: apt install containernetworking-plugins",
}  # fmt: skip
#: Where packages put the network plug-ins.
PLUGINS = "/usr/lib/cni:/opt/cni/bin"


def program(name: str) -> str:
    """Return a program's path. Fails the test, saying what to do, where there is none."""
    places = os.pathsep.join((os.environ.get(FOLDER, ""), os.environ["PATH"], "/usr/sbin", PLUGINS))
    if (found := shutil.which(name, path=places)) is None:
        pytest.fail(f"{name} is not installed ({ORIGINS[name]})")
    return found


def require() -> None:
    """Fail the test, saying what to do, unless this is root with all programs."""
    if os.geteuid():
        pytest.fail("a cluster needs root: it makes network interfaces, control groups and mounts")
    for name in ORIGINS:
        program(name)


def run(
    name: str, *arguments: str | Path, given: str | None = None, environment: Mapping[str, str] | None = None,
    within: float = 300, check: bool = True,
) -> subprocess.CompletedProcess[str]:  # fmt: skip
    """Run a program to its end, with `given` as its input. Fails the test if it fails (unless not `check`) or takes longer."""
    done = subprocess.run(
        [program(name) if name in ORIGINS else name, *map(str, arguments)], input=given, capture_output=True, text=True,
        timeout=within, check=False, env={**os.environ, **(environment or {})},
    )  # fmt: skip
    if check and done.returncode:
        words = f"{done.stdout[-3000:]}{done.stderr[-3000:]}"
        pytest.fail(f"{name} {' '.join(map(str, arguments))}: exit {done.returncode}\n{words}")
    return done
