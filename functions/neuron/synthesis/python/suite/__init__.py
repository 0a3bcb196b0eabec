"""The test suite of a project: a test for each case of the test design, as far as a way to try it is known.

The tests of records and rules speak to a `World`, which every kind of software has in its own `conftest.py`; so they
read the same for a service, a program and a library.
"""

from functions.neuron.synthesis.python.suite.computations import ComputationTests, program_tests, service_tests
from functions.neuron.synthesis.python.suite.concurrency import creations_at_once
from functions.neuron.synthesis.python.suite.entities import EntityTests
from functions.neuron.synthesis.python.suite.properties import PropertyTests
from functions.neuron.synthesis.python.suite.records import RecordWriter
from functions.neuron.synthesis.python.suite.rules import RuleTests

__all__ = [
    "ComputationTests",
    "EntityTests",
    "PropertyTests",
    "RecordWriter",
    "RuleTests",
    "creations_at_once",
    "program_tests",
    "service_tests",
]
