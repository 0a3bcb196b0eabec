"""Master keys in AWS KMS. boto3 is imported at the first use, and runs in threads.

Source: AWS KMS API reference: GenerateDataKey, Decrypt, GenerateMac. A region's key is asked in the AWS region that its
ARN names. Promises: a key is wrapped and unwrapped with the encryption context organisation + region, which CloudTrail
shows and key policies can demand. Does not: hold credentials; boto3 finds them (IRSA in a cluster).
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from shared.datakeys.masters import KeyRefusedError, KeysUnavailableError, encryption_context
from shared.telemetry import logger

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

_REFUSED: Final = frozenset({"InvalidCiphertextException", "IncorrectKeyException"})
_ARN_REGION: Final = 3
_log = logger(__name__)


class KmsMasterKeys:
    """Master keys in AWS KMS.

    Args:
        keys: ARN of the symmetric key, by region.
        macs: ARN of the HMAC_256 key, by region.
        endpoint: Address of a server that speaks KMS, when it is not Amazon's.
    """

    def __init__(self, keys: Mapping[str, str], macs: Mapping[str, str], *, endpoint: str | None = None) -> None:
        self._keys = keys
        self._macs = macs
        self._endpoint = endpoint
        self._clients: dict[str, Any] = {}

    async def generate(self, org_id: UUID, region: str) -> tuple[bytes, bytes]:
        """Make a data key; see `MasterKeys`."""
        context = encryption_context(org_id, region)
        answer = await self._call(self._keys, region, "generate_data_key", KeySpec="AES_256", EncryptionContext=context)
        return answer["Plaintext"], answer["CiphertextBlob"]

    async def unwrap(self, wrapped: bytes, org_id: UUID, region: str) -> bytes:
        """Give the data key; see `MasterKeys`."""
        context = encryption_context(org_id, region)
        answer = await self._call(self._keys, region, "decrypt", CiphertextBlob=wrapped, EncryptionContext=context)
        key: bytes = answer["Plaintext"]
        return key

    async def mac(self, region: str, message: bytes) -> bytes:
        """Give a keyed hash; see `MasterKeys`."""
        answer = await self._call(self._macs, region, "generate_mac", Message=message, MacAlgorithm="HMAC_SHA_256")
        mac: bytes = answer["Mac"]
        return mac

    async def _call(self, keys: Mapping[str, str], region: str, operation: str, **arguments: Any) -> Any:
        """One call of the API, in a thread."""
        if region not in keys:
            _log.error("no master key is set for this region", region=region)
            raise KeysUnavailableError
        return await asyncio.to_thread(self._ask, keys[region], operation, arguments)

    def _ask(self, arn: str, operation: str, arguments: Mapping[str, Any]) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return partial(getattr(self._client(arn), operation), KeyId=arn, **arguments)()
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in _REFUSED:
                raise KeyRefusedError from error
            _log.error("KMS refused", operation=operation, code=code)
            raise KeysUnavailableError from error
        except BotoCoreError as error:
            _log.error("KMS does not answer", operation=operation, error=type(error).__name__)
            raise KeysUnavailableError from error

    def _client(self, arn: str) -> Any:
        region = arn.split(":")[_ARN_REGION]
        if region not in self._clients:
            import boto3
            from botocore.config import Config

            config = Config(retries={"mode": "standard", "max_attempts": 3}, connect_timeout=2, read_timeout=5)
            self._clients[region] = boto3.client("kms", region, endpoint_url=self._endpoint, config=config)
        return self._clients[region]
