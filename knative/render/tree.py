"""The files of manifests: which object stands in which, in the order in which they are to be applied."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from knative.render import backups, data, eventing, migrations, network, pods, probe, proofs, services
from shared import folders

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from knative.description import Deployment, FunctionDescription
    from knative.render.proofs import Deliverers
    from knative.render.target import Manifest, Target

_HEADER: Final = "# Written by `hal9 render`: change function.toml, not this file.\n"
_APPLIED: Final = frozenset({".yaml", ".yml", ".json"})

MIGRATIONS: Final = "15-migrations.yaml"
"""What brings the schema up to date: nothing after it may be applied before it is done."""

BEFORE: Final = ("00-namespace.yaml", "10-data.yaml")
"""What must be there for that."""


class NotOursError(Exception):
    """Files that others wrote stand where ours would; the text names them."""


class NoDeadLetterSinkError(Exception):
    """No function has a `[dead_letters]` path, so that what cannot be delivered would be lost."""


def render(
    functions: Sequence[FunctionDescription], target: Target, trust: Manifest | None = None
) -> dict[str, list[Manifest]]:
    """Give every object, by the name of the file that it stands in.

    Args:
        functions: all of them.
        target: where they are to run.
        trust: the ConfigMap of what may be believed, for who keeps the functions' keys; `hal9 deploy` makes its own.

    Raises:
        NoDeadLetterSinkError: No function takes dead letters.
    """
    deployments = [part for function in functions for part in function.deployments(target.environment)]
    sink = next((part for part in deployments if part.function.dead_letters is not None), None)
    if sink is None:
        raise NoDeadLetterSinkError("give one function a [dead_letters] path in its function.toml")
    return {
        "00-namespace.yaml": [_namespace(target)],
        **({"05-trust.yaml": [trust]} if trust is not None else {}),
        **({"10-data.yaml": data.servers(deployments, target.data, target)} if target.data is not None else {}),
        MIGRATIONS: migrations.manifests(target),
        "20-accounts.yaml": [pods.account(deployment.name, target) for deployment in deployments],
        "30-network-policies.yaml": network.policies(deployments, target),
        "35-probe.yaml": probe.manifests(target),
        "40-broker.yaml": [eventing.broker(sink, target)],
        **{
            f"50-{deployment.name}.yaml": _deployment(
                deployment, sink, proofs.deliverers(deployment, deployments, sink, target), target
            )
            for deployment in deployments
        },
        **({"60-event-policies.yaml": [eventing.event_policy(deployments, target)]} if target.oidc else {}),
        **({"70-backups.yaml": backups.manifests(target)} if target.backups else {}),
    }


def _deployment(deployment: Deployment, sink: Deployment, allowed: Deliverers, target: Target) -> list[Manifest]:
    return [
        services.service(deployment, allowed, target),
        services.disruption_budget(deployment, target),
        *(eventing.trigger(deployment, subscription, sink, target) for subscription in deployment.subscriptions),
        *(eventing.ping_source(deployment, schedule, target) for schedule in deployment.schedules),
    ]


def _namespace(target: Target) -> Manifest:
    metadata = target.metadata(target.namespace, labels={"pod-security.kubernetes.io/enforce": "restricted"})
    del metadata["namespace"]
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def text(manifests: Sequence[Manifest]) -> str:
    """Give objects as a YAML stream."""
    import yaml

    return _HEADER + yaml.safe_dump_all(manifests, sort_keys=False, explicit_start=True, width=120)


def write(files: Mapping[str, Sequence[Manifest]], folder: Path) -> tuple[Path, ...]:
    """Write every file, replacing those of an earlier time, and deleting those that are no longer made; all or nothing.

    A file is of an earlier time when it begins with `_HEADER`, whichever version wrote it. The new ones are written
    beside the old ones first, so that a full disk leaves the folder as it was.

    Returns:
        What others wrote there and `kubectl apply` would apply as well.

    Raises:
        NotOursError: A file that would be replaced was written by others; nothing was written.
        OSError: The folder cannot be written; it is as it was.
    """
    with folders.staging(folder) as stage:
        others = tuple(
            path
            for path in sorted(folder.iterdir())
            if path.suffix in _APPLIED and path.is_file() and not _is_ours(path)
        )
        if taken := [path for path in others if path.name in files]:
            raise NotOursError(", ".join(str(path) for path in taken))
        gone = [path.name for path in folder.glob("*.yaml") if path.name not in files and path not in others]
        made = stage / "made"
        made.mkdir()
        for name, manifests in files.items():
            (made / name).write_text(text(manifests), encoding="utf-8")
        folders.move_in(made, folder, stage / "before", gone)
    return others


def _is_ours(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_HEADER)) == _HEADER.encode()
