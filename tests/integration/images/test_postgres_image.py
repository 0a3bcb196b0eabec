"""The image of PostgreSQL: made at the first start, passwords of each start, stopped with clients there."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import pytest
from conftest import PYTHON, arguments, environment

from knative.platform.servers.children import NOBODY, unprivileged

if TYPE_CHECKING:
    from collections.abc import Iterator

    from knative.images.build import Made


@pytest.fixture
def volume() -> Iterator[Path]:
    """A folder that may be written by whom the server runs as, with a short path for its socket."""
    with tempfile.TemporaryDirectory(prefix="hal9-pg-") as folder:
        if (owner := unprivileged().owner) is not None:
            os.chown(folder, owner, NOBODY)
        yield Path(folder)


@contextmanager
def running(tree: Path, one: Made, volume: Path, port: int, owner: str, app: str) -> Iterator[subprocess.Popen[str]]:
    variables = environment(
        tree,
        one,
        HAL9_POSTGRES_DATA=str(volume / "data"),
        HAL9_POSTGRES_RUN=str(volume / "run"),
        HAL9_POSTGRES_OWNER_PASSWORD=owner,
        HAL9_POSTGRES_APP_PASSWORD=app,
    )
    command = [str(PYTHON), "-S", *arguments(tree, one), "-c", "listen_addresses=127.0.0.1", "-c", f"port={port}"]
    with subprocess.Popen(
        command, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        preexec_fn=unprivileged().enter,
    ) as server:  # fmt: skip
        assert server.stdout is not None
        said = [next(server.stdout, "")]
        while "ready to accept connections" not in said[-1] and said[-1]:
            said.append(next(server.stdout, ""))
        try:
            assert said[-1], "".join(said)
            yield server
        finally:
            server.kill() if server.poll() is None else None


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


async def test_two_starts_over_one_volume(trees: dict[str, Path], made: dict[str, Made], volume: Path) -> None:
    tree, one, port = trees["postgres"], made["postgres"], _free_port()
    with running(tree, one, volume, port, "own'er", "first") as server:
        owner = await asyncpg.connect(
            host="127.0.0.1", port=port, user="hal9_owner", password="own'er", database="hal9"
        )
        await owner.execute("CREATE SCHEMA kept")
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(host="127.0.0.1", port=port, user="hal9_app", password="wrong", database="hal9")
        with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError):
            await asyncpg.connect(host="127.0.0.1", port=port, user="postgres", password="x", database="hal9")
        server.send_signal(signal.SIGTERM)  # with a client there: it is not waited for
        output, _ = await asyncio.to_thread(server.communicate, timeout=60)
        assert server.returncode == 0, output
        assert "database system is shut down" in output
        owner.terminate()
    with running(tree, one, volume, port, "own'er", "second") as server:
        app = await asyncpg.connect(host="127.0.0.1", port=port, user="hal9_app", password="second", database="hal9")
        assert await app.fetchval("SELECT count(*) FROM pg_namespace WHERE nspname = 'kept'") == 1
        assert await app.fetchval("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user") is False
        await app.close()
        server.send_signal(signal.SIGTERM)
        await asyncio.to_thread(server.communicate, timeout=60)
        assert server.returncode == 0


def test_a_missing_password_is_named(trees: dict[str, Path], made: dict[str, Made], volume: Path) -> None:
    tree, one = trees["postgres"], made["postgres"]
    command = [str(PYTHON), "-S", *arguments(tree, one)]
    ran = subprocess.run(command, env=environment(tree, one), capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (
        2,
        "set HAL9_POSTGRES_OWNER_PASSWORD, or HAL9_POSTGRES_OWNER_PASSWORD_FILE to a file that holds it\n",
    )
    assert not list(volume.iterdir())
