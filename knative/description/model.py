"""What function.toml says, as immutable structs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PLACEHOLDER: Final = "{deployment}"
ROUTE_BODY_LIMIT_BYTES: Final = 65536
"""The longest body of a route that says nothing else."""
_PARAMETER: Final = re.compile(r"\{[a-z_]+(:path)?\}")
_UNITS: Final = {"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30}
_DURATION: Final = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?")


def duration_seconds(text: str) -> float:
    """Read an ISO 8601 duration of days, hours, minutes and seconds, such as `PT0.2S`.

    Raises:
        ValueError: it is not one.
    """
    match = _DURATION.fullmatch(text)
    if match is None or text[-1] in "PT":
        raise ValueError(f"{text!r} is not an ISO 8601 duration such as PT0.2S")
    days, hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


class Scale(msgspec.Struct, frozen=True):
    """How many instances there are, in Knative's terms.

    Attributes:
        min: the least number of instances; 0 scales to zero.
        max: the greatest number of instances.
        concurrency: requests at once in one instance: containerConcurrency.
        queue: requests that wait in an instance; what comes beyond is refused with 503.
        idle_seconds: how long nobody calls before an instance goes.
        utilisation: the part of `concurrency`, in percent, that the autoscaler aims for; what is left takes what comes
            while another instance starts.
    """

    min: int = 0
    max: int = 10
    concurrency: int = 8
    queue: int = 32
    idle_seconds: float = 60.0
    utilisation: int = 100


class Resources(msgspec.Struct, frozen=True):
    """What an instance may use.

    Attributes:
        cpu: a Kubernetes quantity.
        memory: a Kubernetes quantity.
        connections: to each database shard; `hal9 pools plan` says whether the servers allow as many.
        sidecar_cpu: what Knative's queue-proxy beside it asks for, a Kubernetes quantity; empty for the cluster's own
            default (25m, unless config-deployment says otherwise).
    """

    cpu: str = "250m"
    memory: str = "192Mi"
    connections: int = 4
    sidecar_cpu: str = ""

    @property
    def memory_bytes(self) -> int:
        """The memory in bytes."""
        return int(self.memory[:-2]) * _UNITS[self.memory[-2:]]


class Route(msgspec.Struct, frozen=True):
    """A public route.

    Attributes:
        method: upper case.
        path: a template such as `/v1/runs/{run_id}`; `{rest:path}` at the end takes slashes as well.
        permission: None only when `public` is true.
        public: anyone may call it.
        body_limit_bytes: the longest body that it takes.
    """

    method: str
    path: str
    permission: str | None = None
    public: bool = False
    body_limit_bytes: int = ROUTE_BODY_LIMIT_BYTES

    def pattern(self) -> re.Pattern[str]:
        """Give the expression that matches the route's paths."""
        parts = _PARAMETER.split(self.path)
        # Between the fixed parts stands what the parameter's group caught: its kind, None for the usual one.
        fixed, kinds = parts[::2], parts[1::2]
        between = [".+" if kind else "[^/]+" for kind in kinds]
        return re.compile("".join(re.escape(part) + rest for part, rest in zip(fixed, [*between, ""], strict=True)))


class Delivery(msgspec.Struct, frozen=True):
    """How the broker delivers to a subscription: Knative's delivery spec.

    Attributes:
        retry: deliveries after the first one.
        backoff: linear or exponential.
        delay: ISO 8601 duration before the first retry.
        timeout: ISO 8601 duration for one delivery.
    """

    retry: int = 10
    backoff: str = "exponential"
    delay: str = "PT0.2S"
    timeout: str = "PT300S"

    @property
    def delay_seconds(self) -> float:
        """The delay before the first retry."""
        return duration_seconds(self.delay)

    @property
    def timeout_seconds(self) -> float:
        """The time for one delivery."""
        return duration_seconds(self.timeout)


class Subscription(msgspec.Struct, frozen=True):
    """Events that are delivered to `POST /events`: one Trigger.

    Attributes:
        name: unique in the function.
        filters: Knative's filter dialects, all of which must hold; `{deployment}` stands for the deployment's name.
        delivery: retries and time-out.
    """

    name: str
    filters: tuple[Mapping[str, Any], ...] = ()
    delivery: Delivery = msgspec.field(default_factory=Delivery)

    @property
    def for_each_deployment(self) -> bool:
        """Whether every deployment has its own: the filters say `{deployment}`."""
        return _holds_placeholder(self.filters)


class Schedule(msgspec.Struct, frozen=True):
    """An event by the clock: one PingSource.

    Attributes:
        name: unique in the function.
        cron: five fields, for Knative.
        every_seconds: for the local platform.
        type: the event's type.
    """

    name: str
    cron: str
    every_seconds: float
    type: str


class Secret(msgspec.Struct, frozen=True):
    """An environment variable that comes from a Secret; the function starts without one that is optional."""

    env: str
    optional: bool = False


class Egress(msgspec.Struct, frozen=True):
    """Where a function may connect to: functions (and `broker`) by name, outside hosts as `host:port`."""

    functions: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()


class ImageParts(msgspec.Struct, frozen=True):
    """What a function's image holds beside what the function imports.

    Attributes:
        toolchains: languages whose toolchain verifies generated projects.
        packages: packages of the base image's Linux distribution.
    """

    toolchains: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()


class DeclaredDeployment(msgspec.Struct, frozen=True):
    """A `[[deployments]]` table, before it is resolved."""

    name: str
    routes: bool
    environment: Mapping[str, str] = msgspec.field(default_factory=dict)
    scale: Mapping[str, Any] = msgspec.field(default_factory=dict)
    resources: Mapping[str, Any] = msgspec.field(default_factory=dict)


class Deployment(msgspec.Struct, frozen=True):
    """One deployment of a function, with every override and placeholder resolved.

    Attributes:
        name: its own name, the function's when there is only one.
        function: what it is a deployment of.
        environment: variables that are set for it.
        scale: how many instances.
        resources: of one instance.
        routes: the public routes that it serves; none when another deployment does.
        subscriptions: the events that it takes.
        schedules: the clock events that go to it.
    """

    name: str
    function: FunctionDescription
    environment: Mapping[str, str]
    scale: Scale
    resources: Resources
    routes: tuple[Route, ...]
    subscriptions: tuple[Subscription, ...]
    schedules: tuple[Schedule, ...]

    @property
    def connections(self) -> int:
        """Connections that an instance may hold to each shard; 0 when the function needs no database."""
        return self.resources.connections if "database" in self.function.needs else 0


class FunctionDescription(msgspec.Struct, frozen=True):
    """A whole function.toml.

    Attributes:
        name: the function's name, its folder's name as well.
        description: one sentence.
        folder: where it is.
        needs: what must answer before it is ready: database, cache, objects.
        sends: the types of the events that it sends.
        timeout_seconds: the deadline of one request.
        grace_seconds: how long it may take to drain.
        body_limit_bytes: the longest body that it takes on paths that are no routes, and so of an event.
        scale: of a deployment, unless it overrides it.
        resources: of an instance, unless the deployment overrides them.
        routes: the public routes.
        subscriptions: the events that it takes.
        schedules: the events by the clock.
        dead_letters: the path of the dead-letter sink, for the one function that is it.
        secrets: what comes from Secrets.
        egress: where it may connect to.
        image: what its image holds beside what it imports.
        declared: the `[[deployments]]` as written.
        overrides: environment -> deployment -> overriding tables.
    """

    name: str
    description: str
    folder: Path
    needs: tuple[str, ...] = ()
    sends: tuple[str, ...] = ()
    timeout_seconds: float = 60.0
    grace_seconds: float = 30.0
    body_limit_bytes: int = 1 << 20
    scale: Scale = msgspec.field(default_factory=Scale)
    resources: Resources = msgspec.field(default_factory=Resources)
    routes: tuple[Route, ...] = ()
    subscriptions: tuple[Subscription, ...] = ()
    schedules: tuple[Schedule, ...] = ()
    dead_letters: str | None = None
    secrets: tuple[Secret, ...] = ()
    egress: Egress = msgspec.field(default_factory=Egress)
    image: ImageParts = msgspec.field(default_factory=ImageParts)
    declared: tuple[DeclaredDeployment, ...] = ()
    overrides: Mapping[str, Mapping[str, Mapping[str, Mapping[str, Any]]]] = msgspec.field(default_factory=dict)

    def deployments(self, environment: str | None = None) -> tuple[Deployment, ...]:
        """Give the deployments, with the overrides of an environment such as `production`, if there are any.

        A subscription whose filters say `{deployment}` belongs to every deployment; the others, and the schedules,
        belong to the one that serves the routes, so that nothing is delivered twice.
        """
        overrides = self.overrides.get(environment, {}) if environment is not None else {}
        return tuple(self._resolve(one, overrides.get(one.name, {})) for one in self.declared)

    def deployment(self, name: str, environment: str | None = None) -> Deployment:
        """Give one deployment.

        Raises:
            LookupError: there is none of that name.
        """
        for one in self.deployments(environment):
            if one.name == name:
                return one
        names = ", ".join(one.name for one in self.declared)
        raise LookupError(f"{self.name} has no deployment {name!r}: it has {names}")

    def _resolve(self, one: DeclaredDeployment, overrides: Mapping[str, Mapping[str, Any]]) -> Deployment:
        return Deployment(
            name=one.name,
            function=self,
            environment={**one.environment, **overrides.get("environment", {})},
            scale=msgspec.structs.replace(self.scale, **{**one.scale, **overrides.get("scale", {})}),
            resources=msgspec.structs.replace(self.resources, **{**one.resources, **overrides.get("resources", {})}),
            routes=self.routes if one.routes else (),
            subscriptions=tuple(
                msgspec.structs.replace(subscription, filters=_replaced(subscription.filters, one.name))
                for subscription in self.subscriptions
                if one.routes or subscription.for_each_deployment
            ),
            schedules=self.schedules if one.routes else (),
        )


def _holds_placeholder(value: Any) -> bool:
    if isinstance(value, str):
        return PLACEHOLDER in value
    if isinstance(value, dict):
        return any(_holds_placeholder(part) for part in value.values())
    return isinstance(value, list | tuple) and any(_holds_placeholder(part) for part in value)


def _replaced(value: Any, name: str) -> Any:
    """Put the deployment's name where the placeholder is, however deep."""
    if isinstance(value, str):
        return value.replace(PLACEHOLDER, name)
    if isinstance(value, dict):
        return {key: _replaced(part, name) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_replaced(part, name) for part in value)
    return value
