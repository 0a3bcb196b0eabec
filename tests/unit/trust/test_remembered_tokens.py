"""Tokens that are used again while they are young: by the clock that they are verified by, which may be set."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import Response

from events.publisher import Publisher, Reply
from functions.gateway.forwarding import Forwarder
from knative.platform.broker.courier import SocketCourier
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


JUMPS = pytest.mark.parametrize("jump", [timedelta(hours=1), timedelta(hours=-1)], ids=["forwards", "backwards"])


def remembered(make: Callable[[Issuer, ManualClock], Callable[[], str]], audience: str, jump: timedelta) -> None:
    clock, key = ManualClock(), PrivateKey.generate("gateway")
    verifier = Verifier(Trust([PublicKey(key.kid, key.issuer, key.public)]), clock)
    token = make(Issuer(key, clock), clock)
    first = token()
    clock.advance(10)
    assert token() == first
    clock._now += jump
    verifier.verify(token(), audience, ["gateway"])


@JUMPS
def test_of_a_call_that_the_gateway_forwards(jump: timedelta) -> None:
    one = call()

    def make(issuer: Issuer, clock: ManualClock) -> Callable[[], str]:
        forwarder = Forwarder(issuer, clock)
        return lambda: forwarder._token(one, "neuron")

    remembered(make, "neuron", jump)


@JUMPS
def test_of_a_delivery_of_the_brokers(jump: timedelta) -> None:
    def make(issuer: Issuer, clock: ManualClock) -> Callable[[], str]:
        courier = SocketCourier(Path, issuer.mint, clock)
        return lambda: courier._token("neuron").decode()

    remembered(make, "neuron", jump)


@JUMPS
def test_of_who_publishes_an_event(jump: timedelta) -> None:
    async def send(headers: object, body: bytes, *, timeout: float) -> Reply:  # noqa: ASYNC109 - as a Sender does
        raise AssertionError((headers, body, timeout))

    def make(issuer: Issuer, clock: ManualClock) -> Callable[[], str]:
        return Publisher(send, lambda: issuer.mint("broker"), clock=clock)._current_token

    remembered(make, "broker", jump)
