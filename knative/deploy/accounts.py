"""Whether Eventing gave Triggers and PingSources the accounts that functions were told to take events from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from knative.deploy.kinds import PING_SOURCE, TRIGGER, kind_of
from knative.deploy.waiting import Unready
from knative.render.proofs import account

if TYPE_CHECKING:
    from collections.abc import Iterable

    from knative.deploy.cluster import Cluster
    from knative.render.target import Manifest

_SENDERS: Final = (TRIGGER, PING_SOURCE)


async def misnamed(cluster: Cluster, manifests: Iterable[Manifest]) -> list[Unready]:
    """Give what has another account than its name makes, or none: nothing that it delivers would be taken.

    Args:
        cluster: where they are.
        manifests: what was applied, and is ready.
    """
    wanted = {(kind_of(one), one["metadata"]["name"]) for one in manifests if kind_of(one) in _SENDERS}
    found = []
    for kind in _SENDERS:
        for one in await cluster.listed(kind):
            name = one["metadata"]["name"]
            given = ((one.get("status") or {}).get("auth") or {}).get("serviceAccountName")
            expected = account(name, kind.group, kind.name)
            if (kind, name) in wanted and given != expected:
                reason = f"Eventing gave it the account {given or 'of nobody'}, not {expected}: functions refuse it."
                found.append(Unready(kind.name, name, reason))
    return found
