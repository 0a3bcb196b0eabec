"""Reads requests in plain English into specifications: `read(text) -> Specification`.

A grammar of requirement sentences: tokens, clauses, verbs and their parts, lists of fields, rules. Deterministic, no
model, no network, bounded time.
"""

from functions.neuron.reading.reader import LONGEST, UnreadableError, read

__all__ = ["LONGEST", "UnreadableError", "read"]
