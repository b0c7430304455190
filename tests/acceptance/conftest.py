"""What the acceptance tests share."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def open_folder(servers_folder: Path) -> Iterator[Path]:
    """A folder that other accounts may pass through: PostgreSQL does not run as root, nor do containers. It is outside
    pytest's own, which any other run of pytest under this account closes to them."""
    folder = Path(tempfile.mkdtemp(dir=servers_folder))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)
