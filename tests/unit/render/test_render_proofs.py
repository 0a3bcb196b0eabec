"""Who may deliver to whom in a cluster, and what each part is given to prove and to verify that."""

from __future__ import annotations

import json
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from knative.description import load_all
from knative.render import Target, render
from knative.render.proofs import account, with_secrets

FUNCTIONS = load_all(Path(__file__).parents[3] / "functions")
WITH_OIDC = Target("eu-central", broker="channel", api_cidrs=("10.231.0.2/32",))
WITHOUT_OIDC = Target("eu-central", broker="channel", oidc=False)
DEPLOYMENTS = [part for function in FUNCTIONS for part in function.deployments("production")]


def manifests(target: Target, kind: str) -> dict[str, dict[str, Any]]:
    found = chain.from_iterable(render(FUNCTIONS, target).values())
    return {one["metadata"]["name"]: one for one in found if one["kind"] == kind}


def pod(name: str, target: Target = WITH_OIDC) -> dict[str, Any]:
    spec: dict[str, Any] = manifests(target, "Service")[name]["spec"]["template"]["spec"]
    return spec


def variables(name: str, target: Target = WITH_OIDC) -> dict[str, Any]:
    (container,) = pod(name, target)["containers"]
    return {one["name"]: one.get("value", one.get("valueFrom")) for one in container["env"]}


# Made with knative.dev/pkg/kmeta.ChildName (v0.0.0-20240716082220), as knative.dev/eventing v0.42.0 pkg/auth does.
TRIGGER, PING = ("eventing.knative.dev", "Trigger"), ("sources.knative.dev", "PingSource")
NAMES = [
    ("a", TRIGGER, "a-oidc-eventing.knative.dev-trigger"),
    ("a", PING, "a-oidc-sources.knative.dev-pingsource"),
    ("twenty-seven-characters-abc", PING, "twenty-seven-characters-abc-oidc-sources.knative.dev-pingsource"),
    ("twenty-nine-characters-abcdef", TRIGGER, "twenty-nine-characters-abcdef-oidc-eventing.knative.dev-trigger"),
    ("twenty-nine-characters-abcdef", PING, "twenty-nine-characters-abcdefe6c64300eb73389e400863e5017e2429-o"),
    ("thirty-characters-abcdefghi-kl", TRIGGER, "thirty-characters-abcdefghi-kl785d120d0b1ef89495bd65f2b7c5f0b2"),
    ("codegen-verification-requested", TRIGGER, "codegen-verification-requested99c27c8342bae61ea10038e470437d63"),
    (
        "an-extremely-long-name-of-a-trigger-that-goes-on-and-on-for-ever-x",
        TRIGGER,
        "an-extremely-long-name-of-a-tri414c1c3a14fa561e19ea0deff1325588",
    ),
]


@pytest.mark.parametrize(("name", "kind", "expected"), NAMES, ids=[f"{kind[1]} {name}" for name, kind, _ in NAMES])
def test_accounts_are_named_as_eventing_names_them(name: str, kind: tuple[str, str], expected: str) -> None:
    assert account(name, *kind) == expected


def subject(name: str, kind: tuple[str, str]) -> str:
    return f"system:serviceaccount:hal9:{account(name, *kind)}"


def test_a_function_takes_events_from_just_the_accounts_that_deliver_to_it() -> None:
    triggers, sources = manifests(WITH_OIDC, "Trigger"), manifests(WITH_OIDC, "PingSource")
    for deployment in DEPLOYMENTS:
        to_it = {
            subject(name, kind)
            for kind, objects, field in ((TRIGGER, triggers, "subscriber"), (PING, sources, "sink"))
            for name, one in objects.items()
            if one["spec"][field]["ref"]["name"] == deployment.name
        }
        given = variables(deployment.name).get("HAL9_BROKER_SUBJECTS", "")
        assert set(given.split(",") if given else []) == to_it, deployment.name


def test_only_the_sink_takes_dead_letters_and_from_every_trigger() -> None:
    everyone = {subject(name, TRIGGER) for name in manifests(WITH_OIDC, "Trigger")}
    for deployment in DEPLOYMENTS:
        given = variables(deployment.name).get("HAL9_DEAD_LETTER_SUBJECTS", "")
        assert set(given.split(",") if given else []) == (everyone if deployment.name == "upkeep" else set())


def test_whoever_is_delivered_to_gets_a_token_and_the_authority_for_the_clusters_keys_and_nobody_else() -> None:
    policies = manifests(WITH_OIDC, "NetworkPolicy")
    for deployment in DEPLOYMENTS:
        delivered_to = deployment.name != "gateway"
        volumes = {volume["name"]: volume for volume in pod(deployment.name)["volumes"]}
        assert ("kubernetes" in volumes) == delivered_to
        rules = [rule for rule in policies[deployment.name]["spec"]["egress"] if "10.231.0.2/32" in json.dumps(rule)]
        assert [rule["ports"] for rule in rules] == ([[{"protocol": "TCP", "port": 6443}]] if delivered_to else [])
        if delivered_to:
            token, authority = volumes["kubernetes"]["projected"]["sources"]
            assert token == {"serviceAccountToken": {"path": "token", "expirationSeconds": 3600}}
            assert authority["configMap"]["name"] == "kube-root-ca.crt"
            (mount,) = [
                one for one in pod(deployment.name)["containers"][0]["volumeMounts"] if one["name"] == "kubernetes"
            ]
            assert variables(deployment.name)["HAL9_KUBERNETES_TOKEN"] == f"{mount['mountPath']}/token"
            assert variables(deployment.name)["HAL9_KUBERNETES_CA"] == f"{mount['mountPath']}/ca.crt"


def test_whoever_sends_gets_a_token_for_the_broker() -> None:
    for deployment in DEPLOYMENTS:
        (volume,) = [one for one in pod(deployment.name)["volumes"] if one["name"] == "broker-token"]
        (source,) = volume["projected"]["sources"]
        assert source["serviceAccountToken"]["audience"] == "eventing.knative.dev/broker/hal9/default"
        assert variables(deployment.name)["HAL9_BROKER_TOKEN"] == "/var/run/hal9/broker/token"


def test_without_oidc_nobody_asks_for_tokens_and_each_function_has_a_secret_of_its_own() -> None:
    assert manifests(WITHOUT_OIDC, "EventPolicy") == {}
    text = json.dumps(list(chain.from_iterable(render(FUNCTIONS, WITHOUT_OIDC).values())))
    assert "audience" not in text
    assert "serviceAccountToken" not in text
    assert "?proof=" not in text
    for deployment in DEPLOYMENTS:
        given = variables(deployment.name, WITHOUT_OIDC)
        assert not {"HAL9_BROKER_SUBJECTS", "HAL9_KUBERNETES_TOKEN", "HAL9_BROKER_TOKEN"} & set(given)
        if deployment.name == "gateway":
            assert "HAL9_BROKER_PROOF" not in given
            continue
        assert given["HAL9_BROKER_PROOF"] == "secret"
        assert given["HAL9_BROKER_SECRET"] == {"secretKeyRef": {"name": "hal9-broker-proof", "key": deployment.name}}


def test_the_secrets_go_into_every_address_that_is_delivered_to_and_into_nothing_else() -> None:
    secrets = {deployment.name: f"{deployment.name}/+ &=" for deployment in DEPLOYMENTS}
    for manifest in chain.from_iterable(render(FUNCTIONS, WITHOUT_OIDC).values()):
        before = json.dumps(manifest)
        filled = with_secrets(manifest, secrets)
        assert json.dumps(manifest) == before
        addresses = [part for part in _walk(filled) if isinstance(part, dict) and "uri" in part]
        assert bool(addresses) == (manifest["kind"] in {"Broker", "Trigger", "PingSource"})
        for one in addresses:
            name = one["ref"]["name"]
            assert one["uri"].endswith(f"?proof={name}%2F%2B%20%26%3D")
            assert with_secrets(filled, secrets) == filled
        if not addresses:
            assert filled == manifest


def test_a_deployment_without_a_secret_is_no_oversight() -> None:
    trigger = manifests(WITHOUT_OIDC, "Trigger")["upkeep-sweep-requested"]
    with pytest.raises(KeyError, match="upkeep"):
        with_secrets(trigger, {"codegen": "x"})


def _walk(value: Any) -> list[Any]:
    parts = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    return [value, *chain.from_iterable(_walk(part) for part in parts)]
