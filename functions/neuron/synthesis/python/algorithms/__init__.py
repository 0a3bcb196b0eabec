"""The catalogue's algorithms (`shared.software.algorithms`) in Python: one function each, named as in the catalogue.

A project gets the source of those that it uses, each of which is whole in itself: it names only its arguments, builtins
and modules of the standard library (`modules_of` says which). Numbers are `float`, whole numbers `int`, dates
`datetime.date`, lists `list`. What an algorithm refuses raises ValueError with a sentence for people.
"""

from functions.neuron.synthesis.python.algorithms.catalogue import FUNCTIONS, modules_of, source_of

__all__ = ["FUNCTIONS", "modules_of", "source_of"]
