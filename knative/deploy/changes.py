"""What would change: an object as it stands compared with what the server would make of a manifest. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from knative.deploy.kinds import kind_of
from shared.function.brokerproof import SECRET_QUERY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from knative.render.target import Manifest

Action = Literal["create", "change", "delete", "unchanged"]
MISSING: Final = "(none)"
_PROOF: Final = re.compile(rf"([?&]{SECRET_QUERY}=)[^&]+")

_METADATA: Final = frozenset(
    {"managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink", "ownerReferences"}
)
_WHO: Final = frozenset(
    f"{group}.knative.dev/{what}" for group in ("serving", "eventing") for what in ("creator", "lastModifier")
)


@dataclass(frozen=True, slots=True)
class Field:
    """One field that differs.

    Attributes:
        path: such as `spec.template.spec.containers[0].image`.
        before: its value; `MISSING` when there was none.
        after: what it becomes; `MISSING` when it goes.
    """

    path: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Change:
    """What happens to one object.

    Attributes:
        action: `create`, `change`, `delete` or `unchanged`.
        kind: `Kind.title`: two kinds of one name are told apart by their groups.
        name: the object's.
        fields: that differ.
    """

    action: Action
    kind: str
    name: str
    fields: tuple[Field, ...] = ()


def change(live: Manifest | None, wanted: Manifest) -> Change:
    """Compare an object with what it would be; None is one that is not there."""
    kind, name = kind_of(wanted).title, wanted["metadata"]["name"]
    if live is None:
        return Change("create", kind, name)
    fields = tuple(_differences(_essence(live), _essence(wanted), ""))
    return Change("change" if fields else "unchanged", kind, name, fields)


def _essence(manifest: Manifest) -> Manifest:
    """Leave out what the server keeps for itself."""
    metadata = {name: value for name, value in manifest.get("metadata", {}).items() if name not in _METADATA}
    annotations = {name: value for name, value in metadata.pop("annotations", {}).items() if name not in _WHO}
    rest = {name: value for name, value in manifest.items() if name not in {"metadata", "status"}}
    return {**rest, "metadata": {**metadata, **({"annotations": annotations} if annotations else {})}}


def _differences(before: Any, after: Any, path: str) -> Iterator[Field]:
    if isinstance(before, dict) and isinstance(after, dict):
        for name in sorted({*before, *after}):
            yield from _differences(before.get(name, MISSING), after.get(name, MISSING), _joined(path, name))
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from _differences(old, new, f"{path}[{index}]")
    elif before != after:
        yield Field(path, _without_proof(before), _without_proof(after))


def _without_proof(value: Any) -> Any:
    """Hide the broker's secret, which addresses hold where OIDC is off."""
    return _PROOF.sub(r"\1…", value) if isinstance(value, str) else value


def _joined(path: str, name: str) -> str:
    shown = f'["{name}"]' if "/" in name or "." in name else name
    return shown if not path else f"{path}{shown}" if shown.startswith("[") else f"{path}.{shown}"
