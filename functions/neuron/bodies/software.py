"""The process `software`: plain English becomes a verified project, by eleven neurons and a delegated verifier.

- L4: architect;
- L3: api-designer, database-designer, test-designer, frontend-designer;
- L2: python-, typescript-, rust-, go-implementer, react-specialist, vue-specialist;
- in the function codegen: verifier.
"""

from __future__ import annotations

from typing import Final

from functions.neuron.bodies.api_designer import API_DESIGNER
from functions.neuron.bodies.architect import ARCHITECT, VERIFICATION
from functions.neuron.bodies.database_designer import DATABASE_DESIGNER
from functions.neuron.bodies.frontend_designer import FRONTEND_DESIGNER
from functions.neuron.bodies.go_implementer import GO_IMPLEMENTER
from functions.neuron.bodies.python_implementer import PYTHON_IMPLEMENTER
from functions.neuron.bodies.react_specialist import REACT_SPECIALIST
from functions.neuron.bodies.rust_implementer import RUST_IMPLEMENTER
from functions.neuron.bodies.test_designer import TEST_DESIGNER
from functions.neuron.bodies.typescript_implementer import TYPESCRIPT_IMPLEMENTER
from functions.neuron.bodies.vue_specialist import VUE_SPECIALIST
from shared.neurons import Process

SOFTWARE: Final = Process(
    name="software",
    summary="Turns a request in plain English into a project whose own linter, types and tests pass.",
    root=ARCHITECT.name,
    bodies=(
        ARCHITECT,
        API_DESIGNER,
        DATABASE_DESIGNER,
        TEST_DESIGNER,
        FRONTEND_DESIGNER,
        PYTHON_IMPLEMENTER,
        TYPESCRIPT_IMPLEMENTER,
        RUST_IMPLEMENTER,
        GO_IMPLEMENTER,
        REACT_SPECIALIST,
        VUE_SPECIALIST,
        VERIFICATION,
    ),
    exhausted="settle",
)
