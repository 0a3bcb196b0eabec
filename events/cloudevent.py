"""One CloudEvent (CloudEvents 1.0.2): an immutable value that is valid from the moment it exists.

Promises: an instance never breaks the specification's rules for attributes (names, types, characters, URI,
URI-reference, RFC 3339 timestamps, RFC 2046 media types); whoever breaks them gets one `MalformedEvent` that names
every fault. It does not look into `data`, which is opaque bytes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from msgspec.structs import force_setattr

from events.timestamps import plain_timestamp, timestamp_fault, to_datetime
from events.uri import absolute_uri_fault, uri_reference_fault

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Collection, Iterator, Sequence

AttributeValue = str | int | bool | bytes
"""The types of an extension attribute: String (also URI, URI-reference, Timestamp), Integer, Boolean, Binary."""

MAX_EXTENSIONS: Final = 64
"""More extension attributes than this are refused: a bound of ours, the specification has none."""

MAX_NAME_LENGTH: Final = 64
"""Longer attribute names are refused: a bound of ours, the specification advises at most 20."""

CORE_ATTRIBUTES: Final = ("specversion", "id", "source", "type", "subject", "time", "datacontenttype", "dataschema")
"""The attributes of the specification itself, in the order in which they are written."""

NotEmpty = Annotated[str, msgspec.Meta(min_length=1)]
"""What a decoder takes for an attribute on the fast path."""

_CORE: Final = frozenset(CORE_ATTRIBUTES)
_INT32: Final = range(-(2**31), 2**31)
_NAME: Final = re.compile(r"[a-z0-9]+")
_NONCHARACTERS: Final = "".join(chr(plane << 16 | low) for plane in range(17) for low in (0xFFFE, 0xFFFF))
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f]")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_NONCHARACTER: Final = re.compile(f"[\ufdd0-\ufdef{_NONCHARACTERS}]")
_WORD: Final = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_QUOTED: Final = r'"(?:[^"\\\x00-\x1f\x7f]|\\[\x20-\x7e])*"'
_MEDIA_TYPE: Final = re.compile(rf"{_WORD}/{_WORD}(?:[ ]*;[ ]*{_WORD}=(?:{_WORD}|{_QUOTED}))*")
_CACHED_LENGTH: Final = 256  # longer values are judged each time: the caches' memory stays bounded


@dataclass(frozen=True, slots=True)
class Fault:
    """One way in which an event breaks the rules.

    Attributes:
        attribute: What is at fault: an attribute's name, `data`, `data_base64`, a header's name, or `body`.
        detail: What is wrong, to be read after the attribute's name.
        index: The event's place in its batch, None outside a batch.
        path: Where within the data, when the data is at fault.
    """

    attribute: str
    detail: str
    index: int | None = None
    path: tuple[str, ...] = ()

    @property
    def pointer(self) -> str:
        """The JSON pointer (RFC 6901) of what is at fault, in a structured or batched event."""
        place = [] if self.index is None else [str(self.index)]
        place += () if self.attribute == "body" else (self.attribute, *self.path)
        return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in place)

    def __str__(self) -> str:
        place = "" if self.index is None else f"event {self.index}: "
        return f"{place}{'/'.join((self.attribute, *self.path))} {self.detail}"


class MalformedEvent(ValueError):  # noqa: N818 - the name says what it is
    """What was given is no valid CloudEvent.

    Attributes:
        faults: Every fault that was found.
        too_large: True when a bound on size was passed (in HTTP 413 rather than 400).
    """

    def __init__(self, faults: Sequence[Fault], *, too_large: bool = False) -> None:
        """Keep the faults and say them all in the message."""
        self.faults = tuple(faults)
        self.too_large = too_large
        super().__init__("; ".join(str(fault) for fault in self.faults))


class CloudEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A CloudEvent, immutable and valid.

    `time` is kept as the text that came (RFC 3339), so that nothing is lost; `timestamp` is the same as an aware
    datetime. The dict of extensions must not be changed after the event was made: use `with_extensions`. Two events are
    equal when all their attributes and their data are.

    Attributes:
        id: Unique within `source`; not empty.
        source: URI-reference of who says so; not empty.
        type: What happened, e.g. `ai.hal9.neuron.step.requested`; not empty.
        subject: What it happened to, or None.
        time: When it happened, RFC 3339, or None.
        datacontenttype: Media type of `data` (RFC 2046), or None when nobody said.
        dataschema: Absolute URI (RFC 3986, section 4.3: no fragment) of the schema of `data`, or None.
        extensions: Name to value; names are [a-z0-9]+, values String, Integer (32 bits), Boolean or Binary.
        data: The payload's bytes, or None for none. Never interpreted here.

    Raises:
        MalformedEvent: When made of attributes that are not valid.
    """

    id: str
    source: str
    type: str
    subject: str | None = None
    time: str | None = None
    datacontenttype: str | None = None
    dataschema: str | None = None
    extensions: dict[str, AttributeValue] = {}
    data: bytes | None = None

    def __post_init__(self) -> None:
        """Check the rules; refuse with every fault."""
        if not _plainly_valid(self):
            faults = list(_faults(self))
            if faults:
                raise MalformedEvent(faults)

    @property
    def specversion(self) -> str:
        """The version of the specification: always `1.0`."""
        return "1.0"

    @property
    def timestamp(self) -> dt.datetime | None:
        """`time` as an aware datetime in UTC, None when there is none.

        It is cut to the microsecond; a leap second becomes the second after.

        Raises:
            ValueError: The year is 0000, which RFC 3339 has and datetime has not.
        """
        return None if self.time is None else to_datetime(self.time)

    @property
    def orgid(self) -> str | None:
        """The extension `orgid`: the organisation that the event belongs to."""
        return self._text("orgid")

    @property
    def traceparent(self) -> str | None:
        """The extension `traceparent` (W3C Trace Context)."""
        return self._text("traceparent")

    @property
    def partitionkey(self) -> str | None:
        """The extension `partitionkey`: events with the same one are delivered in order."""
        return self._text("partitionkey")

    def _text(self, name: str) -> str | None:
        value = self.extensions.get(name)
        return value if isinstance(value, str) else None

    def replace(self, **changes: Any) -> CloudEvent:
        """Give a copy with some fields changed, checked again.

        Raises:
            MalformedEvent: The copy would not be valid.
        """
        return msgspec.structs.replace(self, **changes)

    def with_extensions(self, **extensions: AttributeValue | None) -> CloudEvent:
        """Give a copy with these extensions set; None removes one."""
        merged = {**self.extensions, **extensions}
        return self.replace(extensions={name: value for name, value in merged.items() if value is not None})

    def attributes(self) -> dict[str, AttributeValue]:
        """Give every attribute that is set: `specversion`, the other core ones, then the extensions in their order."""
        found: dict[str, AttributeValue] = {
            "specversion": "1.0",
            "id": self.id,
            "source": self.source,
            "type": self.type,
        }
        subject, time, media_type, schema = self.subject, self.time, self.datacontenttype, self.dataschema
        if subject is not None:
            found["subject"] = subject
        if time is not None:
            found["time"] = time
        if media_type is not None:
            found["datacontenttype"] = media_type
        if schema is not None:
            found["dataschema"] = schema
        found |= self.extensions
        return found

    def __hash__(self) -> int:
        """By identity of the event, as the specification has it: `source` and `id`."""
        return hash((self.source, self.id))


def string_fault(text: str) -> str | None:
    """Say why `text` is no String of the CloudEvents type system, or None when it is one."""
    if text.isascii() and text.isprintable():
        return None
    if _CONTROL.search(text):
        return "must not have control characters (U+0000-U+001F, U+007F-U+009F)"
    if _SURROGATE.search(text):
        return "must not have unpaired surrogates (U+D800-U+DFFF)"
    if _NONCHARACTER.search(text):
        return "must not have Unicode noncharacters"
    return None


def attribute_name_fault(name: str) -> str | None:
    """Say why `name` cannot name an attribute, or None when it can."""
    if _NAME.fullmatch(name) is None:
        return "is no attribute name: only the letters a to z and the digits 0 to 9 are allowed"
    if len(name) > MAX_NAME_LENGTH:
        return f"is too long a name: at most {MAX_NAME_LENGTH} characters"
    return "is a reserved name" if name == "data" else None


def _source_fault(text: str) -> str | None:
    return string_fault(text) or uri_reference_fault(text)


def _schema_fault(text: str) -> str | None:
    return string_fault(text) or absolute_uri_fault(text)


def _media_type_fault(text: str) -> str | None:
    return None if _MEDIA_TYPE.fullmatch(text) else "must be a media type (RFC 2046), such as application/json"


def _extension_name_fault(name: str) -> str | None:
    return "belongs to the specification and cannot be an extension" if name in _CORE else attribute_name_fault(name)


# Sources, media types, schemas and names repeat from event to event: what was judged is remembered, within bounds.
_known_names: set[str] = set()
_MAX_KNOWN_NAMES: Final = 1024


@lru_cache(2048)
def _right_types(source: str, media_type: str | None, schema: str | None) -> bool:
    return (
        source != ""
        and _source_fault(source) is None
        and (media_type is None or _media_type_fault(media_type) is None)
        and (schema is None or (schema != "" and _schema_fault(schema) is None))
    )


def _plainly_valid(event: CloudEvent) -> bool:
    """Tell quickly that a usual event (printable text, String extensions) is right.

    False says only that `_faults` must look.
    """
    event_id, kind, subject, time, source = event.id, event.type, event.subject, event.time, event.source
    extensions, data = event.extensions, event.data
    try:
        text = "".join((event_id, kind, "" if subject is None else subject, *extensions.values()))  # type: ignore[arg-type]
        return (
            text.isprintable()  # no controls, surrogates or noncharacters, then
            and event_id != ""
            and kind != ""
            and subject != ""
            and (time is None or plain_timestamp(time) is not None)
            and len(source) <= _CACHED_LENGTH
            and _right_types(source, event.datacontenttype, event.dataschema)
            and are_extension_names(extensions)
            and (data is None or type(data) is bytes)
        )
    except (TypeError, AttributeError):  # something is no string, no dict
        return False


class Unchecked(msgspec.Struct, frozen=True, array_like=True):
    """The fields of `CloudEvent`, in their order, without its checks: for the codec's fast paths, see `certified`."""

    id: NotEmpty
    source: NotEmpty
    type: NotEmpty
    subject: NotEmpty | None
    time: str | None
    datacontenttype: str | None
    dataschema: str | None
    extensions: dict[str, str]
    data: bytes | None = None


def certified(event: Unchecked, data: bytes | None) -> CloudEvent | None:
    """Make a `CloudEvent` of what passed most checks already, as a whole; None when one must look more closely.

    Args:
        event: All its texts are known to be printable, `id`, `type` and `subject` not to be empty, the extensions to
            be right by name and number (`are_extension_names`). Nobody else must have it: its class changes.
        data: The payload, which it gets.
    """
    source, time = event.source, event.time
    if (
        (time is not None and plain_timestamp(time) is None)
        or len(source) > _CACHED_LENGTH
        or not _right_types(source, event.datacontenttype, event.dataschema)
    ):
        return None
    # A third of the time of a constructor that checks once more. Python lets the class of a value change where both
    # have the same fields.
    force_setattr(event, "data", data)
    force_setattr(event, "__class__", CloudEvent)
    return event  # type: ignore[return-value]


def are_extension_names(names: Collection[str]) -> bool:
    """Tell whether so many extensions can be, and each can have its name."""
    return len(names) <= MAX_EXTENSIONS and (
        _known_names.issuperset(names) or all(_is_extension_name(name) for name in names)
    )


def _is_extension_name(name: str) -> bool:
    if _extension_name_fault(name) is not None:
        return False
    if len(_known_names) < _MAX_KNOWN_NAMES:
        _known_names.add(name)
    return True


def _faults(event: CloudEvent) -> Iterator[Fault]:
    yield from _string_faults("id", event.id, required=True)
    yield from _string_faults("source", event.source, _source_fault, required=True)
    yield from _string_faults("type", event.type, required=True)
    yield from _string_faults("subject", event.subject)
    yield from _string_faults("time", event.time, timestamp_fault)
    yield from _string_faults("datacontenttype", event.datacontenttype, _media_type_fault)
    yield from _string_faults("dataschema", event.dataschema, _schema_fault)
    yield from _extension_faults(event.extensions)
    data: object = event.data
    if data is not None and not isinstance(data, bytes):
        yield Fault("data", "must be bytes")


def _string_faults(
    name: str, value: object, judge: Callable[[str], str | None] = string_fault, *, required: bool = False
) -> Iterator[Fault]:
    if value is None:
        if required:
            yield Fault(name, "is required")
    elif not isinstance(value, str):
        yield Fault(name, "must be a string")
    elif not value:
        yield Fault(name, "must not be empty")
    elif detail := judge(value):
        yield Fault(name, detail)


def _extension_faults(extensions: object) -> Iterator[Fault]:
    if not isinstance(extensions, dict):
        yield Fault("extensions", "must be a dict")
        return
    if len(extensions) > MAX_EXTENSIONS:
        yield Fault("extensions", f"are too many: at most {MAX_EXTENSIONS}")
        return
    for name, value in extensions.items():
        if not isinstance(name, str):
            yield Fault(str(name), "is no attribute name: it must be a string")
        elif detail := _extension_name_fault(name) or _value_fault(value):
            yield Fault(name, detail)


def _value_fault(value: object) -> str | None:
    if isinstance(value, str):
        return string_fault(value)
    if isinstance(value, bool | bytes):
        return None
    if isinstance(value, int):
        return None if value in _INT32 else "must be in the range of a signed 32-bit integer"
    return "must be a string, an integer, a boolean or bytes"
