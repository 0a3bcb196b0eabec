"""Whether an object is ready, as it says itself. Pure.

Knative's objects say it by the condition `Ready`, once `observedGeneration` is the generation that was applied; a
StatefulSet and a Deployment by their replicas; a Job by `Complete` or `Failed`. What has no such thing is ready when it
is there.

A Knative Service is more than one thing: `ConfigurationsReady` speaks of the revision that was made last, `RoutesReady`
of those that requests go to, which until that one is ready are the ones before. These may have failed long ago; what
was applied has not while `ConfigurationsReady` is `Unknown`.
Source: knative.dev/serving 0.42, pkg/reconciler/service/service.go and route/traffic/traffic.go.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from knative.deploy.kinds import JOB, SERVICE, STATEFUL_SET, WORKLOAD, kind_of

if TYPE_CHECKING:
    from knative.render.target import Manifest

State = Literal["ready", "waiting", "failed"]

_TRUE: Final = "True"
_FALSE: Final = "False"


@dataclass(frozen=True, slots=True)
class Readiness:
    """How an object stands.

    Attributes:
        state: `failed` is what the object says now; some of Knative's objects say it while they are being made.
        reason: why it is not ready, in the controller's words; empty when it does not say.
    """

    state: State
    reason: str = ""


def readiness(manifest: Manifest) -> Readiness:
    """Say how an object stands."""
    kind = kind_of(manifest)
    status: dict[str, Any] = manifest.get("status") or {}
    if kind == STATEFUL_SET:
        current = status.get("currentRevision") == status.get("updateRevision")
        return _replicas(manifest, status, current=current)
    if kind == WORKLOAD:
        current = status.get("updatedReplicas", 0) == status.get("replicas", 0)
        return _replicas(manifest, status, current=current)
    if kind == JOB:
        return _job(status)
    if not kind.group.endswith("knative.dev"):
        return Readiness("ready")
    found = _custom(manifest, status)
    if kind == SERVICE and found.state == "failed":
        newest = _conditions(status).get("ConfigurationsReady", {})
        return found if newest.get("status") in {_TRUE, _FALSE} else Readiness("waiting", _words(newest))
    return found


def _replicas(manifest: Manifest, status: dict[str, Any], *, current: bool) -> Readiness:
    if status.get("observedGeneration", 0) < manifest["metadata"]["generation"]:
        return Readiness("waiting")
    wanted, ready = manifest["spec"].get("replicas", 1), status.get("readyReplicas", 0)
    if ready >= wanted and current:
        return Readiness("ready")
    return Readiness("waiting", f"{ready} of {wanted} ready")


def _job(status: dict[str, Any]) -> Readiness:
    conditions = _conditions(status)
    if conditions.get("Complete", {}).get("status") == _TRUE:
        return Readiness("ready")
    failed = conditions.get("Failed", {})
    if failed.get("status") == _TRUE:
        return Readiness("failed", _words(failed))
    return Readiness("waiting")


def _custom(manifest: Manifest, status: dict[str, Any]) -> Readiness:
    if status.get("observedGeneration", 0) < manifest["metadata"]["generation"]:
        return Readiness("waiting")
    conditions = _conditions(status)
    ready = conditions.get("Ready", {})
    if ready.get("status") == _TRUE:
        return Readiness("ready")
    wrong = [_words(one) for one in conditions.values() if one.get("status") == _FALSE]
    reason = _words(ready) or next((words for words in wrong if words), "")
    return Readiness("failed" if ready.get("status") == _FALSE else "waiting", reason)


def _conditions(status: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["type"]: one for one in status.get("conditions") or []}


def _words(condition: dict[str, Any]) -> str:
    parts = (condition.get("reason"), condition.get("message"))
    return ": ".join(str(part).strip() for part in parts if part)
