"""Objects: streams of bytes under a key that begins with the organisation (artefacts, screenshots, exports).

    objects = open_objects(load(ObjectsSettings))
    await objects.put(key(org_id, "artefacts", name), chunks, media_type="application/gzip")
    async for chunk in objects.get(key): ...

Promises: an object is there whole or not at all, and on the disk when `put` returns; no key reaches outside the
store's folder or prefix.
Does not: version, or search; whoever keeps an object remembers its key in the database. Listing what is below a prefix
is for what must be found without a database: backups.
"""

from __future__ import annotations

from shared.objects.keys import key, validated
from shared.objects.store import ObjectMissingError, Objects, ObjectsFullError, ObjectsSettings, open_objects

__all__ = [
    "ObjectMissingError",
    "Objects",
    "ObjectsFullError",
    "ObjectsSettings",
    "key",
    "open_objects",
    "validated",
]
