"""Unplugged: no Eventing, an older Knative, flags that are off, no permission. All is named, and nothing written."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from knative.deploy.kinds import ACCOUNT, NAMESPACE, SECRET, Kind
from tests.cluster.conftest import IMAGES, document
from tests.cluster.hiding import hiding
from tests.cluster.hiding import kubeconfig as kubeconfig_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from knative.deploy.cluster import Cluster

ROLE = Kind("rbac.authorization.k8s.io/v1", "Role", "roles")
BINDING = Kind("rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings")
NOT_FOUND = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": "not found", "reason": "NotFound"}
NAMESPACE_TO_COME = "hal9-preflight"


def arguments(namespace: str = NAMESPACE_TO_COME, *more: str) -> list[str]:
    return [
        *("deploy", "--region", "eu-central", "--environment", "trial", "--broker", "channel", "--images", IMAGES),
        *("--namespace", namespace, "--with-data", "--storage", "emptydir", "--json", *more),
    ]


def said(found: tuple[int, str, str]) -> str:
    assert found[0] == 1, found
    return "\n".join(fault["what"] for fault in document(found)["faults"])


async def test_a_cluster_that_has_all_has_no_fault(hal9: Callable[..., Any]) -> None:
    found = await hal9(*arguments(), "--plan")
    assert found[0] == 0, found
    assert document(found)["faults"] == []
    assert {change["action"] for change in document(found)["changes"]} == {"create"}


async def test_without_eventing_it_is_said_and_nothing_is_applied(hal9: Callable[..., Any], tmp_path: Path) -> None:
    def without(path: str, status: int, found: Any) -> tuple[int, Any]:
        hidden = "eventing.knative.dev" in path or "sources.knative.dev" in path or "knative-eventing" in path
        return (404, NOT_FOUND) if hidden else (status, found)

    async with hiding(tmp_path, without) as kubeconfig:
        found = await hal9(*arguments(), kubeconfig=kubeconfig)
    assert said(found) == "Knative Eventing is not installed in the cluster."


async def test_an_older_knative_is_said(hal9: Callable[..., Any], tmp_path: Path) -> None:
    def older(path: str, status: int, found: Any) -> tuple[int, Any]:
        if path == "/apis/eventing.knative.dev/v1alpha1":
            return 404, NOT_FOUND
        if path.endswith("/namespaces/knative-serving/deployments/controller"):
            found["metadata"]["labels"]["app.kubernetes.io/version"] = "1.12.3"
        if path.rstrip("/") == "/version":
            found["gitVersion"] = "v1.26.1"
        return status, found

    async with hiding(tmp_path, older) as kubeconfig:
        text = said(await hal9(*arguments(), kubeconfig=kubeconfig))
    assert "Knative Serving is 1.12.3: HAL9 needs 1.15 or later." in text
    assert "Knative Eventing is older than 1.15: it does not know EventPolicy" in text
    assert "Kubernetes is v1.26.1" in text


async def test_flags_that_are_off_are_named_with_the_command_that_switches_them_on(
    hal9: Callable[..., Any], tmp_path: Path
) -> None:
    def off(path: str, status: int, found: Any) -> tuple[int, Any]:
        if path.endswith("/configmaps/config-features"):
            found["data"] = {}
        return status, found

    async with hiding(tmp_path, off) as kubeconfig:
        found = await hal9(*arguments(), kubeconfig=kubeconfig)
        without_oidc = await hal9(*arguments(), "--without-oidc", kubeconfig=kubeconfig)
    faults = document(found)["faults"]
    remedies = {fault["what"].split(" ")[2]: fault["remedy"] for fault in faults}
    assert set(remedies) == {
        "kubernetes.podspec-securitycontext",
        "kubernetes.podspec-topologyspreadconstraints",
        "authentication-oidc",
    }
    assert all(remedy.startswith("kubectl -n knative-") and name in remedy for name, remedy in remedies.items())
    assert "--without-oidc" in remedies["authentication-oidc"]
    assert "authentication-oidc" not in said(without_oidc)


async def test_a_shared_secret_is_refused_where_the_broker_asks_for_tokens(hal9: Callable[..., Any]) -> None:
    found = await hal9(*arguments(), "--without-oidc")
    assert "authentication-oidc is on" in said(found)
    assert [fault["remedy"] for fault in document(found)["faults"]] == ["Leave out --without-oidc."]


async def test_without_a_storage_class_the_ways_out_are_named(hal9: Callable[..., Any], tmp_path: Path) -> None:
    def none(path: str, status: int, found: Any) -> tuple[int, Any]:
        if path.endswith("/storageclasses"):
            found["items"] = []
        return status, found

    volumes = [one for one in arguments() if one not in {"--storage", "emptydir"}]
    async with hiding(tmp_path, none) as kubeconfig:
        found = await hal9(*volumes, kubeconfig=kubeconfig)
    (fault,) = [one for one in document(found)["faults"] if "StorageClass" in one["what"]]
    assert "--storage emptydir" in fault["remedy"]


async def test_secrets_that_nobody_gave_are_named(hal9: Callable[..., Any], cluster: Cluster) -> None:
    external = [one for one in arguments(cluster.namespace) if one not in {"--with-data", "--storage", "emptydir"}]
    unset = {"HAL9_SHARDS": "", "HAL9_SHARDS_ADMIN": "", "HAL9_CACHE_URL": ""}
    text = said(await hal9(*external, **unset))
    for name in ("hal9-shards", "hal9-shards-admin", "hal9-cache-url"):
        assert f"The Secret {name} is missing." in text
    assert await cluster.listed(SECRET) == []


async def test_each_right_that_is_missing_is_named(hal9: Callable[..., Any], cluster: Cluster, tmp_path: Path) -> None:
    kubeconfig = await account(cluster, tmp_path, [])
    assert "pods/proxy" not in said(await hal9(*arguments(cluster.namespace), kubeconfig=kubeconfig))
    text = said(await hal9(*arguments(cluster.namespace, "--canary", "10"), kubeconfig=kubeconfig))
    for what in (
        "get pods/proxy",
        "get, list, delete revisions.serving.knative.dev",
        "get, list, create, patch, delete services.serving.knative.dev",
        "get, list, create, patch, delete triggers.eventing.knative.dev",
        "get, list, create, patch secrets",
        "get pods/log",
        "get, list, create, patch, delete jobs.batch",
        "get, list, create, patch, delete statefulsets.apps",
    ):
        assert f"You may not {what} in {cluster.namespace}." in text
    assert "You may not get, patch namespaces named" in text


async def test_a_right_that_is_there_is_not_named(hal9: Callable[..., Any], cluster: Cluster, tmp_path: Path) -> None:
    rules = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
    kubeconfig = await account(cluster, tmp_path, rules)
    lines = said(await hal9(*arguments(cluster.namespace), kubeconfig=kubeconfig)).splitlines()
    assert {line.rsplit(" ", 1)[0] for line in lines} == {
        "You may not get, patch namespaces named",
    }


def authority_of(server: str) -> str:
    """Give the certificate that a kubeconfig's server is believed by."""
    known = yaml.safe_load(Path(os.environ["KUBECONFIG"]).read_text(encoding="utf-8"))["clusters"]
    (found,) = {one["cluster"]["certificate-authority-data"] for one in known if one["cluster"]["server"] == server}
    return str(found)


async def account(cluster: Cluster, folder: Path, rules: list[dict[str, Any]]) -> str:
    """Make an account with a role in its namespace; give a kubeconfig that is its own."""
    name = "deployer"
    await cluster.create(ACCOUNT, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}})
    await cluster.create(ROLE, {"apiVersion": ROLE.version, "kind": "Role", "metadata": {"name": name}, "rules": rules})
    subject = {"kind": "ServiceAccount", "name": name, "namespace": cluster.namespace}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}
    binding = {"apiVersion": BINDING.version, "kind": "RoleBinding", "metadata": {"name": name}}
    await cluster.create(BINDING, {**binding, "roleRef": reference, "subjects": [subject]})
    tokens = Kind("v1", "TokenRequest", f"serviceaccounts/{name}/token")
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    token = (await cluster.create(tokens, request))["status"]["token"]
    authority = authority_of(cluster.server)
    path = folder / "account.kubeconfig"
    path.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [
                    {
                        "name": "c",
                        "cluster": {"server": cluster.server, "certificate-authority-data": authority},
                    }
                ],
                "users": [{"name": "u", "user": {"token": token}}],
                "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
                "current-context": "c",
            }
        )
    )
    return str(path)


@pytest.mark.parametrize("context", ["nosuch"])
async def test_a_context_that_is_not_there_is_said(hal9: Callable[..., Any], context: str) -> None:
    refusal = await hal9(*arguments(), "--context", context)
    assert (refusal[0], context in document(refusal)["problem"]["detail"]) == (1, True)


async def test_a_cluster_that_does_not_answer_is_said(hal9: Callable[..., Any], tmp_path: Path) -> None:
    path = tmp_path / "nowhere.kubeconfig"
    path.write_text(json.dumps(kubeconfig_of(1)))
    refusal = await hal9(*arguments(), kubeconfig=str(path))
    assert (refusal[0], "does not answer" in document(refusal)["problem"]["detail"]) == (1, True)


async def test_nothing_was_made_by_all_this(cluster: Cluster) -> None:
    assert await cluster.get(NAMESPACE, NAMESPACE_TO_COME) is None
