"""Names of revisions, shares of requests, and the way back, as manifests say them."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from knative.deploy.traffic import (
    CANARY,
    NONE,
    Standing,
    named,
    newer,
    restored,
    revision_name,
    settled,
    split,
    standing,
)


def service(image: str = "one") -> dict[str, Any]:
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": "gateway", "namespace": "hal9", "labels": {"app.kubernetes.io/part-of": "hal9"}},
        "spec": {"template": {"metadata": {"annotations": {"a": "1"}}, "spec": {"containers": [{"image": image}]}}},
    }


def revision(manifest: dict[str, Any], generation: int) -> dict[str, Any]:
    """What Knative makes of a template."""
    template = copy.deepcopy(manifest["spec"]["template"])
    template["metadata"]["annotations"]["serving.knative.dev/creator"] = "admin"
    labels = {"serving.knative.dev/configurationGeneration": str(generation), "mine": "yes"}
    template["metadata"]["labels"] = labels
    return {**template, "apiVersion": "serving.knative.dev/v1", "kind": "Revision"}


def test_the_same_template_has_the_same_name_and_another_one_another() -> None:
    one = named(service())
    assert named(service()) == one
    assert named(one) == one, "a name says nothing of itself"
    assert revision_name(one).startswith("gateway-")
    assert revision_name(named(service("two"))) != revision_name(one)
    assert revision_name(service()) == ""


def test_a_share_goes_to_the_new_revision_and_the_rest_to_the_old() -> None:
    new = named(service("two"))
    found = split(new, "gateway-old", 10, "2026-11-28T10:00:00Z")
    assert found["spec"]["traffic"] == [
        {"revisionName": "gateway-old", "percent": 90},
        {"revisionName": revision_name(new), "percent": 10},
    ]
    assert new["metadata"]["annotations"] == {CANARY: NONE}, "what was given stays as it was"
    assert standing(found) == Standing("gateway-old", revision_name(new), "2026-11-28T10:00:00Z")


@pytest.mark.parametrize(
    ("traffic", "expected"),
    [
        ([], None),
        ([{"percent": 100}], None),
        ([{"revisionName": "gateway-1", "percent": 100, "latestRevision": True}], Standing("gateway-1")),
        ([{"revisionName": "gateway-1"}, {"revisionName": "gateway-2", "percent": 60}], Standing("gateway-2")),
    ],
)
def test_the_revision_that_most_requests_go_to_is_the_stable_one(traffic: list[Any], expected: Any) -> None:
    assert standing({**service(), "status": {"traffic": traffic}}) == expected


def test_what_is_restored_is_the_old_template_under_its_own_name_and_nothing_of_knatives() -> None:
    old = named(service())
    live = split(named(service("two")), revision_name(old), 10, "2026-11-28T10:00:00Z")
    live["metadata"]["annotations"]["serving.knative.dev/creator"] = "admin"
    found = restored({**live, "status": {}}, revision(old, 1))
    assert found["spec"] == {
        "template": {
            "metadata": {"name": revision_name(old), "labels": {"mine": "yes"}, "annotations": {"a": "1"}},
            "spec": old["spec"]["template"]["spec"],
        }
    }
    assert found["metadata"] == old["metadata"]


def test_a_template_of_the_same_name_is_applied_as_it_stands() -> None:
    wanted = named(service())
    live = copy.deepcopy(wanted)
    live["spec"]["template"]["metadata"]["creationTimestamp"] = None
    live["spec"]["template"]["spec"]["timeoutSeconds"] = 300
    assert settled(wanted, live)["spec"]["template"]["spec"] == live["spec"]["template"]["spec"]
    assert "creationTimestamp" not in settled(wanted, live)["spec"]["template"]["metadata"]
    assert settled(wanted, None) == wanted
    assert settled(named(service("two")), live) == named(service("two"))


WRITTEN_OFF = {"conditions": [{"type": "ContainerHealthy", "status": "False"}, {"type": "Ready", "status": "False"}]}
UNSCHEDULED = {"conditions": [{"type": "ResourcesAvailable", "status": "False"}, {"type": "Ready", "status": "False"}]}


def serving(manifest: dict[str, Any]) -> dict[str, Any]:
    """A service that stands, with all requests at the revision of its template."""
    return {**manifest, "status": {"traffic": [{"revisionName": revision_name(manifest), "percent": 100}]}}


def test_a_template_whose_revision_is_written_off_gets_the_next_name_and_then_stays() -> None:
    wanted = named(service())
    again = settled(wanted, serving(wanted), {**revision(wanted, 1), "status": WRITTEN_OFF})
    assert revision_name(again) == f"{revision_name(wanted)}-2"
    assert again["spec"]["template"]["spec"] == wanted["spec"]["template"]["spec"]
    assert revision_name(settled(wanted, serving(again), revision(again, 2))) == revision_name(again)
    third = settled(wanted, serving(again), {**revision(again, 2), "status": WRITTEN_OFF})
    assert revision_name(third) == f"{revision_name(wanted)}-3"
    other = named(service("two"))
    assert settled(other, serving(again), {**revision(again, 2), "status": WRITTEN_OFF}) == other


def test_a_revision_that_gets_no_requests_or_waits_for_a_node_keeps_its_name() -> None:
    wanted = named(service())
    assert revision_name(settled(wanted, wanted, {**revision(wanted, 1), "status": WRITTEN_OFF})) == revision_name(
        wanted
    ), "it is deleted, and made anew under its name"
    waiting = {**revision(wanted, 1), "status": UNSCHEDULED}
    assert revision_name(settled(wanted, serving(wanted), waiting)) == revision_name(wanted)


def test_what_is_restored_has_the_next_name_where_the_old_revision_is_written_off() -> None:
    old, new = named(service()), named(service("two"))
    live = split(new, revision_name(old), 10, "2026-11-28T10:00:00Z")
    found = restored(live, {**revision(old, 1), "status": WRITTEN_OFF})
    assert revision_name(found) == f"{revision_name(old)}-2"
    assert found["spec"]["template"]["spec"] == old["spec"]["template"]["spec"]


def test_only_what_was_made_after_the_old_revision_was_rolled_back() -> None:
    made = [revision(named(service(image)), generation) for image, generation in (("a", 2), ("b", 4), ("c", 10))]
    names = [one["metadata"]["name"] for one in made]
    assert [one["metadata"]["name"] for one in newer(made, names[1])] == [names[2]]
    assert newer(made, "gateway-gone") == []
