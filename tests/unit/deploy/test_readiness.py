"""Whether objects are ready, as they say themselves."""

from __future__ import annotations

from typing import Any

import pytest

from knative.deploy.readiness import Readiness, readiness

SERVICE = ("serving.knative.dev/v1", "Service")
TRIGGER = ("eventing.knative.dev/v1", "Trigger")
JOB = ("batch/v1", "Job")
SET = ("apps/v1", "StatefulSet")
DEPLOYMENT = ("apps/v1", "Deployment")


def standing(kind: tuple[str, str], status: dict[str, Any], *, generation: int = 2) -> Readiness:
    metadata = {"name": "x", "generation": generation}
    return readiness({"apiVersion": kind[0], "kind": kind[1], "metadata": metadata, "spec": {}, "status": status})


def condition(kind: str, status: str, **more: str) -> dict[str, Any]:
    return {"type": kind, "status": status, **more}


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({}, Readiness("waiting")),
        ({"observedGeneration": 1, "conditions": [condition("Ready", "True")]}, Readiness("waiting")),
        ({"observedGeneration": 2, "conditions": [condition("Ready", "True")]}, Readiness("ready")),
        (
            {"observedGeneration": 2, "conditions": [condition("Ready", "Unknown", reason="Deploying")]},
            Readiness("waiting", "Deploying"),
        ),
        (
            {"observedGeneration": 2, "conditions": [condition("Ready", "False", reason="R", message="no image ")]},
            Readiness("failed", "R: no image"),
        ),
        (
            {
                "observedGeneration": 2,
                "conditions": [condition("Ready", "False"), condition("BrokerReady", "False", message="no broker")],
            },
            Readiness("failed", "no broker"),
        ),
    ],
)
def test_a_knative_object(status: dict[str, Any], expected: Readiness) -> None:
    assert standing(TRIGGER, status) == expected


OLD_FAILED = {"reason": "RevisionMissing", "message": 'Revision "gateway-old" failed to become ready.'}
NEW_FAILED = {"reason": "RevisionFailed", "message": 'Revision "gateway-new" failed with message: no image.'}


@pytest.mark.parametrize(
    ("newest", "routes", "ready", "expected"),
    [
        ({"status": "True"}, {"status": "True"}, {"status": "True"}, Readiness("ready")),
        (
            {"status": "Unknown"},
            {"status": "False", **OLD_FAILED},
            {"status": "False", **OLD_FAILED},
            Readiness("waiting"),
        ),
        (
            {"status": "Unknown", "reason": "OutOfDate"},
            {"status": "False", **OLD_FAILED},
            {"status": "False", **OLD_FAILED},
            Readiness("waiting", "OutOfDate"),
        ),
        (
            {"status": "False", **NEW_FAILED},
            {"status": "True"},
            {"status": "False", **NEW_FAILED},
            Readiness("failed", 'RevisionFailed: Revision "gateway-new" failed with message: no image.'),
        ),
        (
            {"status": "True"},
            {"status": "False", **OLD_FAILED},
            {"status": "False", **OLD_FAILED},
            Readiness("failed", 'RevisionMissing: Revision "gateway-old" failed to become ready.'),
        ),
    ],
)
def test_a_service_has_not_failed_while_only_those_before_its_newest_revision_have(
    newest: dict[str, str], routes: dict[str, str], ready: dict[str, str], expected: Readiness
) -> None:
    conditions = [
        condition("ConfigurationsReady", **newest),
        condition("Ready", **ready),
        condition("RoutesReady", **routes),
    ]
    assert standing(SERVICE, {"observedGeneration": 2, "conditions": conditions}) == expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({"active": 1}, Readiness("waiting")),
        ({"conditions": [condition("Complete", "True")]}, Readiness("ready")),
        ({"conditions": [condition("Failed", "True", reason="BackoffLimitExceeded")]},
         Readiness("failed", "BackoffLimitExceeded")),
    ],
)  # fmt: skip
def test_a_job(status: dict[str, Any], expected: Readiness) -> None:
    assert standing(JOB, status) == expected


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ({"observedGeneration": 1, "readyReplicas": 1, "currentRevision": "a", "updateRevision": "a"}, "waiting"),
        ({"observedGeneration": 2, "readyReplicas": 1, "currentRevision": "a", "updateRevision": "a"}, "ready"),
        ({"observedGeneration": 2, "readyReplicas": 1, "currentRevision": "a", "updateRevision": "b"}, "waiting"),
        ({"observedGeneration": 2, "currentRevision": "a", "updateRevision": "a"}, "waiting"),
    ],
)
def test_a_stateful_set(status: dict[str, Any], state: str) -> None:
    assert standing(SET, status).state == state


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ({"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1}, "waiting"),
        ({"observedGeneration": 2, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1}, "ready"),
        ({"observedGeneration": 2, "replicas": 1, "readyReplicas": 1}, "waiting"),
        ({"observedGeneration": 2, "replicas": 1, "updatedReplicas": 1}, "waiting"),
    ],
)
def test_a_deployment(status: dict[str, Any], state: str) -> None:
    assert standing(DEPLOYMENT, status).state == state


def test_what_has_no_condition_is_ready_by_being_there() -> None:
    assert standing(("v1", "ServiceAccount"), {}).state == "ready"
