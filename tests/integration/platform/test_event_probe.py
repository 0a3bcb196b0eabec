"""The program that tries whether events are delivered, on a running platform: there and back, and how far otherwise."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from knative.platform.home import Home
from shared.keys import PrivateKey
from shared.tokens import Issuer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.platform_fixture import RunningPlatform


def probe(platform: RunningPlatform, folder: Path, key: str, seconds: float, **more: str) -> dict[str, Any]:
    """Run it as its Job does; give what it reports."""
    token = folder / "token"
    token.write_text(Issuer(PrivateKey.load(platform.home / "keys" / f"{key}.json")).mint("broker"))
    given = {
        "HAL9_SHARDS_ADMIN": ",".join(platform.state["shards_admin"]),
        "HAL9_BROKER_URL": f"unix:{Home.at(platform.home).broker_socket}",
        "HAL9_BROKER_TOKEN": str(token),
    }
    arguments = ("--id", secrets.token_hex(16), "--region", "us-west", "--seconds", str(seconds))
    done = subprocess.run(
        [sys.executable, "-m", "functions.upkeep.probe", *arguments],
        env={**os.environ, **given, **more}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_an_event_goes_through_the_broker_to_a_function_and_the_reply_comes_back(
    own_platform: RunningPlatform, tmp_path: Path
) -> None:
    found = probe(own_platform, tmp_path, "upkeep", 60)
    assert set(found["seconds"]) >= {"received", "answered"}
    assert (found["refused"], found["undelivered"]) == ("", "")
    assert found["seconds"]["received"] <= found["seconds"]["answered"]


@pytest.fixture(scope="module")
def without_upkeep(platforms: Callable[..., RunningPlatform]) -> RunningPlatform:
    made = platforms()
    made.up()
    return made


def test_what_the_broker_took_and_nobody_got_is_told_apart_from_what_it_refused(
    without_upkeep: RunningPlatform, tmp_path: Path
) -> None:
    found = probe(without_upkeep, tmp_path, "gateway", 3)
    assert (set(found["seconds"]), found["refused"]) == ({"taken"}, "")


@pytest.mark.parametrize("seconds", [0.01, 0.1, 1])
def test_who_waits_no_longer_than_the_sending_does_is_told_what_kept_it(
    without_upkeep: RunningPlatform, tmp_path: Path, seconds: float
) -> None:
    nowhere = probe(without_upkeep, tmp_path, "gateway", seconds, HAL9_BROKER_URL="unix:/nowhere.sock")
    assert nowhere["seconds"] == {}
    assert "the broker does not answer" in nowhere["refused"]
