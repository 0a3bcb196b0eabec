"""Broker, Triggers, schedules, and who may send to the Broker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from events.subscriber import SCHEDULED_TYPE
from knative.description import Delivery
from knative.render import probe
from knative.render.proofs import ping_source_name, trigger_name
from shared.function.brokerproof import audience

if TYPE_CHECKING:
    from collections.abc import Sequence

    from knative.description import Deployment, Schedule, Subscription
    from knative.render.target import Manifest, Target

_EVENTING: Final = "eventing.knative.dev/v1"
_CLASSES: Final = {"kafka": "Kafka", "channel": "MTChannelBasedBroker"}


def broker(sink: Deployment, target: Target) -> Manifest:
    """Give the Broker, whose events that nobody could take go to the dead-letter sink."""
    return {
        "apiVersion": _EVENTING,
        "kind": "Broker",
        "metadata": target.metadata(
            target.broker_name, annotations={"eventing.knative.dev/broker.class": _CLASSES[target.broker]}
        ),
        "spec": {
            "config": {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "name": target.broker_configuration,
                "namespace": "knative-eventing",
            },
            "delivery": {**_delivery(Delivery()), "deadLetterSink": dead_letter_sink(sink, target)},
        },
    }


def dead_letter_sink(sink: Deployment, target: Target) -> Manifest:
    """Give the destination of dead letters: the function that has a `[dead_letters]` path."""
    return _destination(sink, sink.function.dead_letters or "/dead-letters", target)


def _destination(deployment: Deployment, path: str, target: Target) -> Manifest:
    return {
        "ref": {
            "apiVersion": "serving.knative.dev/v1",
            "kind": "Service",
            "name": deployment.name,
            "namespace": target.namespace,
        },
        "uri": path,
        **({"audience": audience(deployment.function.name)} if target.oidc else {}),
    }


def trigger(deployment: Deployment, subscription: Subscription, sink: Deployment, target: Target) -> Manifest:
    """Give the Trigger of a subscription."""
    annotations = {"kafka.eventing.knative.dev/delivery.order": "unordered"} if target.broker == "kafka" else {}
    return {
        "apiVersion": _EVENTING,
        "kind": "Trigger",
        "metadata": target.metadata(trigger_name(deployment, subscription.name), annotations=annotations),
        "spec": {
            "broker": target.broker_name,
            "filters": [_plain(part) for part in subscription.filters],
            "subscriber": _destination(deployment, "/events", target),
            "delivery": {**_delivery(subscription.delivery), "deadLetterSink": dead_letter_sink(sink, target)},
        },
    }


def _delivery(delivery: Delivery) -> Manifest:
    return {
        "retry": delivery.retry,
        "backoffPolicy": delivery.backoff,
        "backoffDelay": delivery.delay,
        "timeout": delivery.timeout,
    }


def _plain(value: Any) -> Any:
    """Give frozen mappings and tuples as the dicts and lists that YAML knows."""
    if isinstance(value, str | int | bool | float | None):
        return value
    if hasattr(value, "items"):
        return {name: _plain(part) for name, part in value.items()}
    return [_plain(part) for part in value]


def ping_source(deployment: Deployment, schedule: Schedule, target: Target) -> Manifest:
    """Give the source that sends an event by the clock, straight to the function that wants it.

    Its events have the type `dev.knative.sources.ping`, which nothing can override; the extension `scheduledtype` says
    what is meant, and the subscriber's endpoint reads it (`events.subscriber`).
    """
    return {
        "apiVersion": "sources.knative.dev/v1",
        "kind": "PingSource",
        "metadata": target.metadata(ping_source_name(deployment, schedule.name)),
        "spec": {
            "schedule": schedule.cron,
            "contentType": "application/json",
            "data": "{}",
            "ceOverrides": {"extensions": {SCHEDULED_TYPE: schedule.type}},
            "sink": _destination(deployment, "/events", target),
        },
    }


def event_policy(deployments: Sequence[Deployment], target: Target) -> Manifest:
    """Give the policy that names who may send to the Broker: functions, probes, and Triggers (their replies)."""
    senders: list[Manifest] = [
        {"sub": f"system:serviceaccount:{target.namespace}:{deployment.name}"}
        for deployment in deployments
        if "broker" in deployment.function.egress.functions
    ]
    senders.append({"sub": f"system:serviceaccount:{target.namespace}:{probe.NAME}"})
    replies = [
        _sender("Trigger", _EVENTING, trigger_name(deployment, subscription.name), target)
        for deployment in deployments
        for subscription in deployment.subscriptions
    ]
    return {
        "apiVersion": "eventing.knative.dev/v1alpha1",
        "kind": "EventPolicy",
        "metadata": target.metadata("senders"),
        "spec": {
            "to": [{"ref": {"apiVersion": _EVENTING, "kind": "Broker", "name": target.broker_name}}],
            "from": [*senders, *replies],
        },
    }


def _sender(kind: str, version: str, name: str, target: Target) -> Manifest:
    return {"ref": {"apiVersion": version, "kind": kind, "name": name, "namespace": target.namespace}}
