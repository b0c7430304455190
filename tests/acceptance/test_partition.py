"""Cut networks: Kafka, PostgreSQL and one broker are each cut off without a word, and come back."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.stack import ROOT

WITHIN = 560


def test_cut_off_and_healed(open_folder: Path) -> None:
    """For a minute each, under load, packets to Kafka and then to PostgreSQL are dropped, and a broker is halted: the door goes on
    answering 200, both processes are whole again without a restart, and nothing acknowledged is lost or doubled."""
    if os.geteuid() != 0 or not shutil.which("nft") or not shutil.which("unshare"):
        pytest.fail(
            "this test cuts a network of its own: run it as root, with nft, ip and unshare (nftables, iproute2)"
        )
    command = f'ip link set lo up && exec "{sys.executable}" -m tests.acceptance.partitions "{open_folder}/stack"'
    done = subprocess.run(
        ["unshare", "--net", "sh", "-c", command],
        cwd=ROOT, capture_output=True, text=True, timeout=WITHIN, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
