"""Volumes for a deployment of the tests: of a StorageClass that there is, else folders of the one node.

A cluster for tries often has no provisioner. Then the folders lie below `FOLDER` on the node, belong to the images'
user, and outlive pods; every pod that mounts one must run on that node, so this is for clusters of one.
"""

from __future__ import annotations

import json
import os
from typing import Any, Final

from knative.render.data import SHARDS
from knative.render.pods import NOBODY
from tests.cluster.kubectl import kubectl, listed

FOLDER: Final = "/var/tmp/hal9-tests"
"""Of the node; each deployment has one of its own below."""

_COUNT: Final = SHARDS + 1
"""One for each PostgreSQL, one for the artefacts."""
_DEFAULT: Final = "storageclass.kubernetes.io/is-default-class"
_OF: Final = "hal9.ai/test"

_PREPARE: Final = """
import os, shutil, sys
what, folder, count, user = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
if what == "remove":
    shutil.rmtree(folder, ignore_errors=True)
else:
    for number in range(count):
        path = f"{folder}/{number}"
        os.makedirs(path, mode=0o700)
        os.chown(path, user, user)
"""


def storage_class(namespace: str, image: str) -> str:
    """Give the StorageClass to name; empty for the cluster's default one.

    Args:
        namespace: whose deployment it is for.
        image: any that has Python, for the pod that makes the folders.
    """
    if named := os.environ.get("HAL9_CLUSTER_STORAGE_CLASS"):
        return named
    classes = listed("storageclass")
    if any(one["metadata"].get("annotations", {}).get(_DEFAULT) == "true" for one in classes):
        return ""
    _on_node("make", namespace, image)
    labels = {_OF: namespace}
    made = {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": namespace, "labels": labels},
        "provisioner": "kubernetes.io/no-provisioner",
    }
    kubectl(
        "create",
        "-f",
        "-",
        stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": [made, *_volumes(namespace)]}),
    )
    return namespace


def _volumes(namespace: str) -> list[dict[str, Any]]:
    return [
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": f"{namespace}-{number}", "labels": {_OF: namespace}},
            "spec": {
                "storageClassName": namespace,
                "capacity": {"storage": "1Gi"},
                "accessModes": ["ReadWriteOnce"],
                "persistentVolumeReclaimPolicy": "Retain",
                "hostPath": {"path": f"{FOLDER}/{namespace}/{number}", "type": "Directory"},
            },
        }
        for number in range(_COUNT)
    ]


def remove(namespace: str, image: str) -> None:
    """Take away what `storage_class` made."""
    found = listed("pv,storageclass", "-l", f"{_OF}={namespace}")
    if found:
        kubectl("delete", "pv,storageclass", "-l", f"{_OF}={namespace}", "--wait=false")
        _on_node("remove", namespace, image)


def _on_node(what: str, namespace: str, image: str) -> None:
    """Run a pod as root that has the node's folder: in `default`, since the deployment's namespace forbids that."""
    name = f"{namespace}-{what}"
    command = ["/usr/local/bin/python3", "-c", _PREPARE, what, f"/node/{namespace}", str(_COUNT), str(NOBODY)]
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "containers": [
                {
                    "name": "folders",
                    "image": image,
                    "command": command,
                    "securityContext": {"runAsUser": 0, "runAsGroup": 0},
                    "volumeMounts": [{"name": "node", "mountPath": "/node"}],
                }
            ],
            "volumes": [{"name": "node", "hostPath": {"path": FOLDER, "type": "DirectoryOrCreate"}}],
        },
    }
    kubectl("create", "-f", "-", stdin=json.dumps(pod))
    try:
        kubectl("-n", "default", "wait", "--for=jsonpath={.status.phase}=Succeeded", f"pod/{name}", "--timeout=180s")
    finally:
        kubectl("-n", "default", "delete", "pod", name, "--wait=false")
