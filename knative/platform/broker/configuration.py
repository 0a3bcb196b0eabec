"""Writes what the broker is told: every deployment's subscriptions, from the same function.toml as in a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from knative.platform.broker.dispatch import DEAD_LETTERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from knative.description import Deployment
    from knative.platform.home import Home
    from knative.platform.schedules import Tick

MOST_PARALLEL: Final = 64
SINK_PARALLEL: Final = 4


def document(
    deployments: Sequence[Deployment], ticks: Iterable[Tick], home: Home, *, instances: int, hostile: str
) -> dict[str, Any]:
    """Give the broker's configuration.

    Args:
        deployments: All of them.
        ticks: The schedules; one that no subscription names is delivered to the deployment that it belongs to.
        home: The platform's folder.
        instances: Of one deployment, at most.
        hostile: See `broker.hostile`.
    """
    triggers = [trigger for deployment in deployments for trigger in _subscriptions(deployment, instances)]
    named = str([trigger["filters"] for trigger in triggers])
    by_name = {deployment.name: deployment for deployment in deployments}
    triggers += [_scheduled(by_name[tick.deployment], tick) for tick in ticks if repr(tick.type) not in named]
    return {
        "socket": str(home.broker_socket),
        "folder": str(home.broker),
        "sockets": f"{home.run}/{{deployment}}.sock",
        "key": str(home.keys / "broker.json"),
        "trust": str(home.trust_file),
        "hostile": hostile,
        "triggers": triggers,
        "sink": next((_sink(deployment) for deployment in deployments if _takes_dead_letters(deployment)), None),
    }


def _subscriptions(deployment: Deployment, instances: int) -> list[dict[str, Any]]:
    room = deployment.scale.concurrency * min(deployment.scale.max, instances)
    return [
        {
            "key": f"{deployment.name}/{subscription.name}",
            "deployment": deployment.name,
            "audience": deployment.function.name,
            "path": "/events",
            "filters": list(subscription.filters),
            "policy": {
                "retry": subscription.delivery.retry,
                "backoff": subscription.delivery.backoff,
                "delay_seconds": subscription.delivery.delay_seconds,
                "timeout_seconds": subscription.delivery.timeout_seconds,
            },
            "parallel": max(1, min(MOST_PARALLEL, room)),
        }
        for subscription in deployment.subscriptions
    ]


def _scheduled(deployment: Deployment, tick: Tick) -> dict[str, Any]:
    return {
        "key": f"{deployment.name}/schedule:{tick.name}",
        "deployment": deployment.name,
        "audience": deployment.function.name,
        "path": "/events",
        "filters": [{"exact": {"type": tick.type, "source": tick.source}}],
        "policy": {"retry": 0, "dead_letter": False, "timeout_seconds": deployment.function.timeout_seconds},
        "parallel": 1,
    }


def _takes_dead_letters(deployment: Deployment) -> bool:
    function = deployment.function
    return function.dead_letters is not None and deployment.name == function.deployments()[0].name


def _sink(deployment: Deployment) -> dict[str, Any]:
    return {
        "key": DEAD_LETTERS,
        "deployment": deployment.name,
        "audience": deployment.function.name,
        "path": deployment.function.dead_letters,
        "filters": [],
        "policy": {"endless": True, "delay_seconds": 0.5, "timeout_seconds": 60.0},
        "parallel": SINK_PARALLEL,
    }
