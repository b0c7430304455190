"""Writes what the container image contains as CycloneDX 1.6 JSON: `make sbom`.

Python packages are read from requirements.lock, without those that the Containerfile uninstalls. Debian packages are read from
the image, where podman and the image are there; otherwise a line on standard error says that they are left out.
"""

import re
import shlex
import shutil
import subprocess  # to run podman
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from email import message_from_string
from pathlib import Path

from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, Property, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
IMAGE = "localhost/threadline"
CREATE = ("podman", "create", "--no-healthcheck")

#: What decides between a lock file's lines, as it is in the image.
IN_IMAGE = {
    "sys_platform": "linux",
    "platform_system": "Linux",
    "os_name": "posix",
    "implementation_name": "cpython",
    "platform_python_implementation": "CPython",
}


def uninstalled(containerfile: str) -> set[str]:
    """Return the names of the packages that the Containerfile uninstalls."""
    return {name for names in re.findall(r"pip uninstall -y ([^\\&\n]+)", containerfile) for name in names.split()}


def locked(lock: str, without: set[str]) -> Iterator[Component]:
    """Yield the packages of a lock file that are installed on Linux. A package's hashes are those of the files that may have
    been installed, of which there is one for each platform: so they belong to its distribution, not to the component."""
    for line in lock.replace("\\\n", " ").splitlines():
        if not line or line[0] in "# ":
            continue
        required, *hashes = line.split(" --hash=sha256:")
        requirement = Requirement(required.strip())
        if requirement.name in without or (requirement.marker and not requirement.marker.evaluate(IN_IMAGE)):
            continue
        (pin,) = requirement.specifier
        purl = PackageURL("pypi", name=requirement.name, version=pin.version)
        files = ExternalReference(
            type=ExternalReferenceType.DISTRIBUTION,
            url=XsUri(f"https://pypi.org/simple/{requirement.name}/"),
            hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest.strip()) for digest in hashes],
        )
        yield Component(
            type=ComponentType.LIBRARY, name=requirement.name, version=pin.version, purl=purl, bom_ref=str(purl),
            external_references=[files],
        )  # fmt: skip


def release(text: str) -> dict[str, str]:
    """Return the members of a file os-release."""
    return {
        name: shlex.split(value)[0] for name, _, value in (line.partition("=") for line in text.splitlines()) if value
    }


def installed(status: str, distribution: dict[str, str]) -> Iterator[Component]:
    """Yield the packages of dpkg's file `status`; `distribution` is the content of os-release."""
    for paragraph in status.strip().split("\n\n"):
        package = message_from_string(paragraph)
        if package["Status"] != "install ok installed":
            continue
        where = {
            "arch": package["Architecture"],
            "distro": f"{distribution['ID']}-{distribution.get('VERSION_ID', 'sid')}",
        }
        purl = PackageURL("deb", distribution["ID"], package["Package"], package["Version"], qualifiers=where)
        yield Component(
            type=ComponentType.LIBRARY,
            name=package["Package"],
            version=package["Version"],
            purl=purl,
            bom_ref=str(purl),
        )


def document(python: list[Component], debian: list[Component]) -> str:
    """Return the document as JSON. Raises SystemExit where it does not match CycloneDX's schema."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    bom = Bom(components=[*python, *debian])
    bom.metadata.component = Component(
        type=ComponentType.CONTAINER, name=project["name"], version=project["version"],
        description=project["description"], bom_ref="threadline",
    )  # fmt: skip
    bom.metadata.properties.add(Property(name="threadline:debian-packages", value="listed" if debian else "left out"))
    bom.register_dependency(bom.metadata.component, bom.components)
    text = make_outputter(bom, OutputFormat.JSON, SchemaVersion.V1_6).output_as_string(indent=1)
    if fault := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        raise SystemExit(f"the document does not match the schema of CycloneDX 1.6: {fault}")
    return text


def image_packages(image: str) -> list[Component]:
    """Return the Debian packages of an image, which is not started. Empty, with a line on standard error, without the image."""
    if not shutil.which("podman") or subprocess.run(["podman", "image", "exists", image], check=False).returncode:
        print(f"there is no image {image} (make image): its Debian packages are left out", file=sys.stderr)
        return []
    made = subprocess.run([*CREATE, image, "true"], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    try:
        with tempfile.TemporaryDirectory() as folder:
            copied = Path(folder, "status"), Path(folder, "os-release")
            for path, to in zip(("/var/lib/dpkg/status", "/usr/lib/os-release"), copied, strict=True):
                subprocess.run(["podman", "cp", f"{made}:{path}", str(to)], check=True)
            return [*installed(copied[0].read_text(), release(copied[1].read_text()))]
    finally:
        subprocess.run(["podman", "rm", made], check=True, stdout=subprocess.DEVNULL)


def main(image: str = IMAGE) -> None:
    """Write the document of an image to standard output."""
    left_out = uninstalled((ROOT / "deploy/Containerfile").read_text())
    python = [*locked((ROOT / "requirements.lock").read_text(), left_out)]
    print(document(python, image_packages(image)))


if __name__ == "__main__":
    main(*sys.argv[1:])
