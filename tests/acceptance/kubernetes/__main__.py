"""Runs a cluster with Threadline's image until Ctrl-C: `python -m tests.acceptance.kubernetes`."""

import asyncio
import signal
import tempfile
from pathlib import Path

from tests.acceptance.kubernetes.cluster import Cluster


async def main(folder: Path) -> None:
    """Start a cluster in `folder`, print how to reach it, and wait for SIGINT or SIGTERM."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with Cluster(folder) as cluster:
        print(f"export KUBECONFIG={cluster.credentials}", flush=True)
        await stop.wait()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="k8s-") as folder:
        Path(folder).chmod(0o711)
        asyncio.run(main(Path(folder) / "c"))
