"""The tokens that the gateway passes calls on with: used again while they are young, whatever the clock does."""

from __future__ import annotations

from datetime import timedelta

import pytest
from starlette.requests import Request
from starlette.responses import Response

from functions.gateway.forwarding import Forwarder
from shared.clock import ManualClock
from shared.function import Operation
from shared.function.operation import Call
from shared.identifiers import new_id
from shared.keys import PrivateKey, Trust
from shared.keys.trust import PublicKey
from shared.tokens import Claims, Issuer, Verifier


def call() -> Call:
    async def nothing(one: Call) -> Response:
        return Response()

    claims = Claims("gateway", "gateway", "key:x", 0, 60, "x", new_id(), ("owner",), frozenset(), None, "eu-central")
    operation = Operation("GET", "/v1/runs", "runs.read", nothing, "List runs")
    return Call(Request({"type": "http"}), operation, {}, claims)


@pytest.mark.parametrize("jump", [timedelta(hours=1), timedelta(hours=-1)], ids=["forwards", "backwards"])
def test_a_token_is_made_anew_when_the_clock_was_set(jump: timedelta) -> None:
    clock, key, one = ManualClock(), PrivateKey.generate("gateway"), call()
    forwarder, verifier = (
        Forwarder(Issuer(key, clock), clock),
        Verifier(Trust([PublicKey(key.kid, key.issuer, key.public)]), clock),
    )
    first = forwarder._token(one, "neuron")
    clock.advance(10)
    assert forwarder._token(one, "neuron") == first
    clock._now += jump
    second = forwarder._token(one, "neuron")
    assert verifier.verify(second, "neuron", ["gateway"]).subject == "key:x"
