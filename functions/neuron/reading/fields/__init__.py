"""Reads what stands where fields are listed: "a unique email, a priority low, medium or high and an optional due date".

A list is a sequence of items; an item is a determiner, adjectives, a name, and attributes behind it ("that is unique",
"between 1 and 5", "(optional)", "defaulting to draft", "of at most 100 characters"). The same attributes stand behind
"must be". Promises: linear in the tokens but for bounded look-ahead.
"""

from __future__ import annotations

from functions.neuron.reading.fields.lists import items
from functions.neuron.reading.fields.naming import Item
from functions.neuron.reading.fields.qualifiers import attributes

__all__ = ["Item", "attributes", "items"]
