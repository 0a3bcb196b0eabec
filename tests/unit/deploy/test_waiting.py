"""What is believed of objects that say that they failed while what they stand on is not ready."""

from __future__ import annotations

from knative.deploy.kinds import BROKER, EVENT_POLICY, JOB, PING_SOURCE, SERVICE, STATEFUL_SET, TRIGGER
from knative.deploy.waiting import ON_SERVICES, excusable


def test_a_policy_that_waits_for_triggers_has_not_failed() -> None:
    assert excusable({TRIGGER, EVENT_POLICY}) == {EVENT_POLICY}


def test_nothing_on_a_broker_has_failed_before_the_broker_is_there() -> None:
    assert excusable({BROKER}) == {TRIGGER, PING_SOURCE, EVENT_POLICY}


def test_nothing_of_eventing_has_failed_before_the_services_are_there() -> None:
    assert excusable({SERVICE}) == ON_SERVICES


def test_what_stands_on_nothing_that_is_unready_is_believed() -> None:
    assert not excusable({EVENT_POLICY, JOB, STATEFUL_SET})
