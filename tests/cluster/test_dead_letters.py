"""What Knative could not deliver is listed, shown and sent again, with the same commands as locally."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.cluster.deployed import DeployedPlatform

TYPE = "ai.hal9.codegen.project.requested"


def letters(deployed: DeployedPlatform, *arguments: str) -> Any:
    done = deployed.hal9("events", "dead-letters", *arguments, "--json")
    return json.loads(done.stdout)


def listed(deployed: DeployedPlatform, event_id: str) -> dict[str, Any] | None:
    found = letters(deployed, "list")
    return next((one for one in found if one["event_id"] == event_id), None)


def test_a_refused_event_is_a_dead_letter_that_can_be_sent_again(deployed: DeployedPlatform) -> None:
    with deployed.client() as client:
        data = {"request": "A library that tells leap years.", "language": "cobol"}
        event_id = client.events.publish(TYPE, "/shop", data)
    letter = deployed.until("the dead letter", lambda: listed(deployed, event_id))
    assert (letter["event_type"], letter["source"], letter["error_code"], letter["attempts"]) == (TYPE, "/shop", 422, 1)
    assert "codegen" in letter["destination"]
    shown = letters(deployed, "show", letter["id"])
    assert shown["event"]["data"] == data
    assert shown["event"]["orgid"] == deployed.credentials["organisation"]
    letters(deployed, "redrive", letter["id"])
    again = deployed.until(
        "the same one again",
        lambda: (found := listed(deployed, event_id)) and found["attempts"] == 2 and found,  # refused as before
    )
    assert again["id"] == letter["id"]
