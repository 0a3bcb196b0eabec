"""The catalogue: every type of event that HAL9 sends, with one model (and so one JSON Schema) each.

    @event_type("ai.hal9.upkeep.sweep.requested", tenant=False)
    class SweepRequested(EventData):
        '''The clock asks for a sweep.'''

    event = catalogue.new(SweepRequested(), id="…", subject="sweep", org_id=None, source=catalogue.source("upkeep"))
    catalogue.parse(event)      # the model again, or MalformedEvent with every fault

A type's models live in `events/catalogue/<function>.py`, named after the function that sends it or takes it. Promises:
`parse` refuses what the model refuses, and JSON that two readers could understand differently. It does not deliver
anything.
"""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from events import codec, timestamps
from events.cloudevent import CloudEvent, Fault, MalformedEvent
from shared import strictjson
from shared.clock import SystemClock
from shared.telemetry import traceparent

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Mapping
    from uuid import UUID

    from events.cloudevent import AttributeValue

OWN_PREFIX: Final = "ai.hal9."
"""Types that begin so are HAL9's own: nobody else may publish one, but those whose `permission` says otherwise."""

_CLOCK: Final = SystemClock()


class EventData(BaseModel):
    """The base of every model of `data`: immutable, and strict about members that it does not know."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")


DataT = TypeVar("DataT", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class EventType:
    """What is known of one type of event.

    Attributes:
        name: The attribute `type`.
        model: The model of `data`.
        permission: With it a customer may publish the type through the gateway; None: nobody outside may.
        tenant: The event belongs to an organisation (extension `orgid`).
    """

    name: str
    model: type[BaseModel]
    permission: str | None
    tenant: bool

    @property
    def function(self) -> str:
        """The function that the type belongs to: the third part of its name."""
        return self.name.split(".")[2]


_BY_NAME: dict[str, EventType] = {}
_BY_MODEL: dict[type[BaseModel], EventType] = {}


def event_type(
    name: str, *, permission: str | None = None, tenant: bool = True
) -> Callable[[type[DataT]], type[DataT]]:
    """Enter a model into the catalogue as the `data` of a type.

    Args:
        name: `ai.hal9.<function>.<thing>.<past participle or requested>`.
        permission: See `EventType`.
        tenant: See `EventType`.

    Raises:
        ValueError: The name is taken, or not of that form.
    """
    if not name.startswith(OWN_PREFIX) or len(name.split(".")) != 5:
        raise ValueError(f"{name!r} is not of the form ai.hal9.<function>.<thing>.<past participle or requested>")

    def enter(model: type[DataT]) -> type[DataT]:
        if name in _BY_NAME:
            raise ValueError(f"the type {name} is in the catalogue already")
        _BY_NAME[name] = _BY_MODEL[model] = EventType(name, model, permission, tenant)
        return model

    return enter


def types() -> Mapping[str, EventType]:
    """Give the whole catalogue by type, in the order of the names; imports every module of it."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    return dict(sorted(_BY_NAME.items()))


def find(name: str) -> EventType | None:
    """Give what is known of a type, None when it is not HAL9's own or not known."""
    if name not in _BY_NAME and name.startswith(OWN_PREFIX):
        types()
    return _BY_NAME.get(name)


def source(function: str, region: str = "us-west") -> str:
    """Give the attribute `source` of what a function in a region sends."""
    return f"/regions/{region}/functions/{function}"


def new(
    data: BaseModel,
    *,
    id: str,  # noqa: A002 - the attribute's name
    subject: str | None,
    org_id: UUID | None,
    source: str,
    time: dt.datetime | None = None,
    cause: CloudEvent | None = None,
    **extensions: AttributeValue | None,
) -> CloudEvent:
    """Make an event of a type of the catalogue.

    Args:
        data: An instance of the type's model.
        id: Unique within `source`; deterministic wherever the sender may run twice.
        subject: The thing that it is about.
        org_id: The organisation; None exactly for the types that have none.
        source: See `source`.
        time: When it happened, aware; now when None.
        cause: The event that led to this one: gives `causationid`, and `correlationid` (its own, or its id).
        extensions: Further extension attributes; None leaves one out. `traceparent` is that of what is being done,
            unless given.

    Raises:
        ValueError: The model is in no catalogue, or the organisation is missing (or there is one too many).
        MalformedEvent: An attribute is not valid.
    """
    known = _BY_MODEL.get(type(data))
    if known is None:
        raise ValueError(f"{type(data).__name__} is not in the catalogue")
    if known.tenant != (org_id is not None):
        raise ValueError(f"{known.name} {'needs an' if known.tenant else 'has no'} organisation")
    named: dict[str, AttributeValue | None] = {
        "orgid": None if org_id is None else str(org_id),
        "traceparent": traceparent(),
        "causationid": None if cause is None else cause.id,
        "correlationid": None if cause is None else cause.extensions.get("correlationid", cause.id),
        **extensions,
    }
    return CloudEvent(
        id=id,
        source=source,
        type=known.name,
        subject=subject,
        time=timestamps.to_text(time or _CLOCK.now()),
        datacontenttype="application/json",
        extensions={name: value for name, value in named.items() if value is not None},
        data=data.model_dump_json().encode(),
    )


def parse(event: CloudEvent) -> Any:
    """Give an event's data as its type's model.

    Raises:
        MalformedEvent: The type is not in the catalogue, or the data is not what the type asks for; names every fault.
    """
    known = find(event.type)
    if known is None:
        raise MalformedEvent([Fault("type", "is not in the catalogue")])
    return parse_as(known.model, event)


_MOST_UNKNOWN: Final = 100


def _refuse_unknown_members(model: type[BaseModel], value: Any) -> None:
    """Refuse data with very many members that its model forbids: a fault for each would take 200 times their text."""
    if type(value) is not dict or model.model_config.get("extra") != "forbid":
        return
    unknown = len(value) - len(model.model_fields)
    if unknown > _MOST_UNKNOWN:
        raise MalformedEvent([Fault("data", f"has at least {unknown} members that its type does not have")])


def parse_as(model: type[DataT], event: CloudEvent) -> DataT:
    """Give an event's data as a model, whatever its type: for events of a customer's own types.

    Raises:
        MalformedEvent: The data is not JSON, or not what the model asks for; names every fault.
    """
    if event.datacontenttype is not None and not codec.is_json(event.datacontenttype):
        raise MalformedEvent([Fault("datacontenttype", "must be application/json")])
    if event.data is None:
        raise MalformedEvent([Fault("data", "is required")])
    try:
        value = strictjson.read(event.data)
        if strictjson.holds_nul(event.data, value):
            raise MalformedEvent([Fault("data", "has a string with U+0000, which no database holds")])
        _refuse_unknown_members(model, value)
        return model.model_validate_json(event.data)
    except strictjson.NotStrictJson as error:
        raise MalformedEvent([Fault("data", str(error))]) from None
    except ValidationError as error:
        # Only where and what: the input may hold what must not come into a log.
        refused = error.errors(include_url=False, include_context=False, include_input=False)
        raise MalformedEvent(
            [Fault("data", f"is refused: {fault['msg']}", path=tuple(map(str, fault["loc"]))) for fault in refused]
        ) from None
