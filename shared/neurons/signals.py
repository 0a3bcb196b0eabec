"""Backward signals: how a step says that what another step made is wrong.

A signal names the step to blame and the place in that step's contract, as a compiler names a file and a line. The
runtime re-runs the blamed step with the signals, capped for each step and each run.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Severity = Literal["error", "warning"]


class Signal(BaseModel):
    """One fault, found later, in what a step made."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")

    blame_step: str = Field(
        max_length=1000,
        description="The step to blame: its path in the tree. Absolute (`/` is the root, `/api/python` the child "
        "`python` of its child `api`), or relative to the sender (`..` is its parent, `python` its own child). "
        "A path that does not exist blames its nearest ancestor that does.",
    )
    contract_path: str = Field(
        default="",
        max_length=1000,
        description="JSON pointer (RFC 6901) into the blamed step's output, or empty for the whole.",
    )
    diagnostic: str = Field(
        max_length=16_000,
        description="What is wrong, as the one who found it says it (a compiler's message, a failing test).",
    )
    severity: Severity = Field(
        default="error", description="Only an `error` makes the blamed step run again; a `warning` travels along."
    )
    hint: str = Field(default="", max_length=4000, description="What to do about it, where the sender knows.")
