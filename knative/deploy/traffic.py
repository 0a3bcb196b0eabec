"""How a service's requests are divided between revisions, as its manifest says it. Pure.

A revision is named after what its template says, so that the same template is the same revision: going back to it
starts no pods anew, and whoever looks at a cluster sees which of two revisions is meant. While a new version is tried,
its service's annotation says which revision was there before, and since when. Whoever finds that finds a roll-out that
goes on, or was interrupted.

`latestRevision` is never used while two revisions have traffic: to Knative the latest is the one of the highest
generation that is ready, and that may be one that was rolled back.

A revision of which one container ended while none was available is written off by Knative (1.15) for good, however well
its instances serve afterwards: no share can be given to it any more, and its service is never ready again. The same
template then gets the next name, `gateway-1a2b3c4d5e-2`, and so a revision that takes the old one's place.
"""

from __future__ import annotations

import copy
import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from knative.render.target import Manifest

CANARY: Final = "hal9.ai/canary"
"""The annotation. It is always there: were it the only one of ours and went, Knative's own would go with it."""

NONE: Final = "none"
_SINCE: Final = " since "
_GENERATION: Final = "serving.knative.dev/configurationGeneration"
_KNATIVES: Final = "serving.knative.dev/"
_DIGITS: Final = 10
_NAME: Final = re.compile(rf"(?P<template>.+-[0-9a-f]{{{_DIGITS}}})(?:-(?P<number>[0-9]+))?")


@dataclass(frozen=True, slots=True)
class Standing:
    """Which revisions have a service's requests.

    Attributes:
        stable: the revision that all of them go to, or went to before the roll-out that goes on.
        candidate: the revision that is tried; empty when none is.
        since: when that began, as RFC 3339 says it.
    """

    stable: str
    candidate: str = ""
    since: str = ""


def named(service: Manifest) -> Manifest:
    """Give a service whose revision is named after its template, and gets all of its requests."""
    found = copy.deepcopy(service)
    found["metadata"].setdefault("annotations", {})[CANARY] = NONE
    template = found["spec"]["template"]
    template.setdefault("metadata", {}).pop("name", None)
    digest = hashlib.sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()[:_DIGITS]
    template["metadata"]["name"] = f"{found['metadata']['name']}-{digest}"
    return found


def settled(service: Manifest, live: Manifest | None, revision: Manifest | None = None) -> Manifest:
    """Give a service as it can be applied to what stands.

    Knative fills in what a template leaves out, but not in one whose name stays: it is refused as changed. So a
    template that stands is given as it stands, but for one whose revision serves and is written off: that gets the next
    name.

    Args:
        service: with a named template.
        live: the same as it stands; None when it is not there.
        revision: that of the live one's template; None when it is not there.
    """
    if live is None or _template(revision_name(live)) != _template(revision_name(service)):
        return service
    found = copy.deepcopy(service)
    if revision is not None and written_off(revision) and revision_name(live) in served(live):
        found["spec"]["template"]["metadata"]["name"] = _next(revision_name(live))
        return found
    template = copy.deepcopy(live["spec"]["template"])
    template["metadata"].pop("creationTimestamp", None)
    found["spec"]["template"] = template
    return found


def _template(name: str) -> str:
    """Give the part of a revision's name that says which template it is of."""
    match = _NAME.fullmatch(name)
    return match["template"] if match is not None else name


def _next(name: str) -> str:
    """Give the name of a further revision of the same template."""
    match = _NAME.fullmatch(name)
    return f"{name}-2" if match is None else f"{match['template']}-{int(match['number'] or 1) + 1}"


def revision_name(service: Manifest) -> str:
    """Give the name of the revision that a manifest asks for; empty when it leaves that to Knative."""
    name: str = service["spec"]["template"].get("metadata", {}).get("name", "")
    return name


def served(live: Manifest) -> list[str]:
    """Name the revisions that a live service's requests go to."""
    shares: list[dict[str, Any]] = (live.get("status") or {}).get("traffic") or []
    return [share["revisionName"] for share in shares if share.get("revisionName")]


def standing(live: Manifest) -> Standing | None:
    """Say which revisions have a live service's requests; None when none ever had."""
    stable, _, since = live["metadata"].get("annotations", {}).get(CANARY, NONE).partition(_SINCE)
    if stable != NONE:
        return Standing(stable, revision_name(live), since)
    shares: list[dict[str, Any]] = (live.get("status") or {}).get("traffic") or []
    known = [share for share in shares if share.get("revisionName")]
    if not known:
        return None
    return Standing(max(known, key=lambda share: share.get("percent") or 0)["revisionName"])


def split(service: Manifest, stable: str, percent: int, since: str) -> Manifest:
    """Give a service that sends a share of its requests to the revision of its template.

    Args:
        service: with a named template.
        stable: the revision that gets the rest.
        percent: the share, 1 to 99.
        since: now, as RFC 3339 says it.
    """
    found = copy.deepcopy(service)
    found["metadata"]["annotations"][CANARY] = f"{stable}{_SINCE}{since}"
    found["spec"]["traffic"] = [
        {"revisionName": stable, "percent": 100 - percent},
        {"revisionName": revision_name(service), "percent": percent},
    ]
    return found


def restored(live: Manifest, revision: Manifest) -> Manifest:
    """Give a service as it was when a revision had all of its requests: that one's template, under its name.

    Where the revision is written off, under the next name: it would never get its requests back.

    Args:
        live: the service as it stands.
        revision: whose template is put back.
    """
    about = revision["metadata"]
    template = {
        "metadata": {
            "name": _next(about["name"]) if written_off(revision) else about["name"],
            **{
                what: own
                for what in ("labels", "annotations")
                if (own := {k: v for k, v in about.get(what, {}).items() if not k.startswith(_KNATIVES)})
            },
        },
        "spec": revision["spec"],
    }
    metadata = {name: live["metadata"][name] for name in ("name", "namespace", "labels") if name in live["metadata"]}
    return {
        "apiVersion": live["apiVersion"],
        "kind": live["kind"],
        "metadata": {**metadata, "annotations": {CANARY: NONE}},
        "spec": {"template": template},
    }


def failed(revision: Manifest) -> bool:
    """Say whether a revision did not become ready; Knative then does not try again."""
    return _is_false(revision, "Ready")


def written_off(revision: Manifest) -> bool:
    """Say whether Knative will never again take a revision for ready.

    Source: knative.dev/serving 0.42, PropagateAutoscalerStatus: `ContainerHealthy` that is False stays so.
    """
    return _is_false(revision, "ContainerHealthy")


def _is_false(revision: Manifest, condition: str) -> bool:
    conditions = (revision.get("status") or {}).get("conditions") or []
    return any(one["type"] == condition and one["status"] == "False" for one in conditions)


def newer(revisions: Iterable[Manifest], stable: str) -> list[Manifest]:
    """Give the revisions that were made after one: once it has all requests again, they were rolled back."""
    by_name = {one["metadata"]["name"]: one for one in revisions}
    if stable not in by_name:
        return []
    return [one for one in by_name.values() if _generation(one) > _generation(by_name[stable])]


def _generation(revision: Manifest) -> int:
    return int(revision["metadata"]["labels"][_GENERATION])
