"""One node: a containerd and a kubelet, with folders, addresses and control groups of their own, so that two can run here."""

import json
from pathlib import Path

from app.embedded import ports
from app.embedded.process import Child
from tests.acceptance.kubernetes import machine
from tests.acceptance.kubernetes.programs import program, run

PAUSE = "localhost/threadline-pause:latest"
#: `restrict_oom_score_adj` is for a machine where root may not lower the score by which the kernel chooses which process it ends for lack
#: of memory.
CONTAINERD = """version = 2
root = "{folder}/images"
state = "{folder}/state"
[grpc]
address = "{folder}/c.sock"
[plugins."io.containerd.internal.v1.opt"]
path = "{folder}/opt"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{pause}"
restrict_oom_score_adj = true
disable_apparmor = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{plugins}"
conf_dir = "{folder}/net"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
BinaryName = "{runc}"
SystemdCgroup = false
"""


class Node:
    """The node of a number, counted from 0."""

    def __init__(self, number: int, folder: Path) -> None:
        self.name = f"node-{number}"
        self.folder = folder / self.name
        self._number = number
        self._group = f"threadline-{self.name}"
        self._children: list[Child] = []

    def start_containers(self) -> None:
        """Start containerd."""
        (self.folder / "net").mkdir(parents=True)
        plugins = Path(program("host-local")).parent
        (self.folder / "net" / "pods.conflist").write_text(json.dumps(self._network()))
        (self.folder / "containerd.toml").write_text(
            CONTAINERD.format(folder=self.folder, pause=PAUSE, plugins=plugins, runc=program("runc"))
        )
        self._run("containerd", program("containerd"), "--config", self.folder / "containerd.toml")

    def _network(self) -> dict[str, object]:
        pods = {"subnet": machine.pod_range(self._number)}
        addresses = {
            "type": "host-local", "ranges": [[pods]], "routes": [{"dst": "0.0.0.0/0"}], "dataDir": f"{self.folder}/addresses",
        }  # fmt: skip
        bridge = {"type": "bridge", "bridge": machine.bridge(self._number), "isGateway": True, "ipam": addresses}
        return {"cniVersion": "0.4.0", "name": self.name, "plugins": [bridge]}

    def load(self, archive: Path) -> None:
        """Load the images of an archive, once containerd answers."""
        self.containers("images", "import", archive)

    def containers(self, *arguments: str | Path, check: bool = True) -> str:
        """Run containerd's client, and return its output."""
        socket = self.folder / "c.sock"
        return run("ctr", "--address", socket, "--namespace", "k8s.io", *arguments, check=check).stdout

    def start(self, credentials: Path) -> None:
        """Start the kubelet."""
        machine.make_groups(self._group)
        settings = {
            "apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
            "address": machine.node_address(self._number), "healthzPort": ports.free(),
            "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
            "authorization": {"mode": "AlwaysAllow"},
            "containerRuntimeEndpoint": f"unix://{self.folder}/c.sock",
            "cgroupDriver": "cgroupfs", "cgroupRoot": f"/{self._group}", "failCgroupV1": False, "enforceNodeAllocatable": [],
            "failSwapOn": False, "makeIPTablesUtilChains": False, "maxPods": 30,
            "podLogsDir": f"{self.folder}/logs", "volumePluginDir": f"{self.folder}/plugins",
            # The disk is the machine's: nothing is evicted or removed because others fill it.
            "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
            "imageGCHighThresholdPercent": 100, "imageGCLowThresholdPercent": 99,
            "resolvConf": str(self.folder / "resolv.conf"), "registerWithTaints": [],
        }  # fmt: skip
        (self.folder / "resolv.conf").write_text(f"nameserver {machine.HOST}\n")  # the cluster has no DNS
        (self.folder / "kubelet.json").write_text(json.dumps(settings))
        self._run(
            "kubelet", program("kubelet"), "--config", self.folder / "kubelet.json", "--kubeconfig", credentials,
            "--hostname-override", self.name, "--node-ip", machine.node_address(self._number),
            "--root-dir", self.folder / "kubelet", "--cert-dir", self.folder / "certificates", "--v=1",
        )  # fmt: skip

    def _run(self, name: str, *command: str | Path) -> None:
        child = Child(f"{name} of {self.name}", command, self.folder / f"{name}.log")
        child.start()
        self._children.append(child)

    @property
    def children(self) -> list[Child]:
        """The node's processes."""
        return self._children

    async def stop(self) -> None:
        """Stop the kubelet, then the containers that are left, then containerd, and clean up."""
        try:
            for child in reversed(self._children):
                if child.name.startswith("containerd") and child.alive:
                    tasks = self.containers("tasks", "list", "--quiet", check=False).split()
                    self.containers("tasks", "delete", "--force", *tasks, check=False)
                await child.stop()
        finally:
            machine.clean(self.folder)
            machine.remove_groups(self._group)
