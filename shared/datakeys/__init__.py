"""Data keys: what an organisation's data are sealed with, in a hierarchy region -> organisation.

    keys = DataKeys(shards.directory, open_master_keys(settings), settings)
    key = await keys.current(org_id, region)                # seals
    key = await keys.find(org_id, region, key_id)           # opens; None when it was shredded

A data key (AES-256) is made for one organisation in one region, wrapped by that region's master key with both as
encryption context (AWS KMS, "Encryption context"), and kept wrapped in the directory behind row-level security. Master
keys never leave their provider: files for one machine, AWS KMS in a cluster.
Promises: an unwrapped key is kept in this process for at most `HAL9_DATA_KEY_SECONDS` (five minutes, no more), and is
unwrapped once for all who wait for it; a superseded key still opens; what was sealed with a shredded key is unreadable,
at once in a process that is told (`forget`), after that time in any other.
Does not: seal data itself (whoever uses a key chooses the associated data), or delete a master key.
"""

from __future__ import annotations

from shared.datakeys.keys import DataKey, DataKeys
from shared.datakeys.masters import DataKeySettings, KeyRefusedError, KeysUnavailableError, MasterKeys, open_master_keys

__all__ = [
    "DataKey",
    "DataKeySettings",
    "DataKeys",
    "KeyRefusedError",
    "KeysUnavailableError",
    "MasterKeys",
    "open_master_keys",
]
