"""An entity in Python: what the templates of models, tables and services say about it.

A rule becomes a question to the table (SQL), where it must look at other rows, and a check or a guard in the service,
which turns the answer into a refusal. Guards look at what is asked (may this be done at all?) and take the records they
need; checks look at the result, inside the same transaction, after the change is written.
"""

from functions.neuron.synthesis.python.entities.fieldtypes import converter, python_type
from functions.neuron.synthesis.python.entities.service import ServiceWriter
from functions.neuron.synthesis.python.entities.table import TableWriter
from functions.neuron.synthesis.python.entities.view import EntityView, RelationMethods, relation_methods, view_method

__all__ = [
    "EntityView",
    "RelationMethods",
    "ServiceWriter",
    "TableWriter",
    "converter",
    "python_type",
    "relation_methods",
    "view_method",
]
