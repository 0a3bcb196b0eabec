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
from shared import strictjson

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
    assert codec.from_batch(b"[" + b",".join(map(codec.to_structured, batch)) + b"]") == tuple(batch)


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


# The fast paths: each gives what the thorough path gives, or stands aside for it.


def _agree(usual: Any, unusual: Any, *message: Any) -> None:
    """What the fast path makes of a message, if anything, the thorough path makes too."""
    fast = None
    with contextlib.suppress(MalformedEvent):
        fast = usual(*message)
    if fast is not None:
        assert fast == unusual(*message)
        assert type(fast) is CloudEvent
        assert fast.replace() == fast  # its attributes pass the constructor


def _agree_on_text(body: bytes) -> None:
    _agree(codec._from_usual_text, codec._from_unusual_text, body)


def _agree_on_headers(headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    def thoroughly(headers: list[tuple[bytes, bytes]], body: bytes) -> CloudEvent:
        assert codec.content_mode(headers) == "binary"
        return codec._from_unusual(headers, body)

    _agree(codec._from_usual, thoroughly, headers, body)


MEMBERS = st.sampled_from(
    ["specversion", "id", "source", "type", "subject", "time", "datacontenttype", "dataschema", "data", "data_base64"]
) | st.sampled_from(["x", "orgid", "X", "", "a-b", "\\u0069d", "x" * 65])
WRITTEN = st.one_of(
    st.sampled_from(
        ['"1.0"', '"1"', '"/s"', '"t"', '""', "1", "null", "true", '"2026-01-02T03:04:05Z"', '"2026-02-30T03:04:05Z"']
    ),
    st.sampled_from(
        ['"application/json"', '"text/plain"', '"a b"', '"\\n"', '"\\u0022"', '"\\ud800"', '"é"', '"\x7f"']
    ),
    st.sampled_from(['{"a":1}', '{"a":1,"a":2}', '{"a":{"b":1,"b":2}}', '{"a":[],"b":"\\u0022\\u0022","a":0}', "[[]]"]),
    st.sampled_from(['{"a": "x:y", "b": 1e999}', '"a\\"b"', "[{}", "NaN", "1}", '{"data":1}', '" ,\\"data\\":"']),
    JSON.map(json.dumps),
)
SPACE = st.sampled_from(["", "", "", " ", "\n"])


@st.composite
def written_members(draw: st.DrawFn) -> bytes:
    """The text of an event whose members may be wrong, twice, missing, or in any order."""
    needed = ['"specversion":"1.0"', '"id":"1"', '"source":"/s"', '"type":"t"']
    members = draw(st.lists(st.tuples(MEMBERS, SPACE, WRITTEN), max_size=4))
    odd = [f'"{name}"{space}:{space}{value}' for name, space, value in members]
    kept = draw(st.sampled_from([needed, needed, needed[1:], [*needed, needed[1]]]))
    written = kept + odd if draw(st.booleans()) else draw(st.permutations(kept + odd))
    return ("{" + (draw(SPACE) + ",").join(written) + "}" + draw(SPACE)).encode()


@settings(max_examples=600)
@given(written_members())
def test_the_fast_way_to_read_text_takes_nothing_else(body: bytes) -> None:
    _agree_on_text(body)


PLACES = st.lists(st.tuples(st.integers(0, 10_000), st.sampled_from(["flip", "cut", "double", "drop"])), max_size=3)


def _mutated(places: list[tuple[int, str]], body: bytes) -> bytes:
    for place, kind in places:
        at = place % max(len(body), 1)
        middle = {"flip": bytes([body[at] ^ 1 << place % 8]) if body else b"", "cut": b"", "double": body[at:] * 2}
        body = body[:at] + middle.get(kind, b"") + (b"" if kind == "double" else body[at + 1 + 20 * (kind == "drop") :])
    return body


@settings(max_examples=600)
@given(events(), PLACES)
def test_the_fast_way_to_read_text_takes_nothing_else_of_mutated_events(event: CloudEvent, places: Any) -> None:
    _agree_on_text(_mutated(places, codec.to_structured(event)))


@settings(max_examples=600)
@given(events(), PLACES, st.integers(0, 30), st.booleans())
def test_the_fast_way_to_read_headers_takes_nothing_else(
    event: CloudEvent, places: Any, which: int, twice: bool
) -> None:
    headers, body = codec.to_binary(event)
    name, value = headers[which % len(headers)]
    headers[which % len(headers)] = (name, _mutated(places, value))
    if twice:
        headers.append(headers[places[0][0] % len(headers)] if places else headers[0])
    _agree_on_headers(headers, body)


USUAL = CloudEvent(
    id="1",
    source="/s",
    type="t",
    subject="s",
    time="2026-01-02T03:04:05.678901Z",
    datacontenttype="application/json",
    dataschema="urn:s:1",
    extensions={"orgid": "o", "x": "y"},
    data=b'{"a": 1, "b": [{"a":"\\"x: y\\\\"}], "c": null}',
)


def test_every_flipped_bit_and_every_lost_byte_of_the_usual_event_is_read_alike() -> None:
    body = codec.to_structured(USUAL)
    assert codec._from_usual_text(body) == USUAL
    taken = 0
    for at in range(len(body)):
        for other in (*(bytes([body[at] ^ 1 << bit]) for bit in range(8)), b"", b'"', b"\\", b" ", b",", b"}", b"]"):
            changed = body[:at] + other + body[at + 1 :]
            _agree_on_text(changed)
            taken += codec._from_usual_text(changed) is not None
    assert taken > 100


def test_every_flipped_bit_and_every_foreign_character_of_the_usual_headers_is_read_alike() -> None:
    headers, content = codec.to_binary(USUAL)
    assert codec._from_usual(headers, content) == USUAL
    for which, (name, value) in enumerate(headers):
        for at in range(len(value) + 1):
            flipped = [bytes([value[at] ^ 1 << bit]) for bit in range(8)] if at < len(value) else []
            for other in (*flipped, b"", b'"', b"\\", b"%", b'","', b'",null,"', b'","q":"'):
                wrong = (name, value[:at] + other + value[at + 1 :])
                _agree_on_headers([*headers[:which], wrong, *headers[which + 1 :]], content)


@pytest.mark.parametrize(
    "text",
    [
        b'{"a":1,"a":2}',
        b'{"a":{"b":1,"b":2}}',
        b'{"a":"\\u0022\\u0022","b":1,"a":2}',
        b'{"a":":","a":1}',
        b'[{"a":1},{"a":1,"a":1}]',
        b'{"\\u0061":1,"a":2}',
        b'{"a":1,"b":2,"b":"\\\\u0022"}',
    ],
)
def test_a_name_twice_in_the_data_is_found_however_it_is_written(text: bytes) -> None:
    with pytest.raises(strictjson.NotStrictJson, match="twice"):
        strictjson.read(text)
    assert not strictjson.is_strict(text)
    body = b'{"specversion":"1.0","id":"1","source":"/s","type":"t","data":' + text + b"}"
    with pytest.raises(MalformedEvent, match="twice"):
        codec.from_structured(body)


@settings(max_examples=300)
@given(JSON, SPACE, SPACE, st.booleans())
def test_strict_json_is_what_both_readers_take(value: Any, before: str, after: str, ascii_only: bool) -> None:
    text = (before + json.dumps(value, ensure_ascii=ascii_only) + after).encode()
    assert strictjson.is_strict(text) == (not before + after)
    assert strictjson.read(text) == json.loads(text)


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
