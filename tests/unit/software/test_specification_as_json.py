"""A specification as JSON: read back as the same, and without what is empty."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from shared.software.specification import Specification
from tests.unit.software.specification_samples import SAMPLES

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize("sample", SAMPLES)
def test_it_is_read_back_as_the_same(sample: Callable[[], Specification]) -> None:
    specification = sample()
    written = specification.model_dump_json()
    assert Specification.model_validate_json(written) == specification
    assert [] not in json.loads(written).values()


def test_a_release_that_knows_no_reports_reads_what_has_none() -> None:
    without = next(one for sample in SAMPLES if not (one := sample()).reports)
    assert "reports" not in json.loads(without.model_dump_json())
    assert "reports" in without.model_dump()
