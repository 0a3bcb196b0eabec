"""What the gateway's process must not load."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
HEAVY = {
    "flask", "boto3", "playwright", "authlib", "rich", "click", "yaml", "httpx", "redis", "jinja2",
    "prometheus_client", "opentelemetry", "jwt", "functions_framework",
}  # fmt: skip


def loaded(module: str) -> set[str]:
    command = (sys.executable, "-c", f"import {module}, sys; print(*sys.modules)")
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_gateway_loads_nothing_heavy() -> None:
    assert not HEAVY & loaded("functions.gateway.main")


def test_tokens_and_keys_load_neither_a_server_nor_a_database() -> None:
    assert not {"starlette", "asyncpg", "pydantic", *HEAVY} & loaded("shared.tokens")


def test_the_client_loads_neither_a_database_nor_a_server() -> None:
    assert not {"asyncpg", "uvicorn", "starlette", "boto3", "flask"} & loaded("shared.client")
