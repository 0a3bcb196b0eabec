"""Threads for what blocks: bodies' work, the built-in's answers, clients of models that know no asyncio.

Promises: whoever has a turn works at once, beside all the others that have one. asyncio's own threads are a few for
each processor, and serve in the order of arrival: behind them, one tenant's many would wait before another's one.
Does not: bound how many work at once. A function's concurrency does.
"""

from __future__ import annotations

import asyncio
import contextvars
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_P = ParamSpec("_P")
_T = TypeVar("_T")

_MOST: Final = 1024  # more than any function takes requests at once; a thread is made when all others work
_threads: Final = ThreadPoolExecutor(_MOST, "neuron")


async def in_thread(call: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """Call in a thread, in the caller's context, as `asyncio.to_thread` does."""
    context = contextvars.copy_context()
    return await asyncio.get_running_loop().run_in_executor(_threads, lambda: context.run(call, *args, **kwargs))
