"""What a neuron is: a typed contract with engines behind it, as one step in a tree.

A *process* describes a kind of run; its *bodies* say what each neuron does; an *engine* answers the questions that a
body may ask. The runtime in `functions/neuron` runs any process without knowing it. Everything that a body needs is
imported from here.

Promises: nothing here touches a database, a network or a clock. Does not: store, send or schedule; `functions/neuron`
does.
"""

from __future__ import annotations

from shared.neurons.body import Body, Work, Worker
from shared.neurons.engine import Builtin, Engine, Question, Thought
from shared.neurons.layers import L2, L3, L4, LAYERS, executor_of
from shared.neurons.ledger import BudgetExhausted, Ledger, Reply, Unbilled
from shared.neurons.process import Process, Registry
from shared.neurons.results import Backward, Child, Complete, Fail, Outcome, Result, Spawn
from shared.neurons.signals import Severity, Signal

__all__ = [
    "L2",
    "L3",
    "L4",
    "LAYERS",
    "Backward",
    "Body",
    "BudgetExhausted",
    "Builtin",
    "Child",
    "Complete",
    "Engine",
    "Fail",
    "Ledger",
    "Outcome",
    "Process",
    "Question",
    "Registry",
    "Reply",
    "Result",
    "Severity",
    "Signal",
    "Spawn",
    "Thought",
    "Unbilled",
    "Work",
    "Worker",
    "executor_of",
]
