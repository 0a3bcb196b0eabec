"""The CloudEvents SDK: microseconds of CPU for each event read and written."""

from __future__ import annotations

import json
import sys

from cloudevents.conversion import to_binary, to_structured  # those of cloudevents.http warn at each call: extra work
from cloudevents.http import from_http

from tests.performance.processor import per_call


def main() -> None:
    """Measure the same event in each content mode."""
    asked = json.load(sys.stdin)
    headers = {"host": "neuron", "content-type": "application/json"}
    headers |= {f"ce-{name}": value for name, value in asked["attributes"].items()}
    body = json.dumps(asked["data"]).encode()
    event = from_http(headers, body)
    structured_headers, structured = to_structured(event)
    calls = {
        "read binary": lambda: from_http(headers, body),
        "write binary": lambda: to_binary(event),
        "read structured": lambda: from_http(structured_headers, structured),
        "write structured": lambda: to_structured(event),
    }
    found = {name: per_call(call, asked["rounds"]) / 1000 for name, call in calls.items()}
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
