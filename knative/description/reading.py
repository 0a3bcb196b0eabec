"""Read function.toml into its model, naming every fault."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any, Final

from knative.description.model import (
    ROUTE_BODY_LIMIT_BYTES,
    DeclaredDeployment,
    Delivery,
    Egress,
    FunctionDescription,
    ImageParts,
    Resources,
    Route,
    Scale,
    Schedule,
    Secret,
    Subscription,
    duration_seconds,
)
from knative.description.table import NAME, VARIABLE, DescriptionError, Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

FILE_NAME: Final = "function.toml"
_LONGEST_REQUEST_SECONDS: Final = 600  # Knative refuses longer ones by default (max-revision-timeout-seconds)
_LONGEST_BODY: Final = 1 << 30
_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
_NEED: Final = re.compile("database|cache|objects")
_TYPE: Final = re.compile(r"[a-z0-9]+(\.[a-z0-9_-]+)+")
_PERMISSION: Final = re.compile(r"[a-z_]+(\.[a-z_]+)+")
_PATH: Final = re.compile(r"(/([a-zA-Z0-9._~-]+|\{[a-z_]+(:path)?\}))+")
_CPU: Final = re.compile(r"\d+m|\d+(\.\d+)?")
_MEMORY: Final = re.compile(r"\d+(Ki|Mi|Gi)")
_HOST: Final = re.compile(r"[a-z0-9*]([a-z0-9.-]*[a-z0-9])?:\d{1,5}")
_LANGUAGE: Final = re.compile(r"[a-z]+")
_PACKAGE: Final = re.compile(r"[a-z0-9][a-z0-9+.-]+")
_CRON_FIELD: Final = re.compile(r"(\*|\d+(-\d+)?)(/\d+)?(,(\*|\d+(-\d+)?)(/\d+)?)*")
_CRON_FIELDS: Final = 5
_NAME_TEXT: Final = "a name of lower-case letters, digits and hyphens, at most 63"
_SIMPLE_DIALECTS: Final = ("exact", "prefix", "suffix")
_LIST_DIALECTS: Final = ("all", "any")


def load(folder: Path) -> FunctionDescription:
    """Read the function.toml of a folder.

    Raises:
        DescriptionError: it is not there, not TOML, or wrong; names every fault.
    """
    path = folder / FILE_NAME
    faults: list[str] = []
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DescriptionError(str(path), [f"it cannot be read: {error.strerror}"]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DescriptionError(str(path), [f"it is not TOML: {error}"]) from None
    found = _function(Table(content, "", faults), folder)
    if faults:
        raise DescriptionError(str(path), faults)
    return found


def load_all(root: Path) -> tuple[FunctionDescription, ...]:
    """Read every function below a folder, in the order of their names, and check that they fit together.

    Raises:
        DescriptionError: one is wrong, or two deployments have the same name, or egress names what is not there; names
            every fault of every file.
    """
    found: list[FunctionDescription] = []
    faults: list[str] = []
    for path in sorted(root.glob(f"*/{FILE_NAME}")):
        try:
            found.append(load(path.parent))
        except DescriptionError as error:
            faults += [f"{path.parent.name}: {fault}" for fault in error.faults]
    if not faults:
        _check_together(found, faults)
    if faults:
        raise DescriptionError(str(root), faults)
    return tuple(found)


def _check_together(found: list[FunctionDescription], faults: list[str]) -> None:
    owners: dict[str, str] = {}
    for function in found:
        for deployment in function.declared:
            owner = owners.setdefault(deployment.name, function.name)
            if owner != function.name:
                faults.append(f"{function.name}: the deployment {deployment.name!r} is {owner}'s already")
    known = {"broker", *owners, *(function.name for function in found)}
    faults += [
        f"{function.name}: egress.functions names {name!r}, which is not there"
        for function in found
        for name in function.egress.functions
        if name not in known
    ]
    sinks = [function.name for function in found if function.dead_letters is not None]
    if len(sinks) > 1:
        faults.append(f"there is one dead-letter sink, not {len(sinks)}: {', '.join(sinks)}")


def _function(table: Table, folder: Path) -> FunctionDescription:
    name = table.text("name", None, NAME, _NAME_TEXT)
    if name and name != folder.resolve().name:
        table.fault("name", f"must be the folder's name, {folder.resolve().name!r}, not {name!r}")
    routes = tuple(_route(one) for one in table.tables("routes"))
    _check_different(table, "routes", (f"{route.method} {route.path}" for route in routes))
    subscriptions = tuple(_subscription(one) for one in table.tables("subscriptions"))
    _check_different(table, "subscriptions", (one.name for one in subscriptions))
    schedules = tuple(_schedule(one) for one in table.tables("schedules"))
    _check_different(table, "schedules", (one.name for one in schedules))
    scale = _scale(table.table("scale"))
    found = FunctionDescription(
        name=name,
        description=table.text("description"),
        folder=folder,
        needs=table.texts("needs", _NEED, "database, cache or objects"),
        sends=table.texts("sends", _TYPE, "types of events"),
        timeout_seconds=table.number("timeout_seconds", 60.0, 0.001, _LONGEST_REQUEST_SECONDS),
        grace_seconds=table.number("grace_seconds", 30.0, 0.0, _LONGEST_REQUEST_SECONDS),
        body_limit_bytes=table.whole("body_limit_bytes", 1 << 20, 0, _LONGEST_BODY),
        scale=scale,
        resources=_resources(table.table("resources")),
        routes=routes,
        subscriptions=subscriptions,
        schedules=schedules,
        dead_letters=_dead_letters(table),
        secrets=tuple(_secret(one) for one in table.tables("secrets")),
        egress=_egress(table.table("egress")),
        image=_image(table.table("image")),
        declared=_deployments(table, name, scale),
        overrides=_overrides(table.table("environments")),
    )
    _check_overrides(table, found)
    table.finish()
    return found


def _check_different(table: Table, key: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            table.fault(key, f"has {name!r} twice")
        seen.add(name)


def _scale(table: Table) -> Scale:
    usual = Scale()
    concurrency = table.whole("concurrency", usual.concurrency, 1, 1000)
    found = Scale(
        table.whole("min", usual.min, 0, 1000),
        table.whole("max", usual.max, 1, 1000),
        concurrency,
        table.whole("queue", 4 * concurrency, 0, 10_000),
        table.number("idle_seconds", usual.idle_seconds, 1.0, 3600.0),
        table.whole("utilisation", usual.utilisation, 2, 100),
    )
    if found.min > found.max:
        table.fault("min", f"is greater than max: {found.min} > {found.max}")
    table.finish()
    return found


def _resources(table: Table) -> Resources:
    usual = Resources()
    found = Resources(
        table.text("cpu", usual.cpu, _CPU, "a quantity such as 250m"),
        table.text("memory", usual.memory, _MEMORY, "a quantity such as 192Mi"),
        table.whole("connections", usual.connections, 1, 100),
        table.text("sidecar_cpu", usual.sidecar_cpu, _CPU, "a quantity such as 25m"),
    )
    table.finish()
    return found


def _route(table: Table) -> Route:
    public = table.truth("public", default=False)
    permission = table.text("permission", "" if public else None, _PERMISSION, "a permission such as runs.create")
    if public and permission:
        table.fault("permission", "is for routes that are not public")
    found = Route(
        table.choice("method", None, _METHODS),
        table.text("path", None, _PATH, "a path such as /v1/runs/{run_id}"),
        permission or None,
        public,
        table.whole("body_limit_bytes", ROUTE_BODY_LIMIT_BYTES, 0, _LONGEST_BODY),
    )
    table.finish()
    return found


def _subscription(table: Table) -> Subscription:
    filters = table.raw("filters")
    found = Subscription(
        table.text("name", None, NAME, _NAME_TEXT), _filters(table, filters), _delivery(table.table("delivery"))
    )
    table.finish()
    return found


def _filters(table: Table, content: Any) -> tuple[Mapping[str, Any], ...]:
    if content is None:
        return ()
    if not isinstance(content, list):
        table.fault("filters", "must be a list of tables")
        return ()
    for index, item in enumerate(content):
        _check_filter(table, item, f"filters[{index}]")
    return tuple(item for item in content if isinstance(item, dict))


def _check_filter(table: Table, item: Any, place: str) -> None:
    """Check the shape of a filter: one dialect, with what belongs to it."""
    if not isinstance(item, dict) or len(item) != 1:
        table.fault(place, "must be a table of one dialect: exact, prefix, suffix, all, any, not or cesql")
        return
    (dialect, value), *_ = item.items()
    inner = f"{place}.{dialect}"
    if dialect in _SIMPLE_DIALECTS:
        if (
            not isinstance(value, dict)
            or not value
            or not all(isinstance(part, str) and part for part in value.values())
        ):
            table.fault(inner, "must be a table of attributes and texts that are not empty")
    elif dialect in _LIST_DIALECTS:
        if not isinstance(value, list) or not value:
            table.fault(inner, "must be a list of filters that is not empty")
            return
        for index, part in enumerate(value):
            _check_filter(table, part, f"{inner}[{index}]")
    elif dialect == "not":
        _check_filter(table, value, inner)
    elif dialect != "cesql" or not isinstance(value, str):
        table.fault(place, "must be one of exact, prefix, suffix, all, any, not, or cesql with a text")


def _delivery(table: Table) -> Delivery:
    usual = Delivery()
    found = Delivery(
        table.whole("retry", usual.retry, 0, 100),
        table.choice("backoff", usual.backoff, ("linear", "exponential")),
        table.text("delay", usual.delay),
        table.text("timeout", usual.timeout),
    )
    for key, text in (("delay", found.delay), ("timeout", found.timeout)):
        try:
            duration_seconds(text)
        except ValueError as error:
            table.fault(key, f"is wrong: {error}")
    table.finish()
    return found


def _schedule(table: Table) -> Schedule:
    found = Schedule(
        table.text("name", None, NAME, _NAME_TEXT),
        table.text("cron", None),
        table.number("every_seconds", None, 0.1, 86_400.0),
        table.text("type", None, _TYPE, "an event's type"),
    )
    fields = found.cron.split()
    if found.cron and (len(fields) != _CRON_FIELDS or not all(_CRON_FIELD.fullmatch(one) for one in fields)):
        table.fault("cron", f"must have five fields such as `*/5 * * * *`, not {found.cron!r}")
    table.finish()
    return found


def _dead_letters(table: Table) -> str | None:
    if "dead_letters" not in table.present():
        return None
    inner = table.table("dead_letters")
    path = inner.text("path", None, _PATH, "a path such as /dead-letters")
    inner.finish()
    return path


def _secret(table: Table) -> Secret:
    found = Secret(
        table.text("env", None, VARIABLE, "a variable such as HAL9_X"), table.truth("optional", default=False)
    )
    table.finish()
    return found


def _egress(table: Table) -> Egress:
    found = Egress(
        table.texts("functions", NAME, "names of functions"), table.texts("hosts", _HOST, "addresses such as host:443")
    )
    table.finish()
    return found


def _image(table: Table) -> ImageParts:
    found = ImageParts(
        table.texts("toolchains", _LANGUAGE, "languages such as python"),
        table.texts("packages", _PACKAGE, "names of packages such as chromium"),
    )
    table.finish()
    return found


def _deployments(table: Table, name: str, scale: Scale) -> tuple[DeclaredDeployment, ...]:
    tables = table.tables("deployments")
    if not tables:
        return (DeclaredDeployment(name, routes=True),)
    found = tuple(_deployment(one, scale, alone=len(tables) == 1) for one in tables)
    _check_different(table, "deployments", (one.name for one in found))
    if sum(one.routes for one in found) != 1:
        table.fault("deployments", "must have exactly one with routes = true: it serves routes, schedules and the rest")
    return found


def _deployment(table: Table, scale: Scale, *, alone: bool) -> DeclaredDeployment:
    overrides = table.table("scale")
    resources = table.table("resources")
    found = DeclaredDeployment(
        table.text("name", None, NAME, _NAME_TEXT),
        table.truth("routes", default=alone),
        table.variables("environment"),
        overrides.present(),
        resources.present(),
    )
    _check_scale_overrides(overrides, scale)
    _resources(resources)
    table.finish()
    return found


def _check_scale_overrides(table: Table, scale: Scale) -> None:
    """Check the overriding keys, and that min and max still fit when they are laid over the function's."""
    faults_before = len(table.faults)
    _scale(Table({"max": 1000, **table.present()}, table.place, table.faults))
    if len(table.faults) == faults_before:
        least, most = table.present().get("min", scale.min), table.present().get("max", scale.max)
        if least > most:
            table.fault("min", f"is greater than max: {least} > {most}")


def _overrides(table: Table) -> dict[str, dict[str, dict[str, Mapping[str, Any]]]]:
    found: dict[str, dict[str, dict[str, Mapping[str, Any]]]] = {}
    for environment in table.present():
        inner = table.table(environment)
        found[environment] = {name: _override(inner.table(name)) for name in inner.present()}
    return found


def _override(table: Table) -> dict[str, Mapping[str, Any]]:
    scale, resources = table.table("scale"), table.table("resources")
    environment = table.variables("environment")
    _check_scale_overrides(scale, Scale(max=1000))
    _resources(resources)
    table.finish()
    return {"scale": scale.present(), "resources": resources.present(), "environment": environment}


def _check_overrides(table: Table, found: FunctionDescription) -> None:
    names = {one.name for one in found.declared}
    for environment, deployments in found.overrides.items():
        for name in deployments:
            if name not in names:
                table.fault(f"environments.{environment}.{name}", f"is no deployment: there are {', '.join(names)}")
    if table.faults:
        return
    for environment in found.overrides:
        for one in found.deployments(environment):
            if one.scale.min > one.scale.max:
                table.fault(
                    f"environments.{environment}.{one.name}.scale",
                    f"gives a min greater than max: {one.scale.min} > {one.scale.max}",
                )
