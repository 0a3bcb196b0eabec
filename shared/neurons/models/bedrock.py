"""Amazon Bedrock by boto3's ConverseStream: one protocol for every model that Bedrock has.

boto3 is imported at the first call and runs in a thread: it has no asyncio. Its own retries are off, so that the ledger
knows of each call. Source: Amazon Bedrock Runtime API reference, "ConverseStream".
"""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, Final

from shared.neurons.models.provider import Answer, ProviderFault, status_fault
from shared.neurons.threads import in_thread

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.neurons.models.provider import Completion

_TOOL: Final = "answer"
_LIMITED: Final = frozenset({"ThrottlingException", "ServiceUnavailableException", "throttlingException"})
_REFUSED: Final = frozenset({"guardrail_intervened", "content_filtered"})
_CONNECT_SECONDS: Final = 10


class Bedrock:
    """Bedrock's models in one AWS region; credentials are found as boto3 does (the pod's role in a cluster).

    Args:
        region: The AWS region; None for what AWS_REGION says.
        url: Another endpoint, for a private link or a test.
        seconds: How long a whole answer may take.
    """

    name = "bedrock"

    def __init__(self, region: str | None, url: str | None, seconds: float) -> None:
        self._region = region
        self._url = url
        self._seconds = seconds
        self._client: Any = None
        self._connecting = threading.Lock()

    async def complete(self, completion: Completion) -> Answer:
        """Ask a model once."""
        try:
            async with asyncio.timeout(self._seconds):
                return await in_thread(self._complete, completion)
        except TimeoutError:
            raise ProviderFault("timed-out", f"no whole answer in {self._seconds:g} s", billed=True) from None

    def _complete(self, completion: Completion) -> Answer:
        from botocore import exceptions

        try:
            answer = self._connected().converse_stream(**_body(completion))
            return _read(answer["stream"])
        except exceptions.EventStreamError as error:
            raise _stream_fault(error) from None
        except exceptions.ClientError as error:
            raise _client_fault(error) from None
        except (exceptions.ConnectTimeoutError, exceptions.EndpointConnectionError) as error:
            raise ProviderFault("unavailable", type(error).__name__, billed=False) from None
        except exceptions.ReadTimeoutError as error:
            raise ProviderFault("timed-out", type(error).__name__, billed=True) from None
        except (exceptions.NoCredentialsError, exceptions.NoRegionError, exceptions.ParamValidationError) as error:
            raise ProviderFault("rejected", type(error).__name__, billed=False) from None
        except (exceptions.BotoCoreError, OSError) as error:
            raise ProviderFault("cut-off", type(error).__name__, billed=True) from None

    def _connected(self) -> Any:
        with self._connecting:
            if self._client is None:
                import boto3
                from botocore.config import Config

                limits = Config(
                    connect_timeout=_CONNECT_SECONDS, read_timeout=self._seconds, retries={"total_max_attempts": 1}
                )
                self._client = boto3.client(
                    "bedrock-runtime", region_name=self._region, endpoint_url=self._url, config=limits
                )
            return self._client

    async def close(self) -> None:
        """Close every connection."""
        if self._client is not None:
            self._client.close()


def _read(stream: Any) -> Answer:
    parts: list[str] = []
    usage: Mapping[str, Any] = {}
    reason: str | None = None
    for event in stream:
        if "contentBlockDelta" in event:
            parts.append((event["contentBlockDelta"].get("delta", {}).get("toolUse") or {}).get("input") or "")
        elif "messageStop" in event:
            reason = event["messageStop"].get("stopReason")
        elif "metadata" in event:
            usage = event["metadata"].get("usage") or {}
    if reason in _REFUSED:
        raise ProviderFault("refused", reason or "", billed=True)
    if reason is None or reason == "max_tokens":
        raise ProviderFault("cut-off", reason or "the stream ended early", billed=True)
    return Answer("".join(parts), usage.get("inputTokens"), usage.get("outputTokens"))


def _stream_fault(error: Any) -> ProviderFault:
    code = str(error.response.get("Error", {}).get("Code", ""))
    return ProviderFault("limited" if code in _LIMITED else "cut-off", code, billed=True)


def _client_fault(error: Any) -> ProviderFault:
    code = str(error.response.get("Error", {}).get("Code", ""))
    if code in _LIMITED:
        return ProviderFault("limited", code, billed=False)
    return status_fault(int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)), None)


def _body(completion: Completion) -> dict[str, Any]:
    return {
        "modelId": completion.model,
        "system": [{"text": completion.instructions}],
        "messages": [{"role": message.role, "content": [{"text": message.text}]} for message in completion.messages],
        "inferenceConfig": {"maxTokens": completion.maximum_tokens, "temperature": 0.0},
        "toolConfig": {
            "tools": [
                {
                    "toolSpec": {
                        "name": _TOOL,
                        "description": "Gives the answer.",
                        "inputSchema": {"json": completion.schema},
                    }
                }
            ],
            "toolChoice": {"tool": {"name": _TOOL}},
        },
    }
