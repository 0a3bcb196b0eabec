"""Which files of the base's library get bytecode."""

from __future__ import annotations

import pytest

from knative.images.build import compiles

LIBRARY = "/usr/local/lib/python3.13"


@pytest.mark.parametrize("name", ["asyncio/events.py", "unittest/mock.py", "latest/one.py", "testing.py"])
def test_modules_do(name: str) -> None:
    assert compiles(f"{LIBRARY}/{name}")


@pytest.mark.parametrize("name", ["test/support.py", "distutils/tests/support.py", "idlelib/run.py", "pydoc.css"])
def test_tests_and_what_shows_windows_do_not(name: str) -> None:
    assert not compiles(f"{LIBRARY}/{name}")
