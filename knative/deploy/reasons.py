"""Why pods do not run: what the kubelet waits for, what a container said last, what the scheduler warned of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from knative.deploy.kinds import EVENT, POD

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from knative.deploy.cluster import Cluster
    from knative.render.target import Manifest

LINES: Final = 8
"""Of a log."""

_NORMAL: Final = frozenset({"ContainerCreating", "PodInitializing", ""})
_HOPELESS: Final = frozenset({"ErrImageNeverPull", "InvalidImageName", "ImageInspectError"})
_UNSTARTED: Final = frozenset({"ErrImagePull", "ImagePullBackOff", "CreateContainerConfigError"})
"""A Secret that was missing may have been made just now: the kubelet looks again after a while."""

_STUCK: Final = _UNSTARTED | {"CrashLoopBackOff", "Error", "OOMKilled"}

_SIDECAR: Final = "queue-proxy"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a pod does not run.

    Attributes:
        text: one sentence.
        log: the last lines that its container said.
        hopeless: whether waiting longer cannot help.
        stuck: whether it seldom helps: an image cannot be pulled, a container ends again and again.
        pending: whether the pod has no node yet: one may come.
        unstarted: whether a container that is stuck has not even begun: no Job counts that as a failure.
    """

    text: str
    log: tuple[str, ...] = ()
    hopeless: bool = False
    stuck: bool = False
    pending: bool = False
    unstarted: bool = False


async def of_pods(cluster: Cluster, selector: str) -> list[Reason]:
    """Say why the pods of a selector do not run; each reason once, however many pods have it."""
    pods = await cluster.listed(POD, selector)
    events = await cluster.listed(EVENT) if pods else []
    found: dict[str, Reason] = {}
    for pod in pods:
        for reason in await _containers(cluster, pod) or _warnings(pod, events):
            found.setdefault(reason.text, reason)
    return list(found.values())


async def _containers(cluster: Cluster, pod: Manifest) -> list[Reason]:
    found = []
    for status in pod.get("status", {}).get("containerStatuses") or []:
        reason, text = _trouble(status)
        if text and status["name"] != _SIDECAR:
            log = await _last_words(cluster, pod["metadata"]["name"], status)
            words = f"container {status['name']}: {text}"
            found.append(
                Reason(words, tuple(log), reason in _HOPELESS, reason in _STUCK, unstarted=reason in _UNSTARTED)
            )
    return found


def _trouble(status: dict[str, Any]) -> tuple[str, str]:
    """Say what a container waits for, or how it ended, in a word and in a sentence; empty when it runs or will."""
    state = status.get("state") or {}
    waiting = state.get("waiting") or {}
    reason = waiting.get("reason", "")
    if reason not in _NORMAL:
        return reason, _joined(reason, waiting.get("message", ""))
    ended = state.get("terminated") or (status.get("lastState") or {}).get("terminated") or {}
    if ended.get("exitCode"):
        return ended.get("reason", ""), _joined(ended.get("reason", "ended"), f"exit code {ended['exitCode']}")
    if state.get("running") and not status.get("ready"):
        return "", "runs, but is not ready"
    return "", ""


async def _last_words(cluster: Cluster, pod: str, status: dict[str, Any]) -> list[str]:
    """Give what a container that ran said last: of this start, else of the one before."""
    name = status["name"]
    if "waiting" in (status.get("state") or {}) and not status.get("restartCount"):
        return []
    return await cluster.log(pod, name, LINES) or await cluster.log(pod, name, LINES, previous=True)


def _warnings(pod: Manifest, events: Sequence[Manifest]) -> Iterator[Reason]:
    """Give the newest warning about a pod that nothing of it runs yet: no room, no volume, no image."""
    if pod.get("status", {}).get("phase") != "Pending":
        return
    about = [
        one
        for one in events
        if one.get("type") == "Warning" and one["involvedObject"].get("uid") == pod["metadata"]["uid"]
    ]
    for one in about[-1:]:
        reason = one.get("reason", "")
        yield Reason(_joined(reason, one.get("message", "")), pending=reason == "FailedScheduling")


def _joined(reason: str, message: str) -> str:
    return f"{reason}: {message}" if reason and message and message != reason else reason or message
