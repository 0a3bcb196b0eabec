"""The token that events are sent to the broker with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from events import catalogue
from events.broker import BrokerConnection, publisher_over
from events.catalogue.upkeep import SweepRequested
from events.publisher import PublisherSettings, Unpublished
from shared.clock import ManualClock
from shared.function.outgoing import Reply
from shared.keys import PrivateKey, PublicKey, Trust
from shared.settings import load
from shared.tokens import Issuer, Verifier

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from events import codec

KEY = PrivateKey.generate("function:upkeep")
EVENT = catalogue.new(SweepRequested(), id="1", source="/s", subject="sweep", org_id=None)


class Broker(BrokerConnection):
    """A broker that takes everything and keeps the tokens."""

    def __init__(self) -> None:
        super().__init__("http://broker")
        self.tokens: list[str] = []

    async def __call__(self, headers: Sequence[codec.Header], body: bytes, *, timeout: float) -> Reply:  # noqa: ASYNC109
        self.tokens.append(dict(headers)[b"authorization"].decode().removeprefix("Bearer "))
        return Reply(202, [], b"")


def settings(**variables: str) -> PublisherSettings:
    return load(PublisherSettings, {"HAL9_BROKER_URL": "http://broker", "HAL9_PUBLISH_SECONDS": "1", **variables})


async def test_without_a_file_the_process_signs_for_itself() -> None:
    clock, broker = ManualClock(), Broker()
    await publisher_over(broker, settings(), Issuer(KEY, clock), clock).publish(EVENT)
    verifier = Verifier(Trust([PublicKey.of(KEY)]), clock)
    assert verifier.verify(broker.tokens[0], "broker", ["function:*"]).issuer == "function:upkeep"


async def test_the_kubelets_token_is_sent_and_the_renewed_one_after_it(tmp_path: Path) -> None:
    clock, broker, file = ManualClock(), Broker(), tmp_path / "token"
    publisher = publisher_over(broker, settings(HAL9_BROKER_TOKEN=str(file)), Issuer(KEY, clock), clock)
    file.write_text("first\n")
    await publisher.publish(EVENT)
    renewed = tmp_path / "renewed"
    renewed.write_text("second")
    renewed.replace(file)
    await publisher.publish(EVENT)
    clock.advance(60)
    await publisher.publish(EVENT)
    assert broker.tokens == ["first", "first", "second"]


async def test_while_there_is_no_token_the_event_waits(tmp_path: Path) -> None:
    broker, file = Broker(), tmp_path / "token"
    publisher = publisher_over(broker, settings(HAL9_BROKER_TOKEN=str(file), HAL9_PUBLISH_SECONDS="0.1"), Issuer(KEY))
    with pytest.raises(Unpublished, match="no token"):
        await publisher.publish(EVENT)
    file.write_text("there")
    await publisher.publish(EVENT)
    assert broker.tokens == ["there"]
