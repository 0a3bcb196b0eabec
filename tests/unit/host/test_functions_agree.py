"""Each function.toml says what the code does, and every operation names its permission."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest

from knative.description import FunctionDescription, load_all

if TYPE_CHECKING:
    from shared.function import Function

ROOT = Path(__file__).resolve().parents[3]
FUNCTIONS = load_all(ROOT / "functions")
PERMISSIONS = frozenset(
    {
        *("events.publish", "events.read", "events.redrive", "events.deliver", "dead-letters.deliver"),
        *("runs.create", "runs.read", "runs.cancel", "runs.replay"),
        "usage.read",
        *("projects.create", "projects.read", "projects.cancel", "projects.transfer", "artefacts.read"),
        *("keys.create", "keys.read", "keys.revoke", "organisation.read"),
        *("identity.read", "sessions.own"),
    }
)


@pytest.fixture(params=FUNCTIONS, ids=lambda one: str(one.name))
def both(request: Any) -> tuple[FunctionDescription, Function]:
    """A function's description and its code, in the environment of its first deployment."""
    description: FunctionDescription = request.param
    with mock.patch.dict(os.environ, dict(description.deployments()[0].environment)):
        module = importlib.import_module(f"functions.{description.name}.main")
    function: Function = module.function
    assert module.handle is function.handle
    return description, function


def test_the_routes_agree(both: tuple[FunctionDescription, Function]) -> None:
    description, function = both
    offered = {(one.method, one.path): one.permission for one in function.operations}
    for route in description.routes:
        assert (route.method, route.path) in offered
        assert offered[route.method, route.path] == route.permission
    if description.name != "gateway":  # its other operations are those of the functions behind it
        public = {(route.method, route.path) for route in description.routes}
        internal = {("POST", "/events"), ("POST", description.dead_letters)}
        assert offered.keys() - public <= internal


def test_it_takes_events_exactly_when_something_is_delivered(both: tuple[FunctionDescription, Function]) -> None:
    description, function = both
    takes = any((one.method, one.path) == ("POST", "/events") for one in function.operations)
    assert takes == bool(description.subscriptions)


def test_every_operation_names_a_permission_that_exists(both: tuple[FunctionDescription, Function]) -> None:
    for operation in both[1].operations:
        assert operation.public != bool(operation.permission), operation.name
        assert operation.public or operation.permission in PERMISSIONS, operation.name
        if operation.permission in {"events.deliver", "dead-letters.deliver"}:
            assert operation.issuers == ("broker",)


def test_everything_that_is_offered_through_the_gateway_is_offered_somewhere() -> None:
    gateway = importlib.import_module("functions.gateway.main").function
    behind = {
        (route.method, route.path): route.permission
        for description in FUNCTIONS
        for deployment in description.deployments()
        for route in deployment.routes
    }
    passed = {(one.method, one.path): one.permission for one in gateway.operations}
    assert passed.items() <= behind.items() | {
        (key, value) for key, value in passed.items() if key[1] in {"/openapi.json", "/reference"}
    }
    assert behind.items() <= passed.items()
