"""Runs a cluster with Threadline's image until Ctrl-C: `python -m tests.acceptance.kubernetes`."""

import asyncio
import contextlib
import tempfile
from pathlib import Path

from tests.acceptance.kubernetes.cluster import Cluster


async def main(folder: Path) -> None:
    """Start a cluster in `folder`, print how to reach it, and wait."""
    async with Cluster(folder) as cluster:
        print(f"export KUBECONFIG={cluster.credentials}", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="k8s-") as folder, contextlib.suppress(KeyboardInterrupt):
        Path(folder).chmod(0o711)
        asyncio.run(main(Path(folder) / "c"))
