"""`hal9 runs` against a whole platform, with a customer's own process that the runtime has never heard of."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.platform_fixture import Platform


def runs(platform: Platform, *arguments: str, status: int = 0) -> Any:
    """Run `hal9 runs … --json` and read what it prints."""
    done = platform.hal9("runs", *arguments, "--json", check=False)
    assert done.returncode == status, done.stdout + done.stderr + platform.logs()
    return done.stdout


def test_a_new_kind_of_run_needs_only_its_description_and_its_bodies(tallying: Platform) -> None:
    lines = runs(tallying, "start", "tally", "--input", '{"lines": ["one two", "three"]}', "--watch").splitlines()
    events = [json.loads(line) for line in lines]
    assert (events[0]["type"], events[-1]["type"]) == ("run.started", "run.completed")
    assert [event["sequence"] for event in events] == list(range(1, len(events) + 1))
    listed, *_ = json.loads(runs(tallying, "list", "--process", "tally", "--state", "completed"))["runs"]
    shown = json.loads(runs(tallying, "show", listed["id"]))
    assert (shown["state"], shown["output"]["letters"], len(shown["tree"])) == ("completed", 11, 6)
    replayed = [json.loads(line) for line in runs(tallying, "replay", listed["id"], "--watch").splitlines()]
    assert replayed[0]["data"] == {"process": "tally", "replay_of": listed["id"]}
    assert replayed[-1]["type"] == "run.completed"


def test_the_tree_is_drawn_for_people(tallying: Platform) -> None:
    started = tallying.hal9("runs", "start", "tally", "--input", '{"lines": ["fail [red]"]}', "--watch", check=False)
    assert started.returncode == 1
    assert "/line0/word0  ✗ counter failed" in started.stdout
    assert "(uncountable: /line0/word0: this word cannot be counted)" in started.stdout
    run_id = json.loads(runs(tallying, "list", "--limit", "1"))["runs"][0]["id"]
    assert run_id in tallying.hal9("runs", "list").stdout
    shown = tallying.hal9("runs", "show", run_id).stdout
    assert "✗ chief  failed" in shown
    assert "✗ counter word0  failed" in shown
    assert "watch" in tallying.hal9("runs", "start", "tally", "--input", '{"lines": []}').stdout


def test_what_cannot_be_done_is_said(tallying: Platform) -> None:
    unknown = "01900000-0000-7000-8000-000000000000"
    for arguments in (("show", unknown), ("cancel", unknown), ("replay", unknown), ("watch", unknown)):
        problem = json.loads(runs(tallying, *arguments, status=1))["problem"]
        assert (problem["status"], problem["type"], problem["detail"]) == (
            404, "urn:hal9:problem:not-found", "There is no such run.",
        )  # fmt: skip
    refused = json.loads(runs(tallying, "start", "nope", status=1))["problem"]
    assert (refused["type"], "tally" in refused["processes"]) == ("urn:hal9:problem:process-unknown", True)
    faulty = tallying.hal9("runs", "start", "tally", "--input", '{"lines": [1]}', check=False)
    assert (faulty.returncode, "/lines/0" in faulty.stderr) == (1, True)
    assert tallying.hal9("runs", "start", "tally", "--input", "{", check=False).returncode == 2
    assert tallying.hal9("runs", "show", "no-uuid", check=False).returncode == 2


def test_the_stream_resumes_after_the_last_event_that_was_seen(tallying: Platform) -> None:
    runs(tallying, "start", "tally", "--input", '{"lines": ["one two"]}', "--watch")
    run_id = json.loads(runs(tallying, "list", "--limit", "1"))["runs"][0]["id"]
    with tallying.http(authorization=f"Bearer {tallying.credentials['api_key']}") as client:
        whole = client.get(f"/v1/runs/{run_id}/events")
        assert whole.headers["content-type"].startswith("text/event-stream")
        numbers = sequences(whole.text)
        assert numbers == list(range(1, len(numbers) + 1))
        for seen in (0, 3, numbers[-1] - 1):
            rest = client.get(f"/v1/runs/{run_id}/events", headers={"Last-Event-ID": str(seen)})
            assert sequences(rest.text) == numbers[seen:]
        assert sequences(client.get(f"/v1/runs/{run_id}/events?after=5").text) == numbers[5:]
        for everything in (numbers[-1], 10**15):
            assert client.get(f"/v1/runs/{run_id}/events?after={everything}").status_code == 204
        odd = client.get(f"/v1/runs/{run_id}/events", headers={"Last-Event-ID": "no number"})
        assert sequences(odd.text) == numbers
        assert client.get(f"/v1/runs/{run_id}/events", headers={"Authorization": "Bearer x"}).status_code == 401


def sequences(stream: str) -> list[int]:
    """The ids of a stream's events."""
    return [int(line.removeprefix("id: ")) for line in stream.splitlines() if line.startswith("id: ")]
