"""Finds the verb of a clause, and so its parts: subject, verb, complement, conditions.

Promises: total and linear in the clause's length (a subject is searched for a bounded number of tokens). Does not
know what the software is about: entities
are recognised later, in the parts.
"""

from functions.neuron.reading.frames.groups import verb_group
from functions.neuron.reading.frames.parsing import parse
from functions.neuron.reading.frames.parts import Frame, VerbGroup
from functions.neuron.reading.frames.subordinates import at_creation
from functions.neuron.reading.frames.verbs import close_of, finite_verb, imperative_at

__all__ = ["Frame", "VerbGroup", "at_creation", "close_of", "finite_verb", "imperative_at", "parse", "verb_group"]
