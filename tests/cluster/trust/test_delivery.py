"""Filters, replies, retries and dead letters of a real Broker, against what the local platform's broker does."""

from __future__ import annotations

import asyncio
import base64
import json
import uuid
from typing import TYPE_CHECKING, Any

from events import codec, deadletters
from events.filters import compile_filters
from knative.platform.broker.rules import Outcome
from tests.cluster.trust.probing import FUNCTIONS

if TYPE_CHECKING:
    from tests.cluster.trust.probing import Stage

ORG = "01890000-0000-7000-8000-000000000001"
DEPLOYMENTS = [part for function in FUNCTIONS for part in function.deployments("trial")]
STEP, RUN, PROJECT = "ai.hal9.neuron.step", "ai.hal9.neuron.run", "ai.hal9.codegen.project"
SENT: list[dict[str, Any]] = [
    *({"type": f"{RUN}.{what}"} for what in ("requested", "completed", "failed", "cancelled", "Completed", "complete")),
    *({"type": f"{STEP}.{what}"} for what in ("requested", "answered", "failed", "failed.again")),
    *({"type": f"{PROJECT}.{what}"} for what in ("requested", "completed", "failed")),
    *(
        {"type": f"{STEP}.requested", "executor": executor}
        for executor in ("neuron-l4", "neuron-l3", "neuron-l2", "codegen", "Codegen", "neuron-l", "nobody", "upkeep")
    ),
    {"type": f"{STEP}.answered", "executor": "neuron-l4"},
    {"type": "ai.hal9.upkeep.sweep.requested"},
    {"type": "com.example.order.made", "executor": "codegen"},
]


def event(**attributes: Any) -> dict[str, Any]:
    made = {"specversion": "1.0", "id": str(uuid.uuid4()), "source": "/probe", "orgid": ORG, "subject": "s"}
    return {**made, "datacontenttype": "application/json", "data": {"a": 1}, **attributes}


def expected(sent: dict[str, Any]) -> list[str]:
    """Name who gets an event by the filters as the local broker understands them: once for each subscription."""
    parsed = codec.from_structured(json.dumps(sent).encode())
    return sorted(
        deployment.name
        for deployment in DEPLOYMENTS
        for subscription in deployment.subscriptions
        if compile_filters(subscription.filters)(parsed)
    )


async def test_the_broker_delivers_by_the_filters_as_the_local_one_does(stage: Stage) -> None:
    sent = [event(**attributes) for attributes in SENT]
    for one in sent:
        await stage.publish(one)
    last = event(type=f"{PROJECT}.requested")
    await stage.publish(last)  # the channel answers when it has delivered: what came before is there
    await stage.until_seen("codegen", last["id"])
    got: dict[str, list[str]] = {one["id"]: [] for one in sent}
    for deployment in DEPLOYMENTS:
        for taken in await stage.seen(deployment.name):
            if taken["event"]["id"] in got:
                got[taken["event"]["id"]].append(deployment.name)
    differing = {
        json.dumps({name: one[name] for name in ("type", "executor") if name in one}): (sorted(got[one["id"]]), who)
        for one in sent
        if sorted(got[one["id"]]) != (who := expected(one))
    }
    assert differing == {}
    assert {len(who) for who in got.values()} >= {0, 1}


async def test_a_reply_is_an_event_for_others(stage: Stage) -> None:
    sent = event(type=f"{STEP}.requested", executor="codegen", probeanswer="reply")
    await stage.publish(sent)
    (reply,) = await stage.until_seen("neuron-l4", sent["id"])
    assert reply["event"]["type"] == f"{STEP}.answered"
    assert reply["by"].endswith(":neuron-l4-step-answered-oidc-eventing.knative.dev-trigger")


async def test_what_is_retried_is_what_the_local_broker_retries(stage: Stage) -> None:
    sent = {
        status: event(type=f"{PROJECT}.requested", probeanswer=f"{status} 202")
        for status in (404, 408, 409, 429, 500, 503, 400, 401, 403, 413, 422)
    }
    await asyncio.gather(*(stage.publish(one) for one in sent.values()))
    for status, one in sent.items():
        if Outcome(status).retryable:
            await stage.until_seen("codegen", one["id"], times=2)
        else:
            await stage.until_seen("upkeep", one["id"], what="dead_letters")
            assert len(await stage.until_seen("codegen", one["id"])) == 1, status


async def test_a_dead_letter_says_what_the_store_reads(stage: Stage) -> None:
    sent = event(type=f"{PROJECT}.requested", probeanswer="422")
    await stage.publish(sent)
    (letter,) = await stage.until_seen("upkeep", sent["id"], what="dead_letters")
    assert letter["by"].endswith(":codegen-project-requested-oidc-eventing.knative.dev-trigger")
    parsed = codec.from_structured(json.dumps(letter["event"]).encode())
    original, destination, code, error = deadletters.reason(parsed)
    assert destination == f"http://codegen.{stage.target.namespace}.svc.cluster.local/events"
    assert (code, error) == (422, "answered 422")
    assert base64.b64decode(letter["event"]["knativeerrordata"]) == b"answered 422"
    attributes = json.loads(codec.to_structured(original))
    assert {name: attributes.get(name) for name in sent} == sent
    assert not [name for name in attributes if name.startswith("knative")]


async def test_backoff_is_exponential_and_no_dead_letter_comes_while_it_may_still_succeed(stage: Stage) -> None:
    sent = event(type=f"{PROJECT}.requested", probeanswer="503 503 503 503 202")
    await stage.publish(sent)
    await stage.until_seen("codegen", sent["id"], times=5)
    letters = await stage.seen("upkeep", "dead_letters")
    assert sent["id"] not in {one["event"]["id"] for one in letters}
