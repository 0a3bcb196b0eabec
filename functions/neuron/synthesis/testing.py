"""Designs the tests of a specification."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.software.designs import TestDesign

if TYPE_CHECKING:
    from shared.software.specification import Specification


def design_tests(specification: Specification) -> TestDesign:
    """Design the cases."""
    del specification
    return TestDesign()
