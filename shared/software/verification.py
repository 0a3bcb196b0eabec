"""The contract of the delegated verifier (executor `codegen`), which runs a project's own linter, types and tests.

It knows nothing of specifications and designs, so that the verifier starts without their models.
"""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from shared.software.languages import Language
from shared.software.source import SourceTree


class _Part(BaseModel):
    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")


class CheckName(StrEnum):
    """What a project is held against: its own linter, formatter, type checker and tests."""

    FORMAT = "format"
    LINT = "lint"
    TYPES = "types"
    TESTS = "tests"


class Fault(_Part):
    """One thing that a check found, in a file of the project."""

    path: str
    line: int = 0
    message: str


class Check(_Part):
    """One check: whether it passed, its seconds of wall time, and the end of what it printed when it did not."""

    name: CheckName
    passed: bool
    seconds: float
    faults: tuple[Fault, ...] = ()
    output: str = ""


class VerificationInput(_Part):
    """What is to be verified. Every file names the step that wrote it, which is blamed for its faults."""

    language: Language = "python"
    tree: SourceTree


class Verification(_Part):
    """The report of the verifier.

    Attributes:
        verified: Every check passed.
        checks: In the order in which they ran.
        tests_passed: How many of the project's own tests passed.
        isolation: `namespaces` (own file system, no network), `landlock` (the same files, no sockets), or
            `process-group` (neither): the strongest that the kernel allows.
        artefact_id: The archive of the project, whether it verified or not.
        sha256: Of the archive (tar.gz), hexadecimal.
        size: Of the archive, in bytes.
    """

    verified: bool
    checks: tuple[Check, ...]
    tests_passed: int = 0
    isolation: str
    artefact_id: UUID
    sha256: str
    size: int
