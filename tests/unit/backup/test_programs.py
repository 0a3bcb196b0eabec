"""A program that is given up ends, however much of what it wrote was not read."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from shared.backup import programs
from shared.backup.errors import BackupError
from shared.tasks import together


async def test_who_stops_reading_in_the_middle_is_let_go() -> None:
    async with asyncio.timeout(30), aclosing(programs.output(["yes"], {})) as stream:
        async for piece in stream:
            assert set(piece) == set(b"y\n")
            break
        # Meanwhile it writes on, until everything between it and the reader is full.
        for _ in range(5):
            await programs.run(["true"])


async def test_when_one_of_two_fails_the_other_is_given_up() -> None:
    async def read(*command: str) -> None:
        async with aclosing(programs.output(command, {})) as stream:
            async for _ in stream:
                await programs.run(["true"])

    async def fail() -> None:
        for _ in range(5):
            await programs.run(["true"])
        await read("tail", "/nowhere")

    async with asyncio.timeout(30):
        with pytest.raises(BackupError, match=r"tail failed: .*/nowhere"):
            await together(read("yes"), fail())
