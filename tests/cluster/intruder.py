"""A pod that nobody named: what it reaches, and what a deployment's own pods do."""

from __future__ import annotations

import json
import secrets
from typing import Final

from tests.cluster.kubectl import kubectl

PYTHON: Final = "/usr/local/bin/python3"
REACHED = {"open", "failed: ConnectionRefusedError"}
"""How a connection ends that was let through; where there is no way at all it fails otherwise."""

TRY = """
import concurrent.futures, json, socket, sys
def attempt(target):
    name, host, port = target
    try:
        socket.create_connection((host, port), timeout=4).close()
        return name, "open"
    except TimeoutError:
        return name, "dropped"
    except OSError as error:
        return name, f"failed: {type(error).__name__}"
targets = json.loads(sys.argv[1])
with concurrent.futures.ThreadPoolExecutor(len(targets)) as pool:
    print(json.dumps(dict(pool.map(attempt, targets))))
"""


def tried(namespace: str, image: str, targets: list[tuple[str, str, int]]) -> dict[str, str]:
    """Run a pod of its own that tries connections; give how each went."""
    name = f"intruder-{secrets.token_hex(3)}"
    container = {
        "name": "intruder", "image": image, "command": [PYTHON, "-c", TRY, json.dumps(targets)],
        "resources": {"limits": {"memory": "64Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "readOnlyRootFilesystem": True,
        },
    }  # fmt: skip
    spec = {
        "restartPolicy": "Never", "automountServiceAccountToken": False, "containers": [container],
        "securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
    }  # fmt: skip
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": spec,
    }
    kubectl("-n", namespace, "apply", "-f", "-", stdin=json.dumps(pod))
    kubectl("-n", namespace, "wait", "--for=jsonpath={.status.phase}=Succeeded", f"pod/{name}", "--timeout=120s")
    found: dict[str, str] = json.loads(kubectl("-n", namespace, "logs", name))
    kubectl("-n", namespace, "delete", "pod", name, "--wait=false")
    return found


def tried_inside(namespace: str, pod: str, targets: list[tuple[str, str, int]]) -> dict[str, str]:
    """Try connections from within a function's container; give how each went."""
    found: dict[str, str] = json.loads(
        kubectl("-n", namespace, "exec", pod, "-c", "function", "--", PYTHON, "-c", TRY, json.dumps(targets))
    )
    return found
