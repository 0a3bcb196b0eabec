"""What implementers give back: source files, and the tree that they make together.

Promises: paths are relative, normalised and inside the tree; no two files share one. Every file says which engine and
which neuron made it, and which parts of the specification it stands for, so that a failure can be blamed on the step
that is responsible.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, field_validator, model_validator

if TYPE_CHECKING:
    from collections.abc import Iterable


class EngineName(StrEnum):
    """Who made an artefact."""

    MODEL = "model"  # a language model, accepted at first
    BUILTIN = "builtin"  # the deterministic engine
    REPAIRED = "repaired"  # a language model, after at least one backward signal


def foremost(engines: Iterable[EngineName]) -> EngineName:
    """Give the engine that a whole is said to be made by: a model's part shows, and above all a repaired one."""
    order = (EngineName.BUILTIN, EngineName.MODEL, EngineName.REPAIRED)
    return max(engines, key=order.index, default=EngineName.BUILTIN)


class SourceFile(BaseModel):
    """One text file of a project."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")

    path: str
    content: str
    engine: EngineName = EngineName.BUILTIN
    step: str = ""  # the path in the run's tree of the step that wrote it; set where implementers' trees are joined
    neuron: str  # the body that wrote it, e.g. "python-implementer"
    share: str = ""  # which of the body's shares it belongs to, e.g. "storage": with `neuron`, the step to blame
    executable: bool = False
    implements: tuple[str, ...] = ()  # JSON pointers into the specification

    @field_validator("path")
    @classmethod
    def _inside(cls, path: str) -> str:
        parts = PurePosixPath(path).parts
        if (
            not parts
            or path.startswith("/")
            or ".." in parts
            or str(PurePosixPath(path)) != path
            or "\\" in path
            or "\0" in path
        ):
            raise ValueError(f"{path!r} is not a normalised path inside the project")
        return path


class SourceTree(BaseModel):
    """The files of a project (or of one implementer's share of it), sorted by path."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")

    files: tuple[SourceFile, ...]

    @model_validator(mode="after")
    def _distinct(self) -> SourceTree:
        paths = [file.path for file in self.files]
        double = sorted({path for path in paths if paths.count(path) > 1})
        if double:
            raise ValueError(f"two files at one path: {', '.join(double)}")
        return self

    @staticmethod
    def join(trees: list[SourceTree]) -> SourceTree:
        """Put the files of several trees together; raises ValueError when two claim one path."""
        return SourceTree(
            files=tuple(sorted((file for tree in trees for file in tree.files), key=lambda file: file.path))
        )
