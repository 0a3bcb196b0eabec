"""Language models as engines: Amazon Bedrock, Anthropic, and every server that speaks OpenAI's protocol.

    engine = ModelEngine(provider, pricing, limits)
    thought = await engine.think(question, ledger)

Promises: an answer that is given satisfies the question's contract and its check; a bad one is sent back with its
faults a capped number of times, then the built-in takes over, and the thought says so; every call goes through the
ledger, so that caps hold and a replay costs nothing; a key is never in an error or a log.
Does not: judge whether a valid answer is right. What it produces is compiled and tested later.
"""

from __future__ import annotations

from shared.neurons.models.engine import ModelEngine
from shared.neurons.models.provider import Answer, Completion, Message, Provider, ProviderFault
from shared.neurons.models.settings import ModelSettings, model_engine

__all__ = [
    "Answer",
    "Completion",
    "Message",
    "ModelEngine",
    "ModelSettings",
    "Provider",
    "ProviderFault",
    "model_engine",
]
