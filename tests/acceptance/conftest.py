"""What the acceptance tests share."""

from pathlib import Path

import pytest


@pytest.fixture
def open_folder(tmp_path: Path) -> Path:
    """A folder that other accounts may pass through: PostgreSQL does not run as root, nor do containers."""
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o711)
    return tmp_path
