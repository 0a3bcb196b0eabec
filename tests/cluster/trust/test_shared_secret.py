"""The broker's proof where Eventing has OIDC off: a secret in the address, on a real Broker.

It holds on a cluster with OIDC on as well, since the dispatchers send no token where a destination names no audience;
only the Broker's ingress then asks the sender for one.
"""

from __future__ import annotations

import asyncio
import base64
import json
import uuid

from events import codec, deadletters
from tests.cluster.trust.probing import Stage, kubectl, staged

CE = {"ce-specversion": "1.0", "ce-source": "/probe", "ce-type": "ai.hal9.codegen.project.requested"}


def secrets(stage: Stage) -> dict[str, str]:
    held = json.loads(kubectl("-n", stage.target.namespace, "get", "secret", "hal9-broker-proof", "-o", "json"))
    return {name: base64.b64decode(value).decode() for name, value in held["data"].items()}


async def publish(stage: Stage, **extensions: str) -> str:
    """Send an event to the Broker with the token of the gateway's account; give its id."""
    event_id = str(uuid.uuid4())
    token = stage.token("gateway", f"eventing.knative.dev/broker/{stage.target.namespace}/default")
    headers = {**CE, "ce-id": event_id, "ce-orgid": "o", "authorization": f"Bearer {token}", **extensions}
    reply = await stage.fetch(url=stage.target.broker_url, method="POST", headers=headers, body="{}")
    assert reply.get("status") == 202, reply
    return event_id


async def deliver(stage: Stage, target: str, token: str | None = None) -> int:
    headers = {**CE, "ce-id": "1", **({} if token is None else {"authorization": f"Bearer {token}"})}
    reply = await stage.fetch(deployment="codegen", target=target, method="POST", headers=headers, body="{}")
    return int(reply["status"])


async def test_the_secret_in_the_address_is_the_proof_and_shown_to_nobody() -> None:
    async with staged(oidc=False) as stage:
        known = secrets(stage)
        assert len(set(known.values())) == len(known) == 5

        (taken,) = await stage.until_seen("codegen", await publish(stage))
        assert taken["by"] == "broker"

        assert await deliver(stage, "/events") == 401
        assert await deliver(stage, "/events?proof=") == 401
        assert await deliver(stage, f"/events?proof={known['upkeep']}") == 401
        assert await deliver(stage, "/events", stage.token("gateway", "hal9/codegen")) == 401
        assert await deliver(stage, f"/events?proof={known['codegen']}") == 202

        dead = await publish(stage, **{"ce-probeanswer": "422"})
        (letter,) = await stage.until_seen("upkeep", dead, what="dead_letters")
        assert known["codegen"] in letter["event"]["knativeerrordest"]  # Eventing tells it, so the sink must not
        told = deadletters.reason(codec.from_structured(json.dumps(letter["event"]).encode()))
        assert not [secret for secret in known.values() if secret in repr(told)]
        assert told[1] == f"http://codegen.{stage.target.namespace}.svc.cluster.local/events"

        async with asyncio.timeout(90):
            while True:
                if any("scheduledtype" in one["event"] for one in await stage.seen("upkeep")):
                    break
                await asyncio.sleep(1)
