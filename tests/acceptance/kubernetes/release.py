"""The chart as a user installs it: a namespace that refuses privileges, two Secrets, claims for the spools, values."""

import base64
import json
import os
from pathlib import Path
from typing import Any

from tests.acceptance.kubernetes.cluster import Cluster
from tests.acceptance.kubernetes.programs import run
from tests.acceptance.kubernetes.servers import Beside
from tests.support import traffic
from tests.support.stack import ROOT

CHART = ROOT / "deploy" / "helm" / "threadline"
NAMESPACE = RELEASE = "threadline"
#: The user of the image.
USER = 10001


class Release:
    """The release in a cluster, beside PostgreSQL and Kafka."""

    def __init__(self, cluster: Cluster, stack: Beside) -> None:
        self._cluster = cluster
        self._stack = stack

    def prepare(self) -> None:
        """Make the namespace, with Pod Security's strictest level, the Secrets, and the volumes that claims can have.

        The volumes are folders of this machine, so that a pod finds its own on both nodes, as it would a network's disk."""
        service = {"THREADLINE_POSTGRES__DSN": self._stack.secret("service")}
        service["THREADLINE_SECRETS__KEYS"] = json.dumps([base64.b64encode(os.urandom(32)).decode()])
        for source, values in traffic.SOURCES.items():
            for key in ("auth_token", "app_secret", "verify_token", "public_key"):
                if key in values:
                    service[f"THREADLINE_SOURCES__{source.upper()}__{key.upper()}"] = values[key]
        owner = {"THREADLINE_POSTGRES__OWNER_DSN": self._stack.secret("owner")}
        level = {"pod-security.kubernetes.io/enforce": "restricted"}
        self._apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": level}})
        for name, values in (("threadline", service), ("threadline-owner", owner)):
            metadata = {"name": name, "namespace": NAMESPACE}
            self._apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": values})
        for number in range(2):
            folder = self._cluster.folder / f"volume-{number}"
            folder.mkdir()
            os.chown(folder, USER, USER)
            spec = {"capacity": {"storage": "4Gi"}, "accessModes": ["ReadWriteOnce"], "storageClassName": "spool"}
            spec |= {"hostPath": {"path": str(folder)}}
            self._apply(
                {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": folder.name}, "spec": spec}
            )

    def _apply(self, document: dict[str, Any]) -> None:
        self._cluster.kubectl("apply", "--filename=-", given=json.dumps(document))

    def values(self, settings: str = "") -> Path:
        """Write the file of values, with further lines of threadline.toml, and return its path."""
        urls = "".join(f'[sources.{name}]\nurl = "{traffic.URL}"\n' for name in traffic.SOURCES)
        given = {
            "image": {"tag": "latest", "pullPolicy": "Never"},
            "existingSecret": "threadline", "ownerExistingSecret": "threadline-owner",
            "kafka": {"bootstrap": self._stack.brokers.for_pods},
            "settings": f'api.metrics = "open"\n{settings}\n{urls}',
            "largeBodies": {"keep": "refuse"},
            "door": {"spool": {"storageClass": "spool"}, "preStopSeconds": 5},
            # Small requests: the machine is shared.
            "worker": {"resources": {"requests": {"cpu": "50m"}, "limits": {"memory": "768Mi"}}},
            "networkPolicy": {"postgres": {"port": self._stack.reachable.port}},
        }  # fmt: skip
        file = self._cluster.folder / "values.json"
        file.write_text(json.dumps(given))
        return file

    def helm(self, command: str, *arguments: str | Path, check: bool = True) -> str:
        """Run a command of helm on the release, wait until its pods are ready, and return the output."""
        where = (f"--namespace={NAMESPACE}", "--wait", "--timeout=5m")
        return self._cluster.helm(command, RELEASE, *arguments, *where, check=check)

    def kubectl(self, *arguments: str | Path, given: str | None = None, check: bool = True) -> str:
        """Run kubectl in the release's namespace."""
        return self._cluster.kubectl(f"--namespace={NAMESPACE}", *arguments, given=given, check=check)

    def evict(self, pod: str) -> str:
        """Ask for a pod's eviction, as a drain does, and return what Kubernetes answers."""
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": NAMESPACE}}
        path = f"/api/v1/namespaces/{NAMESPACE}/pods/{pod}/eviction"
        line = (f"--kubeconfig={self._cluster.credentials}", "create", f"--raw={path}", "--filename=-")
        done = run("kubectl", *line, given=json.dumps(eviction), check=False)
        return done.stdout + done.stderr

    def pods(self, component: str) -> list[dict[str, Any]]:
        """Return the component's pods that are not being deleted, as Kubernetes describes them, by name."""
        listed = json.loads(
            self.kubectl("get", "pods", f"--selector=app.kubernetes.io/component={component}", "--output=json")
        )
        return [pod for pod in listed["items"] if "deletionTimestamp" not in pod["metadata"]]

    def ready(self, component: str, count: int = 2) -> bool:
        """Whether the component has as many ready pods, and no other."""
        pods = self.pods(component)
        return len(pods) == count and all(
            condition["status"] == "True"
            for pod in pods
            for condition in pod["status"].get("conditions", [{"type": "Ready", "status": "False"}])
            if condition["type"] == "Ready"
        )

    def service(self) -> str:
        """Return the URL of the door's Service, at its address within the cluster."""
        name = f"{RELEASE}-door"
        return f"http://{self.kubectl('get', 'service', name, '--output=jsonpath={.spec.clusterIP}')}:8080"
