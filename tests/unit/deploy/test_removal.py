"""What a removal reads: nothing of what is to stay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from knative.deploy.cluster import ClusterError, connect
from knative.deploy.removal import removable
from tests.unit.deploy.apiserver import api_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def without_rights(_method: str, path: str, _given: Any) -> tuple[int, Any]:
    """Say that there is no object of a name, and list nothing."""
    return 404 if path.endswith("/configmaps/hal9") else 403, {"message": "you may not", "reason": "Forbidden"}


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Of a server that listens."""
    with api_server(without_rights, tmp_path, monkeypatch) as name:
        yield name


async def test_what_is_to_stay_is_not_read(context: str) -> None:
    async with connect(context, "hal9") as cluster:
        assert await removable(cluster, with_data=False) == []


async def test_what_is_to_go_is(context: str) -> None:
    async with connect(context, "hal9") as cluster:
        with pytest.raises(ClusterError, match="you may not"):
            await removable(cluster, with_data=True)
