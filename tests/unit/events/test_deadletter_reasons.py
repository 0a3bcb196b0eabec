"""What is read out of a dead letter as Knative's brokers and the local one write it."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from events import CloudEvent
from events.deadletters import problem_title, reason
from shared.problems import Problem

LONG = ("ein Fehler, größer " * 100).encode()


def letter(**extensions: Any) -> CloudEvent:
    return CloudEvent(id="1", source="/s", type="t", extensions={"orgid": "o", **extensions})


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (base64.b64encode(b"overloaded").decode(), "overloaded"),
        (base64.b64encode(b'{"type": "urn:hal9"}').decode(), '{"type": "urn:hal9"}'),
        (base64.b64encode(LONG).decode()[:1024], LONG[:768].decode("utf-8", "ignore")),
        ("no such thing", "no such thing"),
        ("because", "because"),
        ("overload", "overload"),
        (base64.b64encode(b"\xff\xfe\x00").decode(), base64.b64encode(b"\xff\xfe\x00").decode()),
        ("", ""),
        (None, ""),
    ],
)  # fmt: skip
def test_the_error_is_a_text_whoever_wrote_it(data: str | None, error: str) -> None:
    extensions = {} if data is None else {"knativeerrordata": data}
    assert reason(letter(**extensions))[3] == error


def test_the_event_is_as_it_was_sent() -> None:
    dead = letter(
        knativeerrordest="http://codegen.hal9.svc.cluster.local/events",
        knativeerrorcode=422,
        knativebrokerttl=250,
        knativearrivaltime="2026-01-01T00:00:00Z",
    )
    original, destination, code, _ = reason(dead)
    assert original == letter()
    assert (destination, code) == ("http://codegen.hal9.svc.cluster.local/events", 422)


def test_a_shared_secret_in_an_address_is_shown_to_nobody() -> None:
    failed = 'dispatch error: Post "http://codegen.hal9.svc/events?proof=s3cr3t": connection refused'
    dead = letter(
        knativeerrordest="http://codegen.hal9.svc/events?proof=s3cr3t",
        knativeerrordata=base64.b64encode(failed.encode()).decode(),
    )
    _, destination, _, error = reason(dead)
    assert destination == "http://codegen.hal9.svc/events"
    assert error == 'dispatch error: Post "http://codegen.hal9.svc/events?proof=…": connection refused'


@pytest.mark.parametrize(
    ("error", "title"),
    [
        (Problem("shard-full").encode().decode(), "A database has no space left"),
        (Problem("shard-full").encode().decode()[:70], None),
        (Problem("shard-full").encode().decode()[:120], "A database has no space left"),
        ('{"title": "of \\"this\\" kind", "x": 1}', 'of "this" kind'),
        ('{"title": "broken', None),
        ('{"title": 1}', None),
        ('a "title": "in a text"', None),
        ("", None),
    ],
)
def test_the_title_of_a_problem_is_found_even_where_it_is_cut_off(error: str, title: str | None) -> None:
    assert problem_title(error) == title
