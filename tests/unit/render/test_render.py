"""What `hal9 render` writes is valid under the webhook's rules and, where Go is there, the pinned release's CRDs."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from knative.cli.main import main
from knative.cli.pools import holders_of
from knative.description import load_all
from knative.render import REGIONS, Data, Target, render, write
from shared.pools import Plan, Server

FUNCTIONS = Path(__file__).resolve().parents[3] / "functions"
MODULES = {
    "knative.dev/serving": "v0.42.2",
    "knative.dev/eventing": "v0.42.0",
    "knative.dev/networking": "v0.0.0-20240716111826-bab7f2a3e556",
    "k8s.io/client-go": "v0.29.2",
}
DELIVERY_TIMEOUT = {"type": "string", "pattern": "^P"}
"""`delivery.timeout` is in the release's Go types (DeliverySpec, feature delivery-timeout), but not in every CRD."""

Schemas = dict[tuple[str, str], dict[str, Any]]
"""By (apiVersion, kind)."""

DATA = Data(postgres="18.6-a", valkey="9.1-b")
TARGETS = [
    *(Target(region) for region in REGIONS),
    Target("us-west", environment="trial", broker="channel", data=DATA),
    Target("us-west", oidc=False),
    Target("us-west", backups="s3://backups/hal9"),
]


def named(target: Target) -> str:
    """Name a target of the tests."""
    return f"{target.region}-{target.environment}-{target.oidc}-{bool(target.backups)}"


def manifests(target: Target) -> list[dict[str, Any]]:
    return [manifest for file in render(load_all(FUNCTIONS), target).values() for manifest in file]


def of_kind(kind: str, target: Target = TARGETS[0]) -> list[dict[str, Any]]:
    return [manifest for manifest in manifests(target) if manifest["kind"] == kind]


@pytest.fixture(scope="module")
def module_folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Download the pinned release's modules (no code of them is run)."""
    if shutil.which("go") is None:
        pytest.skip("Go is not on this machine, and the CRDs come in Go modules")
    folder = tmp_path_factory.mktemp("modules")
    proxy = subprocess.run(["go", "env", "GOPROXY"], capture_output=True, text=True, check=True).stdout.split(",")[0]
    environment = {**os.environ, "GOPROXY": proxy.strip(), "GOFLAGS": "-mod=mod"}
    subprocess.run(["go", "mod", "init", "manifests"], cwd=folder, env=environment, capture_output=True, check=True)
    named = [f"{name}@{version}" for name, version in MODULES.items()]
    done = subprocess.run(
        ["go", "mod", "download", "-json", *named],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    found = re.findall(r'"Path": "([^"]+)".*?"Dir": "([^"]+)"', done.stdout, re.DOTALL)
    return {name: Path(path) for name, path in found}


@pytest.fixture(scope="module")
def schemas(module_folders: dict[str, Path]) -> Schemas:
    """Every CRD's schema, by (apiVersion, kind), closed so that an unknown field is a fault."""
    found = {}
    for folder in module_folders.values():
        for path in folder.glob("config/**/*.yaml"):
            text = path.read_text(encoding="utf-8")
            if "kind: CustomResourceDefinition" not in text:
                continue
            for document in yaml.safe_load_all(text):
                if document and document.get("kind") == "CustomResourceDefinition":
                    found.update(versions(document["spec"]))
    return found


def versions(spec: dict[str, Any]) -> Schemas:
    return {
        (f"{spec['group']}/{version['name']}", spec["names"]["kind"]): closed(version["schema"]["openAPIV3Schema"])
        for version in spec["versions"]
    }


def closed(schema: dict[str, Any]) -> dict[str, Any]:
    """Refuse unknown fields, also where the CRD keeps them: what it does not name is a typing error of ours."""
    schema = dict(schema)
    if "properties" in schema:
        schema["properties"] = {name: closed(part) for name, part in schema["properties"].items()}
        if "backoffDelay" in schema["properties"]:
            schema["properties"]["timeout"] = DELIVERY_TIMEOUT
        schema["additionalProperties"] = False
    for name in ("items", "additionalProperties"):
        if isinstance(schema.get(name), dict):
            schema[name] = closed(schema[name])
    if schema.pop("x-kubernetes-int-or-string", False):
        schema.pop("type", None)
    return schema


def custom_faults(manifest: dict[str, Any], schemas: Schemas) -> list[str]:
    schema = schemas[manifest["apiVersion"], manifest["kind"]]
    properties = {**schema.get("properties", {}), "apiVersion": {}, "kind": {}, "metadata": {}}
    closed_schema = {**schema, "properties": properties, "additionalProperties": False}
    return [
        f"{error.json_path}: {error.message}" for error in Draft202012Validator(closed_schema).iter_errors(manifest)
    ]


@pytest.mark.parametrize("target", TARGETS, ids=named)
def test_custom_objects_are_valid_under_the_pinned_crds(target: Target, schemas: Schemas) -> None:
    checked = [manifest for manifest in manifests(target) if "knative.dev" in manifest["apiVersion"]]
    kinds = {"Service", "Broker", "Trigger", "PingSource", *(["EventPolicy"] if target.oidc else [])}
    assert {manifest["kind"] for manifest in checked} == kinds
    assert {
        manifest["metadata"]["name"]: custom_faults(manifest, schemas)
        for manifest in checked
        if custom_faults(manifest, schemas)
    } == {}


@pytest.mark.parametrize(
    ("kind", "spoil"),
    [
        ("Service", lambda m: m["spec"]["template"]["spec"].update(containerConcurency=1)),
        ("Service", lambda m: m["spec"]["template"]["spec"].update(timeoutSeconds="300")),
        ("Trigger", lambda m: m["spec"].update(filter_=[])),
        ("Trigger", lambda m: m["spec"]["subscriber"].update(path="/events")),
        ("Broker", lambda m: m["spec"]["delivery"].update(retries=3)),
        ("EventPolicy", lambda m: m["spec"]["from"][0].update(subject="x")),
        ("PingSource", lambda m: m["spec"].update(cron="* * * * *")),
    ],
)  # fmt: skip
def test_the_check_against_the_crds_bites(kind: str, spoil: Callable[[dict[str, Any]], None], schemas: Schemas) -> None:
    manifest = json.loads(json.dumps(next(m for m in of_kind(kind) if "knative.dev" in m["apiVersion"])))
    assert custom_faults(manifest, schemas) == []
    spoil(manifest)
    assert custom_faults(manifest, schemas)


@pytest.fixture(scope="module")
def core_types(module_folders: dict[str, Path]) -> dict[str, dict[str, Any]]:
    """The fields of Kubernetes' own types, from the schema that its Go client applies objects by."""
    source = module_folders["k8s.io/client-go"] / "applyconfigurations" / "internal" / "internal.go"
    text = source.read_text(encoding="utf-8")
    schema = text[text.index("types:\n") : text.rindex("`)")]
    return {entry["name"]: entry for entry in yaml.safe_load(schema)["types"]}


CORE = {
    ("v1", "Namespace"): "io.k8s.api.core.v1.Namespace",
    ("v1", "ServiceAccount"): "io.k8s.api.core.v1.ServiceAccount",
    ("v1", "Service"): "io.k8s.api.core.v1.Service",
    ("v1", "PersistentVolumeClaim"): "io.k8s.api.core.v1.PersistentVolumeClaim",
    ("apps/v1", "StatefulSet"): "io.k8s.api.apps.v1.StatefulSet",
    ("apps/v1", "Deployment"): "io.k8s.api.apps.v1.Deployment",
    ("batch/v1", "Job"): "io.k8s.api.batch.v1.Job",
    ("policy/v1", "PodDisruptionBudget"): "io.k8s.api.policy.v1.PodDisruptionBudget",
    ("networking.k8s.io/v1", "NetworkPolicy"): "io.k8s.api.networking.v1.NetworkPolicy",
}


VOLUMES = {("v1", "Service"), ("v1", "PersistentVolumeClaim")}
ONLY_WITH_DATA = {*VOLUMES, ("apps/v1", "StatefulSet")}
ONLY_WITH_BACKUPS = {*VOLUMES, ("apps/v1", "Deployment")}


def core_faults(value: object, reference: dict[str, Any], types: dict[str, Any], at: str = "") -> list[str]:
    if "namedType" in reference:
        kind = types[reference["namedType"]]
        if "map" not in kind or "fields" not in kind["map"]:
            return []
        return struct_faults(value, {field["name"]: field["type"] for field in kind["map"]["fields"]}, types, at)
    if "list" in reference:
        if not isinstance(value, list):
            return [f"{at}: not a list"]
        return [
            f
            for i, part in enumerate(value)
            for f in core_faults(part, reference["list"]["elementType"], types, f"{at}/{i}")
        ]
    if "map" in reference and not isinstance(value, dict):
        return [f"{at}: not a map"]
    scalars = {"string": str, "numeric": int, "boolean": bool}
    if reference.get("scalar") in scalars and not isinstance(value, scalars[reference["scalar"]]):
        return [f"{at}: not a {reference['scalar']}"]
    return []


def struct_faults(value: object, fields: dict[str, Any], types: dict[str, Any], at: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{at}: not an object"]
    unknown = [f"{at}/{name}: unknown" for name in value if name not in fields]
    return unknown + [
        fault
        for name, part in value.items()
        if name in fields
        for fault in core_faults(part, fields[name], types, f"{at}/{name}")
    ]


@pytest.mark.parametrize("target", TARGETS, ids=named)
def test_kubernetes_own_objects_have_no_unknown_field(target: Target, core_types: dict[str, Any]) -> None:
    checked = [manifest for manifest in manifests(target) if "knative.dev" not in manifest["apiVersion"]]
    found = set(CORE) - ONLY_WITH_DATA - ONLY_WITH_BACKUPS
    found |= ONLY_WITH_DATA if target.data else set()
    found |= ONLY_WITH_BACKUPS if target.backups else set()
    assert {(m["apiVersion"], m["kind"]) for m in checked} == found
    for manifest in checked:
        named = {"namedType": CORE[manifest["apiVersion"], manifest["kind"]]}
        assert core_faults(manifest, named, core_types) == []


def test_the_check_of_kubernetes_own_objects_bites(core_types: dict[str, Any]) -> None:
    policy = json.loads(json.dumps(of_kind("NetworkPolicy")[1]))
    policy["spec"]["egres"] = []
    assert core_faults(policy, {"namedType": CORE["networking.k8s.io/v1", "NetworkPolicy"]}, core_types) == [
        "/spec/egres: unknown"
    ]


def knative_services(target: Target = TARGETS[0]) -> list[dict[str, Any]]:
    return [m for m in of_kind("Service", target) if m["apiVersion"] == "serving.knative.dev/v1"]


def test_every_annotation_and_label_is_a_string() -> None:
    for target in TARGETS:
        for manifest in manifests(target):
            metadata = [manifest["metadata"]]
            if manifest["kind"] == "Service" and "template" in manifest["spec"]:
                metadata.append(manifest["spec"]["template"]["metadata"])
            for part in metadata:
                values = [*part.get("annotations", {}).values(), *part.get("labels", {}).values()]
                assert all(isinstance(value, str) for value in values), manifest["metadata"]["name"]


AUTOSCALING = {
    "class",
    "metric",
    "target",
    "target-utilization-percentage",
    "min-scale",
    "max-scale",
    "initial-scale",
    "window",
    "scale-down-delay",
}
NOT_ALLOWED = [
    "lifecycle",
    "terminationGracePeriodSeconds",
    "hostNetwork",
    "nodeSelector",
    "affinity",
    "tolerations",
    "initContainers",
]


def test_autoscaling_annotations_are_those_that_the_webhook_knows() -> None:
    for service in knative_services():
        annotations = service["spec"]["template"]["metadata"]["annotations"]
        assert {name.removeprefix("autoscaling.knative.dev/") for name in annotations} == AUTOSCALING
        values = {name.removeprefix("autoscaling.knative.dev/"): value for name, value in annotations.items()}
        assert values["class"] == "kpa.autoscaling.knative.dev"  # the other class cannot scale to zero
        own = {"codegen": "25"}  # the others fill what they may hold
        assert values["target-utilization-percentage"] == own.get(service["metadata"]["name"], "100")
        assert 6 <= int(values["window"].removesuffix("s")) <= 3600
        assert int(values["min-scale"]) <= int(values["max-scale"])
        assert int(values["target"]) == service["spec"]["template"]["spec"]["containerConcurrency"]


@pytest.mark.parametrize("forbidden", NOT_ALLOWED)
def test_nothing_that_the_webhook_refuses_or_no_flag_allows(forbidden: str) -> None:
    for service in knative_services():
        assert f'"{forbidden}"' not in json.dumps(service)


def test_a_readiness_probe_without_a_period_has_nothing_that_the_webhook_then_refuses() -> None:
    """Serving's k8s_validation.go: with periodSeconds 0, timeoutSeconds and failureThreshold are disallowed fields."""
    for service in knative_services():
        (container,) = service["spec"]["template"]["spec"]["containers"]
        probe = container["readinessProbe"]
        assert probe.get("periodSeconds", 0) > 0 or not {"timeoutSeconds", "failureThreshold"} & set(probe)
        assert container["livenessProbe"]["periodSeconds"] > 0


def test_every_setting_that_a_function_must_have_is_given() -> None:
    for service in knative_services():
        (container,) = service["spec"]["template"]["spec"]["containers"]
        given = {variable["name"]: variable.get("value") for variable in container["env"]}
        assert {"HAL9_IDENTITY_KEY", "HAL9_TRUST", "HAL9_REGION", "HAL9_BROKER_URL", "HAL9_FUNCTION_URL"} <= set(given)
        expected = "s3://hal9-us-west" if service["metadata"]["name"] == "codegen" else None
        assert given.get("HAL9_OBJECTS") == expected


def test_with_data_artefacts_lie_in_a_volume_and_the_flags_for_it_are_named() -> None:
    target = Target("us-west", data=replace(DATA, storage_class="fast"))
    claims = {claim["metadata"]["name"]: claim["spec"] for claim in of_kind("PersistentVolumeClaim", target)}
    mounting = {s["metadata"]["name"] for s in knative_services(target) if "persistentVolumeClaim" in json.dumps(s)}
    assert (set(claims), mounting) == ({"hal9-objects"}, {"codegen"})
    assert claims["hal9-objects"]["storageClassName"] == "fast"
    assert "kubernetes.podspec-persistent-volume-write" in target.feature_flags
    assert "kubernetes.podspec-persistent-volume-write" not in Target("us-west").feature_flags


def test_the_servers_have_images_of_their_own_version() -> None:
    one, other = (of_kind("StatefulSet", Target("us-west", version=version, data=DATA)) for version in ("1", "2"))
    assert one == other
    images = {server["spec"]["template"]["spec"]["containers"][0]["image"].partition("hal9/")[2] for server in one}
    assert images == {"postgres:18.6-a", "valkey:9.1-b"}


def test_without_a_volume_the_one_instance_that_keeps_artefacts_stays() -> None:
    target = Target("us-west", data=replace(DATA, storage="emptydir"))
    assert of_kind("PersistentVolumeClaim", target) == []
    annotations = {
        s["metadata"]["name"]: s["spec"]["template"]["metadata"]["annotations"] for s in knative_services(target)
    }
    assert annotations["codegen"]["autoscaling.knative.dev/min-scale"] == "1"
    assert annotations["codegen"]["autoscaling.knative.dev/max-scale"] == "1"


def test_only_who_needs_the_data_reaches_it() -> None:
    target = Target("us-west", data=DATA)
    policies = {policy["metadata"]["name"]: policy["spec"] for policy in of_kind("NetworkPolicy", target)}
    (rule,) = policies["hal9-valkey"]["ingress"]
    (peer,) = rule["from"]
    assert peer["podSelector"]["matchExpressions"][0]["values"] == ["gateway", "upkeep"]
    into = json.dumps(policies["hal9-postgres"]["ingress"])
    assert '"hal9-probe"' in into
    assert '"neuron-l2"' in into
    assert '"hal9-migrations"' in into
    assert "ipBlock" not in json.dumps([policies[name] for name in ("gateway", "hal9-migrations")])
    assert "ipBlock" in json.dumps(next(p for p in of_kind("NetworkPolicy") if p["metadata"]["name"] == "gateway"))


def test_the_migrations_of_another_version_are_another_job() -> None:
    jobs = [of_kind("Job", Target("us-west", version=version))[0] for version in ("1", "1", "2")]
    names = [job["metadata"]["name"] for job in jobs]
    assert names[0] == names[1] != names[2]
    (container,) = jobs[0]["spec"]["template"]["spec"]["containers"]
    assert [one["name"] for one in container["env"]] == ["HAL9_SHARDS_ADMIN"]


def test_requests_end_within_what_knative_allows() -> None:
    assert all(0 < service["spec"]["template"]["spec"]["timeoutSeconds"] <= 600 for service in knative_services())


def test_only_the_gateway_can_be_reached_from_outside() -> None:
    visible = {
        s["metadata"]["name"]
        for s in knative_services()
        if "networking.knative.dev/visibility" not in s["metadata"]["labels"]
    }
    assert visible == {"gateway"}


def test_every_trigger_delivers_to_a_service_with_an_audience_and_a_dead_letter_sink() -> None:
    names = {service["metadata"]["name"] for service in knative_services()}
    for trigger in of_kind("Trigger"):
        spec = trigger["spec"]
        assert spec["subscriber"]["ref"]["name"] in names
        assert spec["subscriber"]["uri"] == "/events"
        assert spec["subscriber"]["audience"].startswith("hal9/")
        assert spec["delivery"]["deadLetterSink"]["uri"] == "/dead-letters"
        assert spec["delivery"]["deadLetterSink"]["audience"] == "hal9/upkeep"
        assert "{deployment}" not in json.dumps(spec["filters"])


def test_replies_are_allowed_by_the_event_policy() -> None:
    (policy,) = of_kind("EventPolicy")
    allowed = {
        sender["ref"]["name"] for sender in policy["spec"]["from"] if sender.get("ref", {}).get("kind") == "Trigger"
    }
    assert allowed == {trigger["metadata"]["name"] for trigger in of_kind("Trigger")}


def scales(target: Target = TARGETS[0]) -> dict[str, dict[str, str]]:
    return {s["metadata"]["name"]: s["spec"]["template"]["metadata"]["annotations"] for s in knative_services(target)}


@pytest.mark.parametrize("environment", ["production", "single-node"])
def test_the_neurons_run_as_three_deployments_between_20_and_100_instances(environment: str) -> None:
    found = scales(Target("us-west", environment=environment))
    scales_of_neurons = {name: one for name, one in found.items() if name.startswith("neuron-")}
    assert set(scales_of_neurons) == {"neuron-l4", "neuron-l3", "neuron-l2"}
    assert sum(int(a["autoscaling.knative.dev/min-scale"]) for a in scales_of_neurons.values()) == 20
    assert sum(int(a["autoscaling.knative.dev/max-scale"]) for a in scales_of_neurons.values()) == 100


def test_a_hundred_instances_on_one_node_ask_for_less_than_one_processor() -> None:
    millicores = 0
    for service in knative_services(Target("us-west", environment="single-node")):
        name, template = service["metadata"]["name"], service["spec"]["template"]
        if name.startswith("neuron-"):
            annotations = template["metadata"]["annotations"]
            requests = [
                template["spec"]["containers"][0]["resources"]["requests"]["cpu"],
                annotations["queue.sidecar.serving.knative.dev/cpu-resource-request"],
            ]
            most = int(annotations["autoscaling.knative.dev/max-scale"])
            millicores += most * sum(int(one.removesuffix("m")) for one in requests)
    assert 0 < millicores <= 1000


def test_instances_spread_their_first_connections_the_more_the_more_there_may_be() -> None:
    stagger: dict[str, dict[str, float]] = {}
    for environment in ("production", "trial"):
        for service in knative_services(Target("us-west", environment=environment)):
            (container,) = service["spec"]["template"]["spec"]["containers"]
            given = {variable["name"]: variable.get("value") for variable in container["env"]}
            found = stagger.setdefault(environment, {})
            found[service["metadata"]["name"]] = float(given["HAL9_POOL_STAGGER_SECONDS"])
    assert stagger["production"]["neuron-l2"] == 0.25
    assert stagger["production"]["upkeep"] == 0.025
    assert all(seconds <= 0.03 for seconds in stagger["trial"].values())


def test_who_takes_part_in_a_conversation_with_a_person_keeps_an_instance_in_production() -> None:
    least = {name: int(one["autoscaling.knative.dev/min-scale"]) for name, one in scales().items()}
    assert all(least[name] >= 1 for name in ("gateway", "codegen", "neuron-l4"))
    assert least["upkeep"] == 0
    assert {one["autoscaling.knative.dev/min-scale"] for one in scales(Target("us-west", "trial")).values()} == {"0"}


@pytest.mark.parametrize("environment", ["production", "single-node", "trial"])
@pytest.mark.parametrize("pool_size", [0, 2])
def test_servers_for_trying_out_allow_the_connections_that_the_plan_asks_for(environment: str, pool_size: int) -> None:
    target = Target("us-west", environment=environment, data=DATA, pool_size=pool_size)
    holders = holders_of(load_all(FUNCTIONS), environment, pool_size or None)
    allowed = []
    for server in of_kind("StatefulSet", target):
        (container,) = server["spec"]["template"]["spec"]["containers"]
        allowed += [int(one.partition("=")[2]) for one in container.get("args", ()) if "max_connections=" in one]
    assert len(allowed) == 3
    for most in allowed:
        assert Plan([Server("s", (0,), most)], holders).faults == ()
        assert Plan([Server("s", (0,), most - 1)], holders).faults != ()


@pytest.mark.parametrize(
    ("broker", "class_", "configuration", "ingress", "pods"),
    [
        ("kafka", "Kafka", "kafka-broker-config", "kafka-broker-ingress", {"app": "kafka-broker-receiver"}),
        (
            "channel",
            "MTChannelBasedBroker",
            "config-br-default-channel",
            "broker-ingress",
            {"eventing.knative.dev/brokerRole": "ingress"},
        ),
    ],
)
def test_each_class_of_broker_has_its_configuration_its_ingress_and_its_pods(
    broker: Any, class_: str, configuration: str, ingress: str, pods: dict[str, str]
) -> None:
    target = Target("us-west", broker=broker)
    (made,) = of_kind("Broker", target)
    assert made["metadata"]["annotations"] == {"eventing.knative.dev/broker.class": class_}
    assert made["spec"]["config"]["name"] == configuration
    for service in knative_services(target):
        (container,) = service["spec"]["template"]["spec"]["containers"]
        url = next(one["value"] for one in container["env"] if one["name"] == "HAL9_BROKER_URL")
        assert url == f"http://{ingress}.knative-eventing.svc.cluster.local/hal9/default"
    policies = {policy["metadata"]["name"]: policy["spec"] for policy in of_kind("NetworkPolicy", target)}
    assert {"matchLabels": pods} in [
        peer.get("podSelector") for rule in policies["upkeep"]["egress"] for peer in rule["to"]
    ]
    order = {"kafka.eventing.knative.dev/delivery.order": "unordered"} if broker == "kafka" else {}
    assert all(one["metadata"]["annotations"] == order for one in of_kind("Trigger", target))


def test_everything_is_denied_that_no_description_names() -> None:
    policies = {policy["metadata"]["name"]: policy["spec"] for policy in of_kind("NetworkPolicy")}
    assert policies["default-deny"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    descriptions = {d.name: d for d in load_all(FUNCTIONS)}
    to_database = {name for name, spec in policies.items() if "5432" in json.dumps(spec)}
    needed = {p.name for d in descriptions.values() if "database" in d.needs for p in d.deployments("production")}
    assert to_database == needed | {"hal9-migrations", "hal9-probe"}


def test_backups_are_made_by_one_pod_that_reaches_databases_store_and_keys_and_nothing_else() -> None:
    target = Target("us-west", backups="s3://backups/hal9", backups_size="7Gi", backups_storage_class="fast")
    (deployment,) = of_kind("Deployment", target)
    assert (deployment["spec"]["replicas"], deployment["spec"]["strategy"]) == (1, {"type": "Recreate"})
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    given = {one["name"]: one.get("value", one.get("valueFrom")) for one in container["env"]}
    secrets = {name: value["secretKeyRef"]["name"] for name, value in given.items() if isinstance(value, dict)}
    assert secrets == {
        "HAL9_SHARDS_ADMIN": "hal9-shards-admin",
        "HAL9_BACKUP_SHARDS": "hal9-backup-shards",
        "HAL9_DATA_KEYS": "hal9-data-keys",
        "HAL9_DATA_KEYS_MAC": "hal9-data-keys-mac",
    }
    assert given["HAL9_BACKUPS"] == "s3://backups/hal9"
    (mount,) = [one["mountPath"] for one in container["volumeMounts"] if one["name"] == "data"]
    assert given["HAL9_HOME"] == mount
    assert str(given["TMPDIR"]).startswith(f"{mount}/")
    (claim,) = of_kind("PersistentVolumeClaim", target)
    assert pod["volumes"][0]["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    assert claim["spec"]["resources"]["requests"]["storage"] == "7Gi"
    assert claim["spec"]["storageClassName"] == "fast"
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    (policy,) = [one["spec"] for one in of_kind("NetworkPolicy", target) if one["metadata"]["name"] == "hal9-archiver"]
    assert policy["podSelector"]["matchLabels"].items() <= labels.items()
    ports = {port["port"] for rule in policy["egress"] for port in rule["ports"]}
    assert (policy["policyTypes"], ports) == (["Egress"], {53, 5432, 443})
    assert of_kind("Deployment") == []


def test_the_servers_for_trying_out_let_in_who_backs_them_up_where_that_is_asked_for() -> None:
    for backups in ("", "s3://backups/hal9"):
        target = Target("us-west", environment="trial", broker="channel", data=DATA, backups=backups)
        policies = {policy["metadata"]["name"]: policy["spec"] for policy in of_kind("NetworkPolicy", target)}
        within = json.dumps(policies["hal9-postgres"]["ingress"])
        of_postgres = [one for one in of_kind("StatefulSet", target) if "postgres" in one["metadata"]["name"]]
        given = {one["name"] for pod in of_postgres for one in pod["spec"]["template"]["spec"]["containers"][0]["env"]}
        assert ("hal9-archiver" in within) is bool(backups)
        assert ("HAL9_POSTGRES_BACKUP_PASSWORD" in given) is bool(backups)
        asks = {port["port"] for rule in policies["gateway"].get("egress", []) for port in rule["ports"]}
        assert (443 in asks) is bool(backups), "the master keys are asked for where there are some"
    (way,) = [rule["to"] for rule in policies["hal9-archiver"]["egress"] if rule["ports"][0]["port"] == 5432]
    assert way == [{"podSelector": {"matchLabels": {"app.kubernetes.io/name": "hal9-postgres"}}}]


def test_no_manifest_holds_a_secret() -> None:
    text = json.dumps([manifest for target in TARGETS for manifest in manifests(target)])
    assert "Secret" not in {manifest["kind"] for manifest in manifests(TARGETS[0])}
    assert not re.search(r"postgres(ql)?://|redis://|PRIVATE KEY|hal9_[a-z0-9]{12}_", text)


def test_the_command_writes_the_same_bytes_twice_and_takes_away_what_is_gone(tmp_path: Path) -> None:
    arguments = ["render", "--region", "ap-south", "--out", str(tmp_path), "--json"]
    first = CliRunner().invoke(main, arguments, catch_exceptions=False)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert sorted(json.loads(first.stdout)["files"]) == sorted(before)
    write({"99-old.yaml": []}, tmp_path)
    (tmp_path / "mine.yaml").write_text("kind: Mine\n")
    again = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert json.loads(again.stdout)["others"] == [str(tmp_path / "mine.yaml")]
    assert "mine.yaml was not written by `hal9 render`" in again.stderr
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {**before, "mine.yaml": b"kind: Mine\n"}
    (tmp_path / "40-broker.yaml").write_bytes(b"kind: Mine\xff\n")
    refused = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert refused.exit_code == 1
    assert "40-broker.yaml was not written by" in json.loads(refused.stdout)["problem"]["detail"]
    assert (tmp_path / "40-broker.yaml").read_bytes() == b"kind: Mine\xff\n"


def test_a_full_disk_leaves_the_folder_as_it_was(tmp_path: Path) -> None:
    """`ulimit -f` refuses what is longer than 8 KiB, as a full disk does; some files are shorter."""
    out = tmp_path / "a" / "out"
    command = [sys.executable, "-m", "knative.cli.main", "render", "--region", "us-west", "--out", str(out)]
    full = ["bash", "-c", 'ulimit -f 8; exec "$@"', "bash", *command]
    root = FUNCTIONS.parent
    first = subprocess.run(full, cwd=root, capture_output=True, text=True, check=False)
    assert (first.returncode, list(tmp_path.iterdir())) == (1, []), first.stderr
    assert f"{out} cannot be written: File too large; it is as it was" in first.stderr
    subprocess.run(command, cwd=root, capture_output=True, check=True)
    (out / "99-old.yaml").write_bytes((out / "40-broker.yaml").read_bytes())
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    again = subprocess.run([*full, "--version", "2"], cwd=root, capture_output=True, text=True, check=False)
    assert again.returncode == 1
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


@pytest.mark.parametrize(
    "arguments",
    [
        ["--namespace", "Bad_Name"],
        ["--images", ""],
        ["--version", "a b"],
        ["--database-cidr", "nonsense"],
        ["--cache-cidr", "10.0.0.1"],
        ["--ingress-namespace", "X Y"],
        ["--environment", "nosuch"],
        ["--objects", "file:///tmp"],
        ["--api-cidr", "10.0.0.1"],
        ["--api-port", "0"],
        ["--backups", "file:///backups"],
        ["--backups", "s3://bucket", "--backups-size", "much"],
        ["--backups", "s3://bucket", "--backups-storage-class", "F A"],
    ],
)
def test_nonsense_is_refused_before_anything_is_written(arguments: list[str], tmp_path: Path) -> None:
    out = tmp_path / "out"
    refused = CliRunner().invoke(main, ["render", "--region", "us-west", "--out", str(out), *arguments])
    assert refused.exit_code == 2
    assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--objects", "s3://"], "'s3://' is no address of a bucket, s3://bucket/prefix"),
        (["--storage-class", "fast"], "--storage-class is of the volumes of --with-data"),
        (["--cache-cidr", "10.0.0.1/8"], "'10.0.0.1/8' is an address within a range: the range is 10.0.0.0/8"),
        (["--cache-cidr", "10.0.0.1"], "'10.0.0.1' is no range in CIDR notation"),
        (["--backups", "b", "--with-data"], "'b' is no address of a bucket, s3://bucket/prefix"),
    ],
)
def test_a_refusal_says_what_is_at_fault(tmp_path: Path, arguments: list[str], told: str) -> None:
    command = ["render", "--region", "us-west", "--out", str(tmp_path), *arguments]
    refused = CliRunner().invoke(main, command)
    assert refused.exit_code == 2
    assert told in refused.output


def test_an_unknown_region_is_refused() -> None:
    refused = CliRunner().invoke(main, ["render", "--region", "mars", "--out", "x"])
    assert refused.exit_code == 2
    assert "us-west" in refused.output
