"""What goes into the software process and what comes out of it.

`SoftwareRequest` is the root's input and `Delivery` its output.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from shared.software.languages import Language
from shared.software.source import EngineName
from shared.software.specification import Specification
from shared.software.verification import Verification


class _Part(BaseModel):
    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")


class SoftwareRequest(_Part):
    """A request for software: the input of a run of the process `software`."""

    request: str = Field(min_length=1, max_length=20_000)
    language: Language = "python"


class Delivery(_Part):
    """The output of a run of the process `software`."""

    specification: Specification
    verification: Verification
    engine: EngineName
    files: int
