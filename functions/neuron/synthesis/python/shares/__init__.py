"""The Python implementer: writes each share of a project from the specification and the share's design.

Shares: `project` (what stands around the code), `domain` (models, services, computations), `interface` (routes,
commands or a library's face), `storage` (database, tables, migrations) and `tests`. Each can be written alone; what
they agree on is in `shared.software.designs`.
"""

from functions.neuron.synthesis.python.shares.implementer import implement

__all__ = ["implement"]
