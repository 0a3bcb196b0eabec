"""The codec's round trips, on every event that can be made; hostile bytes; and the CloudEvents SDK as an oracle.

Where the SDK (cloudevents 1.12, core of functions-framework) is wrong, `WRONG_IN_SDK` says so, and a test proves each.
"""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from cloudevents import exceptions as sdk_exceptions
from cloudevents.conversion import to_binary as sdk_to_binary
from cloudevents.conversion import to_structured as sdk_to_structured
from cloudevents.http import CloudEvent as SdkEvent
from cloudevents.http import from_http as sdk_from_http
from hypothesis import given, settings
from hypothesis import strategies as st

from events import CloudEvent, MalformedEvent, codec

_NONCHARACTERS = [chr(plane << 16 | low) for plane in range(17) for low in (0xFFFE, 0xFFFF)]
CHARACTERS = st.characters(
    blacklist_categories=["Cs", "Cc"], blacklist_characters=[*_NONCHARACTERS, *map(chr, range(0xFDD0, 0xFDF0))]
)
TEXTS = st.text(CHARACTERS, min_size=1, max_size=30)
NAMES = st.from_regex(r"[a-z0-9]{1,20}", fullmatch=True).filter(
    lambda name: name not in {"specversion", "id", "source", "type", "subject", "time", "data"} and "data" not in name
)
VALUES = st.one_of(st.text(CHARACTERS, max_size=30), st.booleans(), st.integers(-(2**31), 2**31 - 1))
SOURCES = st.sampled_from(["/a", "urn:x:y", "http://h:1/p?q#f", "a%20b", "//[::1]/x", "."])
TIMES = st.none() | st.datetimes(timezones=st.just(__import__("datetime").UTC)).map(
    lambda moment: moment.isoformat().replace("+00:00", "Z")
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(CHARACTERS),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(CHARACTERS, max_size=5), inner, max_size=4),
    max_leaves=10,
)
WRITTEN_JSON = st.tuples(JSON, st.booleans()).map(lambda pair: json.dumps(pair[0], ensure_ascii=pair[1]).encode())
PAYLOADS = st.one_of(
    st.just((None, None)),
    st.tuples(st.just("application/json"), WRITTEN_JSON | st.binary(max_size=40)),
    st.tuples(
        st.sampled_from(["text/plain", "text/plain; charset=iso-8859-1", "application/xml"]), st.binary(max_size=40)
    ),
    st.tuples(st.sampled_from([None, "application/octet-stream"]), st.binary(max_size=40)),
)


@st.composite
def events(draw: st.DrawFn) -> CloudEvent:
    media_type, data = draw(PAYLOADS)
    return CloudEvent(
        id=draw(TEXTS),
        source=draw(SOURCES),
        type=draw(TEXTS),
        subject=draw(st.none() | TEXTS),
        time=draw(TIMES),
        datacontenttype=media_type,
        dataschema=draw(st.none() | st.sampled_from(["http://h/s", "urn:s:1"])),
        extensions=draw(st.dictionaries(NAMES, VALUES, max_size=5)),
        data=data,
    )


def _as_sent_by_header(event: CloudEvent) -> CloudEvent:
    """Binary mode knows strings only, and an empty body is no data."""
    texts: dict[str, Any] = {name: codec.canonical_text(value) for name, value in event.extensions.items()}
    return event.replace(extensions=texts, data=event.data or None)


@settings(max_examples=200)
@given(events())
def test_binary_mode_round_trips(event: CloudEvent) -> None:
    headers, body = codec.to_binary(event)
    assert all(value.isascii() and b"\n" not in value and b"\r" not in value for _, value in headers)
    assert codec.decode(headers, body) == _as_sent_by_header(event)
    assert codec.to_binary(codec.decode(headers, body)) == (headers, body)


@settings(max_examples=200)
@given(events())
def test_structured_mode_round_trips(event: CloudEvent) -> None:
    body = codec.to_structured(event)
    json.loads(body)
    assert codec.from_structured(body) == event
    assert codec.to_structured(codec.from_structured(body)) == body


@settings(max_examples=50)
@given(st.lists(events(), max_size=5))
def test_batches_round_trip(batch: list[CloudEvent]) -> None:
    assert codec.from_batch(codec.to_batch(batch)) == tuple(batch)


@settings(max_examples=200)
@given(events(), st.booleans())
def test_white_space_and_the_order_of_members_change_nothing(event: CloudEvent, ascii_only: bool) -> None:
    members = json.loads(codec.to_structured(event))
    shuffled = json.dumps(dict(reversed(members.items())), indent=1, ensure_ascii=ascii_only).encode()
    again = codec.from_structured(shuffled)
    assert again.replace(data=None) == event.replace(data=None)


@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_any_bytes_are_an_event_or_refused(body: bytes) -> None:
    for content_type in (b"application/cloudevents+json", b"application/cloudevents-batch+json", b"application/json"):
        with contextlib.suppress(MalformedEvent):
            codec.decode_all([(b"content-type", content_type)], body)


@settings(max_examples=300)
@given(
    st.dictionaries(
        st.text(max_size=8) | st.sampled_from(["id", "source", "type", "time", "data", "data_base64"]), JSON, max_size=8
    )
)
def test_any_json_object_is_an_event_or_refused(members: dict[str, Any]) -> None:
    body = json.dumps({"specversion": "1.0", "id": "1", "source": "/", "type": "t", **members}).encode()
    try:
        event = codec.from_structured(body)
    except MalformedEvent:
        return
    assert codec.from_structured(codec.to_structured(event)) == event


@settings(max_examples=300)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([b"ce-id", b"ce-type", b"ce-source", b"ce-time", b"ce-x", b"Content-Type"]),
            st.binary(max_size=20),
        ),
        max_size=8,
    )
)
def test_any_headers_are_an_event_or_refused(headers: list[tuple[bytes, bytes]]) -> None:
    try:
        event = codec.from_binary([(b"ce-specversion", b"1.0"), *headers], b"")
    except MalformedEvent:
        return
    assert codec.decode(*codec.to_binary(event)) == event


@settings(max_examples=200)
@given(st.text(CHARACTERS, max_size=40))
def test_the_fast_path_and_the_thorough_one_agree(text: str) -> None:
    """An odd extension beside the text sends the same attributes through the thorough checks."""
    fast = codec.from_structured(
        json.dumps({"specversion": "1.0", "id": "1", "source": "/", "type": "t", "x": text}).encode()
    )
    slow = codec.from_structured(
        json.dumps({"specversion": "1.0", "id": "1", "source": "/", "type": "t", "x": text, "y": 1}).encode()
    )
    assert fast == slow.with_extensions(y=None)


# The SDK as an oracle, where it is right: JSON data, printable ASCII in attributes, strings in extensions.

ASCII = st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0x7E, blacklist_characters='%"'), min_size=1, max_size=20
)


@st.composite
def plain_events(draw: st.DrawFn) -> CloudEvent:
    return CloudEvent(
        id=draw(ASCII),
        source=draw(SOURCES.filter(lambda source: "%" not in source)),
        type=draw(ASCII),
        subject=draw(st.none() | ASCII),
        time=draw(TIMES),
        datacontenttype="application/json",
        extensions=draw(st.dictionaries(NAMES, ASCII, max_size=4)),
        data=json.dumps(
            draw(st.dictionaries(st.text(CHARACTERS, max_size=5), st.integers(-9, 9), min_size=1, max_size=3))
        ).encode(),
    )


def _same(ours: CloudEvent, theirs: SdkEvent) -> None:
    attributes = {name: value for name, value in theirs.get_attributes().items() if value is not None}
    if ours.time is None:
        attributes.pop("time", None)  # the SDK makes one up
    assert attributes == ours.attributes()
    assert theirs.data == json.loads(ours.data or b"null")


@settings(max_examples=100)
@given(plain_events())
def test_the_sdk_reads_what_we_write(event: CloudEvent) -> None:
    headers, body = codec.to_binary(event)
    _same(event, sdk_from_http({name.decode(): value.decode() for name, value in headers}, body))
    structured = {"content-type": "application/cloudevents+json"}
    _same(event, sdk_from_http(structured, codec.to_structured(event)))


@settings(max_examples=100)
@given(plain_events())
def test_we_read_what_the_sdk_writes(event: CloudEvent) -> None:
    attributes: dict[str, Any] = {"time": None, **event.attributes()}
    theirs = SdkEvent(attributes, json.loads(event.data or b"null"))
    for write in (sdk_to_binary, sdk_to_structured):
        headers, body = write(theirs)
        ours = codec.decode(
            [(name.encode(), str(value).encode()) for name, value in headers.items() if value is not None], body
        )
        assert ours.attributes() == event.attributes()
        assert json.loads(ours.data or b"null") == json.loads(event.data or b"null")


# Where the SDK is wrong.

GOOD = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/s", "ce-type": "t"}
JSON_TYPE = {"content-type": "application/cloudevents+json"}


def _sdk_takes(headers: dict[str, str], body: bytes) -> bool:
    try:
        sdk_from_http(headers, body)
    except (sdk_exceptions.GenericException, ValueError):
        return False
    return True


def _we_take(headers: dict[str, str], body: bytes) -> bool:
    try:
        codec.decode([(name.encode(), value.encode("latin-1")) for name, value in headers.items()], body)
    except MalformedEvent:
        return False
    return True


def _text(**members: Any) -> bytes:
    return json.dumps({"specversion": "1.0", "id": "1", "source": "/s", "type": "t", **members}).encode()


WRONG_IN_SDK: dict[str, tuple[dict[str, str], bytes]] = {
    "an empty id": (JSON_TYPE, _text(id="")),
    "an id that is no string": (JSON_TYPE, _text(id=5)),
    "a source that is no URI-reference": (JSON_TYPE, _text(source="a b")),
    "a time that is no timestamp": (JSON_TYPE, _text(time="yesterday")),
    "a dataschema that is no URI": (JSON_TYPE, _text(dataschema="not absolute")),
    "a datacontenttype that is no media type": (JSON_TYPE, _text(datacontenttype="json")),
    "an attribute name in upper case": (JSON_TYPE, _text(Foo="x")),
    "a fraction as an extension": (JSON_TYPE, _text(ext=1.5)),
    "an object as an extension": (JSON_TYPE, _text(ext={})),
    "an integer beyond 32 bits": (JSON_TYPE, _text(ext=2**40)),
    "control characters": (JSON_TYPE, _text(ext="a\nb")),
    "data and data_base64 at once": (JSON_TYPE, _text(data=1, data_base64="AA==")),
    "base64 with stray bits": (JSON_TYPE, _text(data_base64="AB==")),
    "a name twice": (JSON_TYPE, b'{"specversion":"1.0","id":"1","id":"2","source":"/s","type":"t"}'),
    "NaN": (JSON_TYPE, b'{"specversion":"1.0","id":"1","source":"/s","type":"t","data":NaN}'),
    "UTF-16": (JSON_TYPE, _text().decode().encode("utf-16")),
    "a batch, taken for a structured event": ({"content-type": "application/cloudevents-batch+json"}, _text()),
    "a percent sign that escapes nothing": ({**GOOD, "ce-subject": "%zz"}, b""),
    "ce-datacontenttype beside Content-Type": (
        {**GOOD, "ce-datacontenttype": "text/plain", "content-type": "a/b"},
        b"",
    ),
    "an empty subject": ({**GOOD, "ce-subject": ""}, b""),
}


@pytest.mark.parametrize("fault", WRONG_IN_SDK)
def test_the_sdk_takes_what_the_specification_refuses(fault: str) -> None:
    headers, body = WRONG_IN_SDK[fault]
    assert _sdk_takes(headers, body)
    assert not _we_take(headers, body)


def test_the_sdk_does_not_percent_encode() -> None:
    headers, _ = sdk_to_binary(SdkEvent({"source": "/s", "type": "t", "subject": "a b €"}, {}))
    assert headers["ce-subject"] == "a b €"
    assert sdk_from_http({**GOOD, "ce-subject": "a%20b"}, b"{}")["subject"] == "a%20b"
    assert (
        codec.decode([(k.encode(), v.encode()) for k, v in {**GOOD, "ce-subject": "a%20b"}.items()], b"").subject
        == "a b"
    )


def test_the_sdk_makes_up_a_time() -> None:
    assert sdk_from_http(GOOD, b"{}")["time"] is not None
    assert codec.decode([(k.encode(), v.encode()) for k, v in GOOD.items()], b"{}").time is None


def test_the_sdk_does_not_keep_the_bytes_of_json_data() -> None:
    body = b'{"a": 1.10}'
    sdk = sdk_from_http({**GOOD, "content-type": "application/json"}, body)
    assert sdk_to_binary(sdk)[1] != body
