"""CloudEvents 1.0.2 over HTTP, binary and structured content mode and the JSON event format both ways, batches in.

Promises: refuses what the specification refuses and names every fault in one `MalformedEvent`; keeps extensions that it
does not know, with their types (in binary mode all are strings: HTTP has no others); `data` comes out byte for byte as
it went in; bounded in size, attributes and nesting. It does not interpret `data`, and knows nothing of HAL9's own types
(see `events.catalogue`). What the specification leaves open is decided in docs/decisions/0004-events.md.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import quote

import msgspec

from events.cloudevent import (
    AttributeValue,
    CloudEvent,
    Fault,
    MalformedEvent,
    NotEmpty,
    Unchecked,
    are_extension_names,
    certified,
)
from events.layouts import Layouts
from shared import strictjson
from shared.strictjson import is_strict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

STRUCTURED: Final = "application/cloudevents+json"
"""Media type of one event in the JSON event format."""

BATCH: Final = "application/cloudevents-batch+json"
"""Media type of a JSON batch of events."""

MAX_EVENT_BYTES: Final = 8 << 20
"""An event's body is at most this long, unless the caller says otherwise: room for the files of a generated project."""

MAX_BATCH_BYTES: Final = 8 << 20
"""A batch's body is at most this long, unless the caller says otherwise."""

MAX_BATCH_EVENTS: Final = 1000
"""A batch has at most so many events."""

MAX_FAULTS: Final = 1000
"""When a batch has so many, the rest of it is not looked at."""

Header = tuple[bytes, bytes]
"""A header's name and value, as ASGI has them."""

_PREFIX: Final = b"ce-"
_NO_ATTRIBUTES: Final = (
    f"must be {STRUCTURED} for an event in the body, {BATCH} for several; or send the attributes as ce- headers"
)
_FORBIDDEN_HEADER: Final = "ce-datacontenttype"
_BINARY_TYPES: Final = frozenset({None, "application/json"})  # the usual ones, which need no look at the content mode
_CLOUDEVENTS: Final = "application/cloudevents"
_SAFE: Final = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"%')
_SAFE_BYTES: Final = _SAFE.encode()
_PRINTABLE_BUT_QUOTES: Final = bytes(code for code in range(0x20, 0x7F) if chr(code) not in '"\\')
_CLOSING: Final = b"}"[0]
_PERCENT: Final = re.compile(r"%(?:[0-9A-Fa-f]{2})?")
_PERCENT_RUN: Final = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
_QUOTED_STRING: Final = re.compile(r'"((?:[^"\\]|\\.)*)"')
_CHARSETS: Final = {"utf-8": "utf-8", "us-ascii": "ascii", "ascii": "ascii", "iso-8859-1": "latin-1"}
_ABSENT: Final = object()


class _OnlyData(msgspec.Struct):
    """Picks the member `data` out of an event as the bytes that were sent."""

    data: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_NO_DATA: Final = _OnlyData(msgspec.Raw(b"null"))
_data_of: Final = msgspec.json.Decoder(_OnlyData).decode
_data_of_each: Final = msgspec.json.Decoder(list[_OnlyData]).decode
_unchecked: Final = msgspec.json.Decoder(Unchecked).decode
_strings: Final = msgspec.json.Decoder(dict[str, NotEmpty]).decode
_encode: Final = msgspec.json.Encoder().encode


def decode(headers: Iterable[Header], body: bytes, *, max_bytes: int = MAX_EVENT_BYTES) -> CloudEvent:
    """Give the one event of an HTTP message in binary or structured mode.

    Args:
        headers: The message's headers, names in any case.
        body: The message's body.
        max_bytes: The longest body that is taken.

    Raises:
        MalformedEvent: It is no valid event, or a batch.
    """
    if len(body) > max_bytes:
        raise _too_large(body, max_bytes)
    headers = headers if type(headers) is list else list(headers)
    event = _from_usual(headers, body)
    if event is not None:
        return event
    mode = content_mode(headers)
    if mode == "binary":
        return _from_unusual(headers, body)
    if mode == "batch":
        raise MalformedEvent([Fault("content-type", f"must not be {BATCH}: a single event is wanted here")])
    return from_structured(body, max_bytes=max_bytes)


def decode_all(
    headers: Iterable[Header], body: bytes, *, max_bytes: int = MAX_BATCH_BYTES, whole_numbers: bool = False
) -> tuple[CloudEvent, ...]:
    """Give the events of an HTTP message in any mode: one, or those of a batch (which may be empty).

    Args:
        headers: The message's headers, names in any case.
        body: The message's body.
        max_bytes: The longest body that is taken.
        whole_numbers: Take `7.0` for the Integer 7 where the body holds attributes; `data` is as it was sent even so.

    Raises:
        MalformedEvent: At least one is no valid event; each fault says which.
    """
    headers = list(headers)
    mode = content_mode(headers)
    if mode == "batch":
        return from_batch(body, max_bytes=max_bytes, whole_numbers=whole_numbers)
    if mode == "structured":
        return (from_structured(body, max_bytes=max_bytes, whole_numbers=whole_numbers),)
    return (decode(headers, body, max_bytes=max_bytes),)


def content_mode(headers: Iterable[Header]) -> str:
    """Tell a message's content mode by its Content-Type: `binary`, `structured` or `batch`.

    Raises:
        MalformedEvent: It is a CloudEvents format that this codec has not, or its charset is not UTF-8.
    """
    value = next((value for name, value in headers if name.lower() == b"content-type"), None)
    return "binary" if value is None else _mode(value)


def from_binary(headers: Iterable[Header], body: bytes, *, max_bytes: int = MAX_EVENT_BYTES) -> CloudEvent:
    """Read an event in binary mode: attributes are `ce-` headers, the body is its data. An empty body is no data.

    Raises:
        MalformedEvent: It is no valid event.
    """
    if len(body) > max_bytes:
        raise _too_large(body, max_bytes)
    return _from_unusual(headers, body)


def _attribute_of(header: bytes) -> str:
    """Give the attribute that a header stands for, empty when it stands for none."""
    name = header.lower()
    if name[:3] == _PREFIX:
        # A `ce-datacontenttype` must not be there; its own name, which is none, keeps it from being taken for the real
        # one.
        return _FORBIDDEN_HEADER if name == b"ce-datacontenttype" else name[3:].decode("latin-1") or "ce-"
    return "datacontenttype" if name == b"content-type" else ""


_header_layouts: Final = Layouts(_attribute_of)


def _from_usual(headers: list[Header], body: bytes) -> CloudEvent | None:
    """Read the usual message in binary mode: nothing escaped, nothing twice, all printable; None when it is another."""
    if not headers:
        return None
    names, values = zip(*headers)  # noqa: B905 - pairs
    layout = _header_layouts[names]
    if layout is None or values[layout.version] != b"1.0":
        return None
    taken = layout.values(values)
    text = b"".join(taken)
    # A quote, a backslash, a percent sign, DEL: other control characters the decoder refuses.
    if 0x22 in text or 0x5C in text or 0x25 in text or 0x7F in text or not text.isascii():
        return None
    try:
        event = certified(_unchecked(layout.template % taken), body or None)
    except msgspec.DecodeError:
        return None
    if event is None:
        return None
    media_type = event.datacontenttype
    return event if media_type in _BINARY_TYPES or _mode(cast("str", media_type).encode()) == "binary" else None


@lru_cache(256)
def _mode(value: bytes) -> str:
    media_type, _, parameters = value.decode("latin-1").lower().partition(";")
    media_type = media_type.strip()
    if not media_type.startswith(_CLOUDEVENTS):
        return "binary"
    if media_type not in (STRUCTURED, BATCH):
        raise MalformedEvent(
            [Fault("content-type", f"names an event format that is not supported; {STRUCTURED} and {BATCH} are")]
        )
    if _parameter(parameters, "charset") not in (None, "utf-8"):
        raise MalformedEvent([Fault("content-type", "must not name another charset than utf-8")])
    return "batch" if media_type == BATCH else "structured"


def _from_unusual(headers: Iterable[Header], body: bytes) -> CloudEvent:
    """Decode header by header, naming what is wrong with each."""
    attributes: dict[str, Any] = {}
    faults: list[Fault] = []
    for name, value in headers:
        attribute = _attribute_of(name)
        if not attribute:
            continue
        if attribute == _FORBIDDEN_HEADER:
            faults.append(Fault(_FORBIDDEN_HEADER, "must not be a header: Content-Type says it"))
        elif attribute in attributes:
            faults.append(Fault(attribute, "stands in more than one header"))
        else:
            attributes[attribute] = _header_text(attribute, value, faults)
    media_type = attributes.get("datacontenttype")
    if len(attributes) == 1 and media_type is not None and is_json(media_type):
        raise MalformedEvent([Fault("content-type", _NO_ATTRIBUTES)])
    return _event(attributes, body or None, faults)


def _header_text(attribute: str, value: bytes, faults: list[Fault]) -> str | None:
    try:
        text = value.decode("ascii")
    except UnicodeDecodeError:
        faults.append(Fault(attribute, "must be percent-encoded: the header has bytes that are not ASCII"))
        return None
    if attribute == "datacontenttype" or ("%" not in text and '"' not in text):
        return text
    try:
        return _percent_decoded(_unquoted(text))
    except ValueError as error:
        faults.append(Fault(attribute, str(error)))
        return None


def _unquoted(text: str) -> str:
    """Take away double quotes and the backslash escapes within (RFC 7230, section 3.2.6)."""
    if '"' not in text:
        return text
    if '"' in _QUOTED_STRING.sub("", text):
        raise ValueError("has a double quote that is not closed")
    return _QUOTED_STRING.sub(lambda quoted: re.sub(r"\\(.)", r"\1", quoted[1]), text)


def _percent_decoded(text: str) -> str:
    """Undo one round of percent-encoding; refuses what is no UTF-8 and a percent sign that begins no escape."""
    if any(len(escape) != 3 for escape in _PERCENT.findall(text)):
        raise ValueError("has a percent sign that is not followed by two hexadecimal digits")
    try:
        return _PERCENT_RUN.sub(lambda run: bytes.fromhex(run[0].replace("%", "")).decode("utf-8"), text)
    except UnicodeDecodeError:
        raise ValueError("is percent-encoded, but not as valid UTF-8") from None


def from_structured(body: bytes, *, max_bytes: int = MAX_EVENT_BYTES, whole_numbers: bool = False) -> CloudEvent:
    """Read an event in the JSON event format. See `decode_all`.

    Raises:
        MalformedEvent: It is no valid event.
    """
    if len(body) > max_bytes:
        raise _too_large(body, max_bytes)
    return _from_usual_text(body) or _from_unusual_text(body, whole_numbers=whole_numbers)


def _from_unusual_text(body: bytes, *, whole_numbers: bool = False) -> CloudEvent:
    """Decode member by member, naming what is wrong with each."""
    members = _json(body, strictjson.MAX_NESTING + 1)
    if type(members) is not dict:
        raise MalformedEvent([Fault("body", "must be a JSON object")])
    return _event_of_members(members, partial(_data_of, body), whole_numbers=whole_numbers)


def _from_usual_text(body: bytes) -> CloudEvent | None:
    """Read the usual event in the JSON event format; None when it is another, or when anything is doubtful.

    Usual: attributes that are strings of printable ASCII without a backslash, then JSON `data` as the last member, if
    there is any. A `,"data":` is that member's name if what stands before it is an object of strings. Each member that
    the decoder kept has four quotes there; when nothing is left beside those, no name stood twice and all is printable.
    """
    head, separator, rest = body.partition(b',"data":')
    if separator:
        head += b"}"
    try:
        members = _strings(head)
        if len(head.translate(None, _PRINTABLE_BUT_QUOTES)) != 4 * len(members):
            return None
        take = members.pop
        media_type = take("datacontenttype", None)
        data = None
        if separator:
            data = rest[:-1]
            if media_type is None:
                media_type = "application/json"
            if body[-1] != _CLOSING or not is_json(media_type) or not is_strict(data):
                return None
        version = take("specversion")
        event = Unchecked(
            take("id"), take("source"), take("type"), take("subject", None), take("time", None), media_type,
            take("dataschema", None), members,
        )  # fmt: skip
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError):
        return None
    return certified(event, data) if version == "1.0" and are_extension_names(members) else None


def from_batch(body: bytes, *, max_bytes: int = MAX_BATCH_BYTES, whole_numbers: bool = False) -> tuple[CloudEvent, ...]:
    """Read a JSON batch; it may be empty. See `decode_all`.

    Raises:
        MalformedEvent: At least one is no valid event; each fault of each says which, up to `MAX_FAULTS` and a few.
    """
    if len(body) > max_bytes:
        raise _too_large(body, max_bytes)
    batch = _json(body, strictjson.MAX_NESTING + 2)
    if type(batch) is not list:
        raise MalformedEvent([Fault("body", "must be a JSON array")])
    if len(batch) > MAX_BATCH_EVENTS:
        raise MalformedEvent([Fault("body", f"has more than {MAX_BATCH_EVENTS} events")], too_large=True)
    events: list[CloudEvent] = []
    faults: list[Fault] = []
    for index, (members, raw) in enumerate(zip(batch, _picked(batch, body), strict=True)):
        if len(faults) >= MAX_FAULTS:
            break
        if type(members) is not dict:
            faults.append(Fault("body", "must be a JSON object", index))
            continue
        try:
            events.append(_event_of_members(members, partial(_itself, raw), whole_numbers=whole_numbers))
        except MalformedEvent as error:
            faults.extend(replace(fault, index=index) for fault in error.faults)
    if faults:
        raise MalformedEvent(faults)
    return tuple(events)


def _picked(batch: list[Any], body: bytes) -> list[_OnlyData]:
    """Pick `data` out of each event; of a batch that holds anything but objects, which is refused anyway, nothing."""
    if any(type(members) is not dict for members in batch):
        return [_NO_DATA] * len(batch)
    return _data_of_each(body)


def _too_large(body: bytes, max_bytes: int) -> MalformedEvent:
    detail = f"is too large: {len(body)} bytes, at most {max_bytes} are taken"
    return MalformedEvent([Fault("body", detail)], too_large=True)


def _json(body: bytes, max_nesting: int) -> Any:
    try:
        return strictjson.read(body, max_nesting=max_nesting)
    except strictjson.NotStrictJson as error:
        raise MalformedEvent([Fault("body", str(error))]) from None


def _event_of_members(
    members: dict[str, Any], picked: Callable[[], _OnlyData], *, whole_numbers: bool = False
) -> CloudEvent:
    faults: list[Fault] = []
    data: bytes | None = None
    value = members.pop("data", _ABSENT)
    encoded = members.pop("data_base64", None)
    attributes = (
        {name: value for name, value in members.items() if value is not None} if None in members.values() else members
    )
    if value is not _ABSENT and encoded is not None:
        faults.append(Fault("data_base64", "must not stand beside data"))
    elif encoded is not None:
        data = _from_base64(encoded, faults)
    elif value is not _ABSENT:
        media_type = attributes.setdefault("datacontenttype", "application/json")
        if type(media_type) is not str or is_json(media_type):
            data = bytes(cast("msgspec.Raw", picked().data))
        else:
            data = _from_text(value, media_type, faults)
    if whole_numbers:
        attributes = {name: _whole(value) for name, value in attributes.items()}
    return _event(attributes, data, faults)


def _whole(value: object) -> object:
    return int(value) if type(value) is float and value.is_integer() else value


def _itself(picked: _OnlyData) -> _OnlyData:
    return picked


def _from_base64(encoded: object, faults: list[Fault]) -> bytes | None:
    """Decode RFC 4648 base64 in its one canonical form: padded, no white space, no stray bits."""
    if isinstance(encoded, str):
        try:
            text = encoded.encode("ascii")
            data = binascii.a2b_base64(text, strict_mode=True) if text else b""
            if binascii.b2a_base64(data, newline=False) == text:
                return data
        except (UnicodeEncodeError, binascii.Error):
            pass
    faults.append(Fault("data_base64", "must be base64 text (RFC 4648), padded, without white space"))
    return None


def _from_text(data: object, media_type: str, faults: list[Fault]) -> bytes | None:
    """Encode the string of a payload that is not JSON as its media type says."""
    charset = _charset(media_type)
    if not isinstance(data, str):
        faults.append(Fault("data", f"must be a string: {media_type[:100]} is not JSON"))
    elif charset is None:
        faults.append(Fault("data", "cannot be encoded in that charset; send data_base64"))
    else:
        try:
            return data.encode(charset)
        except UnicodeEncodeError:
            faults.append(Fault("data", f"has characters that its charset {charset} has not"))
    return None


def _event(attributes: dict[str, Any], data: bytes | None, faults: list[Fault]) -> CloudEvent:
    """Make the event, or refuse it with the faults found so far and its own."""
    take = attributes.pop
    version = take("specversion", None)
    if version != "1.0":
        faults = [Fault("specversion", "is required" if version is None else 'must be "1.0"'), *faults]
    try:
        event = CloudEvent(
            id=take("id", None),
            source=take("source", None),
            type=take("type", None),
            subject=take("subject", None),
            time=take("time", None),
            datacontenttype=take("datacontenttype", None),
            dataschema=take("dataschema", None),
            extensions={name: value for name, value in attributes.items() if value is not None}
            if faults
            else attributes,
            data=data,
        )
    except MalformedEvent as error:
        told = {fault.attribute for fault in faults}
        faults = [*faults, *(fault for fault in error.faults if fault.attribute not in told)]
    if faults:
        raise MalformedEvent(faults)
    return event


class _HeaderNames(dict[tuple[Any, ...], list[bytes]]):
    """The names of the headers for a sequence of attributes, made at their first use and remembered within bounds."""

    def __missing__(self, key: tuple[Any, ...]) -> list[bytes]:
        optional = zip(("subject", "time", "dataschema"), key, strict=False)
        attributes = ["specversion", "id", "source", "type", *(name for name, there in optional if there), *key[3:]]
        names = [_PREFIX + attribute.encode() for attribute in attributes]
        if len(self) >= _MOST_NAMES:
            self.clear()
        self[key] = names
        return names


_MOST_NAMES: Final = 512
_header_names: Final = _HeaderNames()


def to_binary(event: CloudEvent) -> tuple[list[Header], bytes]:
    """Write an event in binary mode: headers (names in lower case) and body."""
    subject, time, schema, extensions = event.subject, event.time, event.dataschema, event.extensions
    texts: list[Any] = ["1.0", event.id, event.source, event.type]
    texts += [value for value in (subject, time, schema) if value is not None]
    texts += extensions.values()
    names = _header_names[subject is not None, time is not None, schema is not None, *extensions]
    try:
        joined = "\n".join(texts).encode()
        plain = joined.translate(None, _SAFE_BYTES) == b"\n" * (len(texts) - 1)
    except TypeError:  # a value that is no string
        plain = False
    # The usual event in one go: nothing to escape. No value has a line feed in it: that is a control character.
    headers = list(zip(names, joined.split(b"\n") if plain else map(_header_value, texts)))  # noqa: B905 - one value for each name
    if event.datacontenttype is not None:
        headers.append((b"content-type", event.datacontenttype.encode()))
    return headers, event.data or b""


def _header_value(value: AttributeValue) -> bytes:
    return quote(canonical_text(value), safe=_SAFE).encode()


def canonical_text(value: AttributeValue) -> str:
    """Write an attribute's value in the canonical string encoding of its type (specification, "Type System")."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return str(value)


def to_structured(event: CloudEvent) -> bytes:
    """Write an event in the JSON event format.

    Data stands in `data` when it is JSON (or text in a charset known here) and its media type says so; all else in
    `data_base64`.
    """
    return _encode(_members(event))


def _members(event: CloudEvent) -> dict[str, Any]:
    members: dict[str, Any] = event.attributes()
    data = event.data
    if data is None:
        return members
    media_type = event.datacontenttype
    if media_type is not None and is_json(media_type):
        if is_strict(data):
            members["data"] = msgspec.Raw(data)
            return members
    elif media_type is not None and (text := _text_of(data, media_type)) is not None:
        members["data"] = text
        return members
    members["data_base64"] = data
    return members


def _text_of(data: bytes, media_type: str) -> str | None:
    """Give the payload as text when it is of a textual type and comes back as the same bytes, else None."""
    charset = _charset(media_type) if _is_text(media_type) else None
    try:
        return None if charset is None else data.decode(charset)
    except UnicodeDecodeError:
        return None


@lru_cache(256)
def is_json(media_type: str) -> bool:
    """Tell whether a media type declares JSON: its subtype is `json` or ends in `+json`."""
    subtype = media_type.partition(";")[0].strip().lower().rpartition("/")[2]
    return subtype == "json" or subtype.endswith("+json")


@lru_cache(256)
def _is_text(media_type: str) -> bool:
    kind, _, subtype = media_type.partition(";")[0].strip().lower().partition("/")
    return kind == "text" or subtype == "xml" or subtype.endswith("+xml")


@lru_cache(256)
def _charset(media_type: str) -> str | None:
    """Name Python's codec for a media type's charset (UTF-8 when it has none), None when it is not known here."""
    return _CHARSETS.get(_parameter(media_type.partition(";")[2], "charset") or "utf-8")


def _parameter(parameters: str, name: str) -> str | None:
    for parameter in parameters.split(";"):
        key, equals, value = parameter.partition("=")
        if equals and key.strip().lower() == name:
            return value.strip().strip('"').lower()
    return None
