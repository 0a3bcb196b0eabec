"""The Python implementer (L2): writes one share of a project.

The built-in engine writes what the design says. When a share is sent back with faults, a language model (where one is
configured) may correct the files to blame; the built-in answer to that question is no correction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pydantic import BaseModel, ConfigDict, Field

from shared.neurons.body import Body
from shared.neurons.engine import Question
from shared.neurons.results import Complete
from shared.neurons.signals import Signal
from shared.software.designs import ImplementerInput, ImplementerOutput
from shared.software.source import EngineName, SourceFile, SourceTree

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.neurons.body import Work
    from shared.neurons.results import Result

INSTRUCTIONS: Final = """You correct files of a Python project. You get the files of one share and the faults that the
project's linter, type checker or tests found. Answer with the whole new content of each file that must change, and only
of those. Keep the names that other files import. Do not weaken a check, a rule or a test to make a fault go away."""


class Correction(BaseModel):
    """The new content of one file of the share."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")

    path: str = Field(max_length=300)
    content: str = Field(max_length=200_000)


class Corrections(BaseModel):
    """The files that change; none leaves the share as the built-in engine wrote it."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")

    files: tuple[Correction, ...] = ()


def implement(task: ImplementerInput) -> ImplementerOutput:
    """Write the share with the built-in engine."""
    from functions.neuron.synthesis.python import shares  # only this layer needs it, at its first step

    return shares.implement(task)


def question(work: Work[ImplementerInput]) -> Question[Corrections] | None:
    """Ask for corrections once there are faults; the first writing asks nothing."""
    if not work.signals:
        return None
    files = {file.path: file for file in implement(work.input).tree.files}
    faults = "\n".join(f"- {signal.contract_path}: {signal.diagnostic} {signal.hint}" for signal in work.signals)
    sources = "\n\n".join(f"=== {path}\n{file.content}" for path, file in files.items() if path.endswith(".py"))
    return Question(
        answer=Corrections,
        instructions=INSTRUCTIONS,
        prompt=f"Faults:\n{faults}\n\nFiles:\n{sources}",
        builtin=Corrections,
        check=lambda answer: _strangers(answer, files),
    )


def _strangers(answer: Corrections, files: dict[str, SourceFile]) -> Sequence[Signal]:
    """Find corrections of files that are not the share's, or that are no Python."""
    found = []
    for i, correction in enumerate(answer.files):
        fault = "" if correction.path in files else f"{correction.path} is no file of this share"
        if not fault and correction.path.endswith(".py"):
            fault = _syntax_fault(correction)
        if fault:
            found.append(Signal(blame_step=".", contract_path=f"/files/{i}", diagnostic=fault))
    return found


def _syntax_fault(correction: Correction) -> str:
    try:
        compile(correction.content, correction.path, "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        return f"{correction.path} is no Python: {error}"
    return ""


def write(work: Work[ImplementerInput]) -> Result[ImplementerOutput]:
    """Write the share, with the corrections that an engine has for it."""
    output = implement(work.input)
    thought = work.thought
    if thought is None or not isinstance(thought.value, Corrections) or not thought.value.files:
        return Complete(output)
    corrected = {correction.path: correction.content for correction in thought.value.files}
    files = tuple(
        file.model_copy(update={"content": corrected[file.path], "engine": EngineName(thought.engine)})
        if file.path in corrected
        else file
        for file in output.tree.files
    )
    return Complete(output.model_copy(update={"tree": SourceTree(files=files)}))


PYTHON_IMPLEMENTER: Final = Body(
    name="python-implementer",
    layer="l2",
    input=ImplementerInput,
    output=ImplementerOutput,
    summary="Writes one share of a Python project: FastAPI and SQLite, the command line, or a typed library.",
    work=write,
    question=question,
)
