"""The OpenAPI document: valid, complete, and what is served is what it says."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from functions.gateway import routes
from knative.reference import ROOT, openapi
from shared.permissions import PERMISSIONS
from shared.problems import registered

if TYPE_CHECKING:
    import httpx


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return openapi.document()


def test_the_files_are_what_the_code_says_now() -> None:
    # In a process of its own: what tests register is not part of the product.
    command = (sys.executable, "-m", "knative.cli.main", "reference", "--check")
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_is_valid(document: dict[str, Any]) -> None:
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []


def test_every_operation_says_what_it_needs_and_what_can_come_of_it(document: dict[str, Any]) -> None:
    names = set()
    for path, item in document["paths"].items():
        for method, operation in item.items():
            name = f"{method} {path}"
            assert operation["summary"], name
            assert operation["tags"], name
            assert operation["operationId"] not in names, f"{operation['operationId']} names two operations"
            names.add(operation["operationId"])
            assert any(status.startswith("2") for status in operation["responses"]), name
            permission = operation.get("x-hal9-permission")
            if permission is None:
                assert operation["security"] == [], name
            else:
                assert permission in PERMISSIONS, name
                assert {"401", "403", "429"} <= operation["responses"].keys(), name


def test_every_problem_is_described(document: dict[str, Any]) -> None:
    described = json.dumps(document["components"]["responses"])
    for slug, kind in registered().items():
        if str(kind.status) in document["components"]["responses"]:
            assert f"`{slug}`" in described


def test_every_route_but_the_gateways_own_is_passed_on(document: dict[str, Any]) -> None:
    passed = {(operation.method, operation.path) for operation in routes.passed_on()}
    described = {
        (method.upper(), path)
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if operation["x-hal9-function"] != "gateway"
    }
    assert passed == described


async def test_the_document_and_the_page_are_public(client: httpx.AsyncClient) -> None:
    answer = await client.get("/openapi.json")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.content == routes.document()
    page = await client.get("/reference")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert "style-src 'sha256-" in page.headers["content-security-policy"]
    head = await client.head("/openapi.json")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(answer.content))
