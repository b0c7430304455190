"""The images that the nodes need, as archives: Threadline's, and the one that holds a pod's namespaces."""

import tarfile
from pathlib import Path

from tests.acceptance.containers import IMAGE, require_image
from tests.acceptance.kubernetes.node import PAUSE
from tests.acceptance.kubernetes.programs import program, run


def archives(folder: Path) -> list[Path]:
    """Write the archives into `folder`, and return their paths. Fails the test, saying what to do, without Threadline's image."""
    require_image()
    ours, pause = folder / "threadline.tar", folder / "pause.tar"
    run("podman", "save", "--output", ours, IMAGE)
    with tarfile.open(folder / "pause-root.tar", "w") as archive:
        archive.add(program("catatonit"), "catatonit")  # without libraries; `-P` only waits, and collects zombies
    run("podman", "import", "--change", 'ENTRYPOINT ["/catatonit", "-P"]', folder / "pause-root.tar", PAUSE)
    run("podman", "save", "--output", pause, PAUSE)
    run("podman", "rmi", PAUSE)
    return [ours, pause]
