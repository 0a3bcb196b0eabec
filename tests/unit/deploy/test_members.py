"""What belongs to a deployment, and what tells revisions that their Secrets changed. No cluster."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from knative.deploy import applyset
from knative.deploy.kinds import APPLIED, kind_of, qualified
from knative.deploy.secrets import stamp
from knative.description import load_all
from knative.render import Data, Target, render

FUNCTIONS = Path(__file__).resolve().parents[3] / "functions"
TARGET = Target("eu-central", environment="trial", broker="channel", data=Data(postgres="18", valkey="9"))


BACKED_UP = Target("eu-central", backups="s3://backups")


def manifests(target: Target = TARGET) -> list[dict[str, Any]]:
    return [one for file in render(load_all(FUNCTIONS), target).values() for one in file]


def test_every_rendered_kind_can_be_applied_and_pruned() -> None:
    for manifest in [*manifests(), *manifests(BACKED_UP)]:
        kind = kind_of(manifest)
        assert kind in APPLIED
        assert qualified(kind.qualified) == kind


def test_a_kind_that_is_not_rendered_is_refused() -> None:
    with pytest.raises(LookupError, match="ClusterRole"):
        kind_of({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole"})


def test_namespaces_and_volumes_are_never_members() -> None:
    members = [applyset.member(one, "hal9") for one in manifests()]
    without = {one["kind"] for one in members if applyset.MEMBER not in one["metadata"]["labels"]}
    assert without == {"Namespace", "PersistentVolumeClaim"}
    assert all(applyset.MEMBER not in one["metadata"]["labels"] for one in manifests()), "the originals were changed"


def test_the_id_follows_the_standard() -> None:
    """Kubernetes enhancement 3659: base64(sha256(<name>.<namespace>.<kind>.<group>)), URL-safe, no padding."""
    assert applyset.set_id("hal9") == "applyset-u4Uc60_zf99rn-yEYZmhQ6axNjjOnC-TqFD8YbJhGYM-v1"


def test_the_parent_names_the_kinds_of_its_members() -> None:
    members = [applyset.member(one, "hal9") for one in manifests()]
    annotations = applyset.parent(applyset.kinds_of(members), TARGET)["metadata"]["annotations"]
    names = annotations["applyset.kubernetes.io/contains-group-kinds"].split(",")
    assert names == sorted(names)
    assert {"Service", "Service.serving.knative.dev", "StatefulSet.apps"} <= set(names)
    assert not {"Namespace", "PersistentVolumeClaim", "ConfigMap"} & set(names)


def test_what_is_named_no_more_is_obsolete_by_its_kind_and_name() -> None:
    def made(version: str, kind: str, name: str, **metadata: str) -> dict[str, Any]:
        return {"apiVersion": version, "kind": kind, "metadata": {"name": name, **metadata}}

    found = [
        made("v1", "Service", "a"),
        made("serving.knative.dev/v1", "Service", "a"),
        made("v1", "Service", "going", deletionTimestamp="2026-01-01T00:00:00Z"),
    ]
    assert applyset.obsolete(found, [found[1]]) == [found[0]]


def test_a_revision_changes_with_the_secrets_that_it_reads_and_with_no_other() -> None:
    pods = {one["metadata"]["name"]: one["spec"]["template"]["spec"] for one in manifests() if is_service(one)}
    versions = {"hal9-shards": "1", "hal9-cache-url": "1", "hal9-identity-codegen": "1", "theirs": "1"}

    def changed(**newer: str) -> set[str]:
        after = versions | {name.replace("_", "-"): version for name, version in newer.items()}
        return {name for name, pod in pods.items() if stamp(pod, versions) != stamp(pod, after)}

    assert changed(theirs="2") == set()
    assert changed(hal9_cache_url="2") == {"gateway", "upkeep"}
    assert changed(hal9_identity_codegen="2") == {"codegen"}
    assert changed(hal9_shards="2") == set(pods)
    assert changed(hal9_settings="1") == set(pods)  # the operator's own settings appear


def is_service(manifest: dict[str, Any]) -> bool:
    return str(manifest["apiVersion"]).startswith("serving.knative.dev/")


@pytest.mark.parametrize("module", ["knative.cli.main", "knative.cli.deploy", "knative.cli.render", "knative.host"])
def test_the_clusters_library_is_imported_by_the_commands_that_need_it_alone(module: str) -> None:
    code = f"import sys, {module}; sys.exit('kr8s' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
