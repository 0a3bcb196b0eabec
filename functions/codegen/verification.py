"""Holds a project against its own linter, formatter, types and tests, in a sandbox, and says who is to blame.

Promises: nothing of the project runs outside the sandbox; every check that can run is run, so that one report names all
faults. Does not judge whether the project does what was asked for: its tests are by the same specification.
"""

from __future__ import annotations

import re
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from events.catalogue.neuron import BackwardSignal
from functions.codegen import archive, sandbox, toolchain
from shared.diskspace import has_room, is_full
from shared.software.verification import Check, CheckName, Fault

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from shared.software.source import SourceFile, SourceTree

_OUTPUT_KEPT: Final = 8000
_SIGNALS: Final = 20
_BLAME_ROOT: Final = "/"
_ROOM_BYTES: Final = 1 << 20
"""What must be left on the sandbox's disk for a check that failed to be the project's own fault."""


class SandboxFullError(Exception):
    """There is no room on the disk that projects are verified on: nothing can be said of the project."""

    def __init__(self) -> None:
        super().__init__(
            "the disk on which projects are checked has no space left; whoever runs the platform must free some in "
            "codegen's folder for temporary files (TMPDIR)"
        )


class Report:
    """What the checks found."""

    def __init__(self, checks: tuple[Check, ...], tests_passed: int, isolation: str) -> None:
        self.checks = checks
        self.tests_passed = tests_passed
        self.isolation = isolation

    @property
    def verified(self) -> bool:
        """Whether every check passed, and at least one test with them."""
        return all(check.passed for check in self.checks) and self.tests_passed > 0


async def verify(tree: SourceTree, language: str, limits: sandbox.Limits, toolchains: Path) -> Report:
    """Run every check of the language on the tree; `toolchains` holds a folder for each language's tools.

    Raises:
        ToolchainMissingError: The language's toolchain is not installed.
        SandboxFullError: There is no room to check it.
    """
    tools = toolchain.toolchain(language, toolchains)
    try:
        return await _checked(tree, tools, limits)
    except OSError as error:
        if is_full(error):
            raise SandboxFullError from error
        raise


async def _checked(tree: SourceTree, tools: toolchain.Toolchain, limits: sandbox.Limits) -> Report:
    with tempfile.TemporaryDirectory(prefix="hal9-verify-") as folder:
        project = Path(folder)
        archive.write(tree, project)
        checks: list[Check] = []
        passed, isolation = 0, ""
        for step in tools.steps:
            began = time.monotonic()
            outcome = await sandbox.run(_plan(tools, step, project, limits))
            if outcome.code == sandbox.NOT_STARTED:
                raise toolchain.ToolchainMissingError(f"the toolchain does not start: {outcome.output.strip()}")
            if outcome.code != 0 and not has_room(project, _ROOM_BYTES):
                raise SandboxFullError
            isolation = outcome.isolation
            if step.name is CheckName.TESTS:
                passed = toolchain.tests_passed(outcome.output)
            checks.append(_check(step, outcome, project, time.monotonic() - began, limits))
    return Report(tuple(checks), passed, isolation)


def _plan(tools: toolchain.Toolchain, step: toolchain.Step, project: Path, limits: sandbox.Limits) -> sandbox.Plan:
    environment = {
        "PATH": f"{tools.home / 'bin'}:/usr/bin:/bin",
        "HOME": "/tmp",  # noqa: S108 - inside the sandbox, where it is its own
        "LANG": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
    }
    readable = (tools.home, *sandbox.interpreter_paths())
    return sandbox.Plan((str(tools.interpreter), *step.arguments), project, readable, environment, limits)


def _check(
    step: toolchain.Step, outcome: sandbox.Outcome, project: Path, seconds: float, limits: sandbox.Limits
) -> Check:
    if outcome.code == 0:
        return Check(name=step.name, passed=True, seconds=round(seconds, 3))
    output = outcome.output[-_OUTPUT_KEPT:]
    if outcome.timed_out:
        output += f"\nended after {limits.wall_seconds:g} s"
    faults = step.read(outcome.output, project)
    return Check(name=step.name, passed=False, seconds=round(seconds, 3), faults=faults, output=output)


def signals(report: Report, tree: SourceTree) -> tuple[BackwardSignal, ...]:
    """Turn what failed into backward signals to the steps that wrote the files.

    A check that failed without naming a fault blames the files that its output mentions. The root is blamed only when
    nobody else can be: all would be made again.
    """
    makers = {file.path: file for file in tree.files}
    failed = [check for check in report.checks if not check.passed]
    found = [
        _signal(check.name, fault, makers.get(fault.path))
        for check in failed
        for fault in check.faults or _mentioned(check, makers)
    ]
    if not found:
        found = [_signal(check.name, Fault(path="", message=check.output), None) for check in failed]
    return tuple(_distinct(found))[:_SIGNALS]


def _mentioned(check: Check, makers: Mapping[str, SourceFile]) -> list[Fault]:
    paths = [path for path in makers if re.search(rf"(?<![\w./-]){re.escape(path)}\b", check.output)]
    return [Fault(path=path, message=check.output) for path in paths]


def _signal(check: CheckName, fault: Fault, maker: SourceFile | None) -> BackwardSignal:
    pointer = "/tree/files/" + fault.path.replace("~", "~0").replace("/", "~1")
    return BackwardSignal(
        blame_step=maker.step if maker is not None and maker.step else _BLAME_ROOT,
        contract_path=pointer if maker is not None else "",
        diagnostic=f"{check}: {fault.path}:{fault.line}: {fault.message}"[:16_000],
        hint=_hint(check),
    )


def _distinct(found: Iterable[BackwardSignal]) -> list[BackwardSignal]:
    return list({(signal.blame_step, signal.diagnostic): signal for signal in found}.values())


def _hint(check: CheckName) -> str:
    return {
        CheckName.FORMAT: "Write the file as `ruff format` would.",
        CheckName.LINT: "Change the code so that `ruff check` accepts it.",
        CheckName.TYPES: "Change the code so that `mypy --strict` accepts it.",
        CheckName.TESTS: "The code and its tests disagree: follow the specification.",
    }[check]
