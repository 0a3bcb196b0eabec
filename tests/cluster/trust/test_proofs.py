"""Who may call a function on a real Knative, tried with the tokens that a pod of the cluster can get."""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from knative.deploy import accounts

if TYPE_CHECKING:
    from tests.cluster.trust.probing import Stage

ORG = "01890000-0000-7000-8000-000000000001"


def event(kind: str = "ai.hal9.codegen.project.requested", **extensions: Any) -> dict[str, Any]:
    made = {"specversion": "1.0", "id": str(uuid.uuid4()), "source": "/probe", "type": kind, "orgid": ORG}
    return {**made, "subject": "s", "datacontenttype": "application/json", "data": {}, **extensions}


async def deliver(stage: Stage, deployment: str, path: str, token: str | None) -> dict[str, Any]:
    """Post an event straight at a function, from a pod that may reach it."""
    headers = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/x", "ce-type": "x"}
    if token is not None:
        headers["authorization"] = f"Bearer {token}"
    answer: dict[str, Any] = await stage.fetch(
        deployment=deployment, target=path, method="POST", headers=headers, body="{}"
    )
    return answer


async def test_eventing_named_the_accounts_as_we_did(stage: Stage) -> None:
    assert await accounts.misnamed(stage.cluster, stage.manifests) == []


async def test_an_event_goes_through_the_broker_with_its_triggers_proof(stage: Stage) -> None:
    sent = event()
    await stage.publish(sent)
    (taken,) = await stage.until_seen("codegen", sent["id"])
    namespace = stage.target.namespace
    assert (
        taken["by"] == f"system:serviceaccount:{namespace}:codegen-project-requested-oidc-eventing.knative.dev-trigger"
    )


@pytest.mark.parametrize("path", ["/events", "/dead-letters"])
async def test_a_direct_post_is_401(stage: Stage, path: str) -> None:
    for deployment in ("codegen", "neuron-l2", "upkeep"):
        function = "neuron" if deployment.startswith("neuron") else deployment
        foreign = [
            None,
            "nonsense",
            stage.token("gateway", f"hal9/{function}"),
            stage.token("default", f"hal9/{function}"),
            stage.token("default", f"hal9/{function}", "default"),
            stage.token("upkeep-sweep-requested-oidc-eventing.knative.dev-trigger", "hal9/somebody"),
        ]
        for token in foreign:
            answer = await deliver(stage, deployment, path, token)
            assert answer["status"] == 401, (deployment, token and token[:20])
            assert answer["headers"]["content-type"] == "application/problem+json"


async def test_a_triggers_own_token_opens_just_what_the_trigger_delivers_to(stage: Stage) -> None:
    """Who may mint tokens for the Triggers' accounts is Eventing; here the test is."""
    name = "codegen-project-requested-oidc-eventing.knative.dev-trigger"
    for_codegen, for_upkeep = stage.token(name, "hal9/codegen"), stage.token(name, "hal9/upkeep")
    assert (await deliver(stage, "codegen", "/events", for_codegen))["status"] == 202
    assert (await deliver(stage, "codegen", "/dead-letters", for_codegen))["status"] == 403
    assert (await deliver(stage, "neuron-l2", "/events", for_codegen))["status"] == 401
    assert (await deliver(stage, "upkeep", "/dead-letters", for_upkeep))["status"] == 202
    assert (await deliver(stage, "upkeep", "/events", for_upkeep))["status"] == 403


async def test_functions_know_one_another_by_their_own_keys(stage: Stage) -> None:
    answer = await stage.fetch(deployment="codegen", target="/probe/whoami", sign_for="codegen")
    assert (answer["status"], answer["body"]) == (200, '{"issuer":"gateway","audience":"codegen"}')
    other = await stage.fetch(deployment="neuron-l4", target="/probe/whoami", sign_for="codegen")
    assert other["status"] == 401
    assert (await stage.fetch(deployment="neuron-l4", target="/probe/whoami"))["status"] == 401


async def test_the_broker_takes_events_from_named_accounts_only(stage: Stage) -> None:
    audience = f"eventing.knative.dev/broker/{stage.target.namespace}/default"
    statuses = {}
    for about, token in {
        "nobody": None,
        "another audience": stage.token("gateway", "hal9/codegen"),
        "another account": stage.token("default", audience),
        "a function": stage.token("gateway", audience),
        "a trigger": stage.token("codegen-run-ended-oidc-eventing.knative.dev-trigger", audience),
    }.items():
        headers = {"ce-specversion": "1.0", "ce-id": str(uuid.uuid4()), "ce-source": "/x", "ce-type": "x"}
        headers |= {} if token is None else {"authorization": f"Bearer {token}"}
        reply = await stage.fetch(url=stage.target.broker_url, method="POST", headers=headers, body="{}")
        statuses[about] = reply.get("status")
    assert list(statuses.values()) == [401, 401, 403, 202, 202], statuses


async def test_every_sender_gets_its_events_through(stage: Stage) -> None:
    for deployment in ("codegen", "neuron-l4", "neuron-l3", "neuron-l2", "upkeep"):
        sent = event()
        await stage.publish(sent, deployment)
        await stage.until_seen("codegen", sent["id"])


async def test_the_clock_reaches_upkeep_by_its_sources_account(stage: Stage) -> None:
    async with asyncio.timeout(90):
        while True:
            ticks = [one for one in await stage.seen("upkeep") if one["event"]["type"] == "dev.knative.sources.ping"]
            if ticks:
                break
            await asyncio.sleep(1)
    assert ticks[0]["by"].endswith(":upkeep-sweep-oidc-sources.knative.dev-pingsource")
    assert ticks[0]["event"]["scheduledtype"] == "ai.hal9.upkeep.sweep.requested"
