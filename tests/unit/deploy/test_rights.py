"""Rights that are missing: a sentence for each resource, and one manifest that gives them all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from knative.deploy.cluster import connect
from knative.deploy.kinds import JOB, NAMESPACE, POD, SECRET, SERVICE, STATEFUL_SET, TRIGGER, VOLUME_CLAIM, WORKLOAD
from knative.deploy.permissions import Rights, missing
from knative.deploy.preflight import rights_faults
from knative.render import Target
from tests.unit.deploy.apiserver import api_server

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

NEEDED = (
    ("get", NAMESPACE, ""),
    ("create", NAMESPACE, ""),
    *((verb, kind, "") for kind in (SERVICE, JOB, TRIGGER) for verb in ("get", "list", "create")),
    ("get", SECRET, ""),
    ("get", POD, "log"),
)


def test_a_resource_is_named_once_with_all_that_may_not_be_done() -> None:
    found = rights_faults(Rights((*NEEDED[2:5], NEEDED[-1]), NEEDED), "here")
    assert [one.what for one in found] == [
        "You may not get, list, create services.serving.knative.dev in here.",
        "You may not get pods/log in here.",
    ]


def test_the_advice_comes_once_and_its_role_has_every_right() -> None:
    found = rights_faults(Rights(NEEDED, NEEDED), "here")
    assert [bool(one.remedy) for one in found] == [*[False] * (len(found) - 1), True]
    inside, outside = yaml.safe_load_all(found[-1].remedy.split("\n", 1)[1])
    assert (inside["kind"], inside["metadata"]["namespace"], outside["kind"]) == ("Role", "here", "ClusterRole")
    given = {
        (verb, group, resource)
        for role in (inside, outside)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    assert given == {(verb, kind.group, f"{kind.plural}/{part}".rstrip("/")) for verb, kind, part in NEEDED}
    named = {tuple(rule["verbs"]): rule.get("resourceNames") for rule in outside["rules"]}
    assert named == {("get",): ["here"], ("create",): None}


def test_no_role_of_the_cluster_is_asked_for_where_none_is_needed() -> None:
    denied = tuple(one for one in NEEDED if one[1] != NAMESPACE)
    (role,) = yaml.safe_load_all(rights_faults(Rights(denied, NEEDED), "here")[-1].remedy.split("\n", 1)[1])
    assert role["kind"] == "Role"


def test_who_may_do_everything_hears_nothing() -> None:
    assert rights_faults(Rights((), NEEDED), "here") == []


async def test_backups_need_the_right_to_make_a_deployment_with_a_volume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(method: str, path: str, _given: Any) -> tuple[int, Any]:
        return (201, {"status": {"allowed": False}}) if method == "POST" else (404, {"message": "not found"})

    with api_server(refused, tmp_path, monkeypatch) as context:
        async with connect(context, "hal9") as cluster:
            plain, backed_up = [
                {kind for verb, kind, _ in (await missing(cluster, target)).denied if verb == "create"}
                for target in (Target("us-west"), Target("us-west", backups="s3://backups"))
            ]
    assert {WORKLOAD, VOLUME_CLAIM} <= backed_up - plain
    assert STATEFUL_SET not in backed_up
