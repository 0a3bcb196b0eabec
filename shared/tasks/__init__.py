"""Work side by side, none of which outlives the others' failure (structured concurrency).

    old, new = await together(ask_old(), ask_new())

Promises: when one fails, the others are cancelled and have ended before the failure is raised, as it is and not in a
group: so nobody goes on using what the caller then does something else with. Does not: try again.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar, overload

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")
U = TypeVar("U")


@overload
async def together(first: Coroutine[Any, Any, T], second: Coroutine[Any, Any, U], /) -> tuple[T, U]: ...
@overload
async def together(*work: Coroutine[Any, Any, T]) -> tuple[T, ...]: ...
async def together(*work: Coroutine[Any, Any, Any]) -> tuple[Any, ...]:
    """Do all of it side by side; give what came of each, in order.

    Raises:
        Exception: The first failure.
    """
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one) for one in work]
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from failed
    return tuple(task.result() for task in tasks)
