"""What a provider of regional master keys does, and which one the settings mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import unquote, urlsplit

from shared.problems import Problem, register
from shared.settings import setting, settings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

KEY_BYTES: Final = 32

register(
    "keys-unavailable",
    503,
    "The keys that protect your data cannot be used now",
    "Wait for as long as Retry-After says, then try again.",
)


class KeysUnavailableError(Problem):
    """The provider of master keys does not answer, or does not let us use them."""

    def __init__(self) -> None:
        super().__init__("keys-unavailable", headers={"Retry-After": "5"})


class KeyRefusedError(Exception):
    """A wrapped key is not one of this organisation in this region, or its master key is another."""


@settings
class DataKeySettings:
    """Where the master keys are that wrap organisations' data keys."""

    url: str | None = setting(
        "HAL9_DATA_KEYS",
        None,
        "Master keys, one a region: file:///folder, or kms:REGION=ARN,REGION=ARN (credentials as boto3 finds them).",
    )
    macs: str = setting(
        "HAL9_DATA_KEYS_MAC",
        "",
        "With kms: the HMAC keys (HMAC_256) that names are hidden with, REGION=ARN, comma-separated.",
    )
    kms_endpoint: str | None = setting(
        "HAL9_DATA_KEYS_KMS_ENDPOINT", None, "Address of a server that speaks KMS, when it is not Amazon's."
    )
    seconds: float = setting(
        "HAL9_DATA_KEY_SECONDS",
        300.0,
        "Seconds that a process keeps an unwrapped data key; a shredded one is used no longer than that.",
        minimum=1,
        maximum=300,
    )


class MasterKeys(Protocol):
    """The master keys of all regions. Every method raises KeysUnavailableError when they cannot be used."""

    async def generate(self, org_id: UUID, region: str) -> tuple[bytes, bytes]:
        """Make a data key: its 32 bytes, and the same wrapped for this organisation and region."""
        ...

    async def unwrap(self, wrapped: bytes, org_id: UUID, region: str) -> bytes:
        """Give the 32 bytes of a wrapped data key. Raises KeyRefusedError when it is not this organisation's here."""
        ...

    async def mac(self, region: str, message: bytes) -> bytes:
        """Give 32 bytes that follow from the message and a secret of the region (HMAC-SHA-256).

        KeysUnavailableError also where nothing was wrapped in the region yet: what is looked for under a hash that a
        new secret gives cannot be there.
        """
        ...


def encryption_context(org_id: UUID, region: str) -> dict[str, str]:
    """What a wrapped key is bound to; not secret."""
    return {"hal9:organisation": str(org_id), "hal9:region": region}


def open_master_keys(settings: DataKeySettings) -> MasterKeys:
    """The provider of the settings.

    Raises:
        ValueError: HAL9_DATA_KEYS is not set, or is neither file:// nor kms:.
    """
    text = settings.url or ""
    address = urlsplit(text)
    if address.scheme == "file" and not address.netloc and address.path.startswith("/"):
        from shared.datakeys.files import FileMasterKeys

        return FileMasterKeys(unquote(address.path))
    if text.startswith("kms:"):
        from shared.datakeys.kms import KmsMasterKeys

        keys = _by_region("HAL9_DATA_KEYS", text.removeprefix("kms:"))
        return KmsMasterKeys(keys, _by_region("HAL9_DATA_KEYS_MAC", settings.macs), endpoint=settings.kms_endpoint)
    raise ValueError("HAL9_DATA_KEYS must be file:///folder or kms:REGION=ARN,REGION=ARN")


def _by_region(env: str, text: str) -> Mapping[str, str]:
    """Read REGION=ARN, comma-separated."""
    found: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        region, equals, arn = part.partition("=")
        if not (region and equals and arn.startswith("arn:")) or region in found:
            raise ValueError(f"{env}: {part!r} is not REGION=ARN, each region once")
        found[region] = arn
    if not found:
        raise ValueError(f"{env} names no key: write REGION=ARN, comma-separated")
    return found
