"""The catalogue's data structures (`shared.software.structures`) in Python: one module each, named as in the catalogue.

A project gets the module of each that it uses as it stands, with its tests (`templates/tests/structures`). Each is
whole in itself: it imports from the standard library only.
"""

from functions.neuron.synthesis.python.structures.catalogue import source_of, usage_of

__all__ = ["source_of", "usage_of"]
