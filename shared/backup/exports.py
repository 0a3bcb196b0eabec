"""Exports: one organisation's rows as they were before a restore put others in their place, so that it can be undone.

    exports/<id>/<schema>.<table>     its rows, as COPY writes them
    exports/<id>/manifest             what they are; written before the restore commits

They lie sealed in the store, as long as backups are kept.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from shared.backup.errors import BackupError, DamagedError
from shared.backup.manifest import File
from shared.backup.organisation import as_document, of_document
from shared.identifiers import new_id
from shared.strictjson import read_object

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from shared.backup.organisation import Rows
    from shared.backup.repository import Repository
    from shared.backup.sealing import DataKey


@dataclass(frozen=True, slots=True)
class Export:
    """What an organisation had.

    Attributes:
        id: The export's id.
        org_id: The organisation.
        made_at: When it was exported.
        rows: Of each table.
        files: The stream of each table, by its name.
    """

    id: UUID
    org_id: UUID
    made_at: datetime
    rows: tuple[Rows, ...]
    files: dict[str, File]


class Writing:
    """An export that is being written.

    Args:
        repository: The store.
        data_key: What seals it.
        org_id: The organisation.
        now: The present moment.
    """

    def __init__(self, repository: Repository, data_key: DataKey, org_id: UUID, now: datetime) -> None:
        self.id = new_id()
        self._repository = repository
        self._data_key = data_key
        self._org_id = org_id
        self._now = now
        self._rows: list[Rows] = []
        self._files: dict[str, File] = {}

    async def keep(self, rows: Rows, chunks: AsyncIterator[bytes]) -> None:
        """Keep one table; the manifest is written anew with each, so that it is there before anything is changed."""
        name = f"exports/{self.id}/{rows.name}"
        self._files[rows.name] = await self._repository.put(self._data_key, name, chunks)
        self._rows.append(rows)
        await self._repository.write(self._data_key, _manifest(self.id), self._document())

    def _document(self) -> bytes:
        files: dict[str, Any] = {
            name: {"name": file.name, "stored": file.stored, "sha256": file.sha256, "plain": file.plain}
            for name, file in self._files.items()
        }
        document = {
            "id": str(self.id), "org_id": str(self._org_id), "made_at": self._now.isoformat(),
            "rows": as_document(self._rows), "files": files,
        }  # fmt: skip
        return json.dumps(document).encode()


async def find(repository: Repository, export_id: UUID) -> Export:
    """Give an export.

    Raises:
        BackupError: There is none of that id, or it is damaged.
    """
    name = _manifest(export_id)
    if not await repository.exists(name):
        raise BackupError(
            f"There is no export {export_id}: `hal9 backup restore --org` says its id, and keeps it for a time."
        )
    try:
        document = read_object(await repository.read(name))
        return Export(
            UUID(document["id"]), UUID(document["org_id"]), datetime.fromisoformat(document["made_at"]),
            tuple(of_document(document["rows"])), {key: File(**file) for key, file in document["files"].items()},
        )  # fmt: skip
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedError(name) from error


async def prune(repository: Repository, ids: Sequence[UUID]) -> None:
    """Delete exports, their manifests last: what is left of one that was cut off is found again."""
    for export_id in ids:
        names = [name async for name in repository.below(f"exports/{export_id}")]
        for name in sorted(names, key=lambda one: one.endswith("/manifest")):
            await repository.delete(name)


def _manifest(export_id: UUID) -> str:
    return f"exports/{export_id}/manifest"
