"""Which model answers for which layer, what it costs, and how to reach its provider."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.neurons.models.engine import ModelEngine, Patience, Pricing
from shared.settings import setting, settings

if TYPE_CHECKING:
    from shared.neurons.models.provider import Provider

_LAYER_DOC = "Model of the {} neurons as `provider:model` (bedrock, anthropic, openai); empty for the built-in engine."


@settings
class ModelSettings:
    """Language models. With none of these set every question is answered by the built-in engine, offline."""

    l4: str = setting("HAL9_MODEL_L4", "", _LAYER_DOC.format("strategic"))
    l3: str = setting("HAL9_MODEL_L3", "", _LAYER_DOC.format("design"))
    l2: str = setting("HAL9_MODEL_L2", "", _LAYER_DOC.format("implementation"))
    input_price: int = setting(
        "HAL9_MODEL_INPUT_PRICE", 3_000_000, "Price of a million tokens that go in, in micro-dollars.", minimum=0
    )
    output_price: int = setting(
        "HAL9_MODEL_OUTPUT_PRICE", 15_000_000, "Price of a million tokens that come out, in micro-dollars.", minimum=0
    )
    maximum_tokens: int = setting("HAL9_MODEL_MAXIMUM_TOKENS", 8192, "The most tokens of one answer.", minimum=16)
    repairs: int = setting(
        "HAL9_MODEL_REPAIRS", 2, "How often an answer that breaks its contract is sent back.", minimum=0, maximum=10
    )
    tries: int = setting(
        "HAL9_MODEL_TRIES", 3, "How often a call is made in all while the provider says later.", minimum=1, maximum=10
    )
    seconds: float = setting("HAL9_MODEL_SECONDS", 120.0, "How long one answer may take, in seconds.", minimum=0.1)
    openai_url: str = setting(
        "HAL9_MODEL_OPENAI_URL", "http://127.0.0.1:8080/v1", "Address of a server that speaks OpenAI's protocol."
    )
    openai_key: str | None = setting(
        "HAL9_MODEL_OPENAI_KEY", None, "Key for that server, if it asks for one.", secret=True
    )
    anthropic_url: str = setting("HAL9_MODEL_ANTHROPIC_URL", "https://api.anthropic.com", "Address of Anthropic's API.")
    anthropic_key: str | None = setting("HAL9_MODEL_ANTHROPIC_KEY", None, "Key for Anthropic's API.", secret=True)
    bedrock_region: str | None = setting("HAL9_MODEL_BEDROCK_REGION", None, "AWS region of Bedrock.")
    bedrock_url: str | None = setting("HAL9_MODEL_BEDROCK_URL", None, "Another endpoint of Bedrock, a private link.")


def model_engine(found: ModelSettings, layer: str) -> ModelEngine | None:
    """Give the engine of a layer, None when it has no model.

    Raises:
        ValueError: The layer's setting names no provider that we know, or the provider's key is missing.
    """
    chosen = {"l4": found.l4, "l3": found.l3, "l2": found.l2}.get(layer, "")
    if not chosen:
        return None
    provider, _, model = chosen.partition(":")
    if not model:
        raise ValueError(f"HAL9_MODEL_{layer.upper()} is {chosen!r}: write it as provider:model")
    return ModelEngine(
        _provider(found, provider, layer),
        model,
        Pricing(found.input_price, found.output_price),
        Patience(found.maximum_tokens, found.repairs, found.tries),
    )


def _provider(found: ModelSettings, name: str, layer: str) -> Provider:
    """Give the provider of that name; each is imported only where it is used."""
    if name == "openai":
        from shared.neurons.models.openai import OpenAi

        return OpenAi(found.openai_url, found.openai_key, found.seconds)
    if name == "anthropic":
        from shared.neurons.models.anthropic import Anthropic

        if not found.anthropic_key:
            raise ValueError("HAL9_MODEL_ANTHROPIC_KEY is not set, and a layer asks for Anthropic's models")
        return Anthropic(found.anthropic_url, found.anthropic_key, found.seconds)
    if name == "bedrock":
        from shared.neurons.models.bedrock import Bedrock

        return Bedrock(found.bedrock_region, found.bedrock_url, found.seconds)
    raise ValueError(f"HAL9_MODEL_{layer.upper()} names the provider {name!r}; there are bedrock, anthropic, openai")
