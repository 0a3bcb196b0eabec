"""What would change: told field by field, without what the server keeps for itself, and without secrets."""

from __future__ import annotations

import copy
from typing import Any

from knative.deploy.changes import MISSING, Change, Field, change

LIVE: dict[str, Any] = {
    "apiVersion": "serving.knative.dev/v1",
    "kind": "Service",
    "metadata": {
        "name": "gateway",
        "uid": "1",
        "resourceVersion": "7",
        "generation": 2,
        "managedFields": [{}],
        "labels": {"app.kubernetes.io/part-of": "hal9"},
        "annotations": {"serving.knative.dev/creator": "me", "serving.knative.dev/lastModifier": "me"},
    },
    "spec": {"template": {"spec": {"containers": [{"image": "a:1", "env": [{"name": "A", "value": "1"}]}]}}},
    "status": {"url": "http://x"},
}


def test_what_is_not_there_is_created() -> None:
    assert change(None, LIVE) == Change("create", "Service.serving.knative.dev", "gateway")


def test_what_the_server_keeps_for_itself_is_no_change() -> None:
    wanted = copy.deepcopy(LIVE)
    wanted["metadata"] |= {"resourceVersion": "8", "generation": 3, "managedFields": []}
    wanted["metadata"]["annotations"]["serving.knative.dev/lastModifier"] = "you"
    del wanted["status"]
    assert change(LIVE, wanted).action == "unchanged"


def test_every_field_that_differs_is_named_with_both_values() -> None:
    wanted = copy.deepcopy(LIVE)
    container = wanted["spec"]["template"]["spec"]["containers"][0]
    container |= {"image": "a:2", "args": ["x"]}
    container["env"].append({"name": "B", "value": "2"})
    wanted["metadata"]["labels"] = {"hal9.ai/a": "b"}
    found = change(LIVE, wanted)
    at = "spec.template.spec.containers[0]"
    assert found.action == "change"
    assert {field.path for field in found.fields} == {
        f"{at}.args",
        f"{at}.env",
        f"{at}.image",
        'metadata.labels["app.kubernetes.io/part-of"]',
        'metadata.labels["hal9.ai/a"]',
    }
    assert Field(f"{at}.image", "a:1", "a:2") in found.fields
    assert Field(f"{at}.args", MISSING, ["x"]) in found.fields
    assert Field('metadata.labels["app.kubernetes.io/part-of"]', "hal9", MISSING) in found.fields


def test_the_brokers_secret_is_not_shown() -> None:
    about = {"apiVersion": "eventing.knative.dev/v1", "kind": "Trigger", "metadata": {"name": "x"}}
    before = {**about, "spec": {"subscriber": {"uri": "/events?proof=first-secret"}}}
    after = {**about, "spec": {"subscriber": {"uri": "/events?proof=second-secret&a=b"}}}
    (field,) = change(before, after).fields
    assert (field.before, field.after) == ("/events?proof=…", "/events?proof=…&a=b")


def test_two_kinds_of_one_name_are_told_apart() -> None:
    core = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "hal9-valkey"}}
    assert [change(None, one).kind for one in (core, LIVE)] == ["Service", "Service.serving.knative.dev"]
    assert change(None, {**core, "apiVersion": "apps/v1", "kind": "StatefulSet"}).kind == "StatefulSet"
