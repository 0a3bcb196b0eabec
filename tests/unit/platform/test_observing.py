"""What the archiver says of itself is heard by IPv4 and by IPv6."""

from __future__ import annotations

import socket
from urllib.request import urlopen

import pytest

from knative.platform.observing import observed


@pytest.mark.parametrize("address", ["127.0.0.1", "[::1]"])
def test_it_answers_by_both_versions(address: str) -> None:
    if address != "127.0.0.1":
        try:
            socket.create_server(("::1", 0), family=socket.AF_INET6).close()
        except OSError:
            pytest.skip("this machine has no IPv6")
    with observed(0, lambda: b"metrics", lambda: True) as port, urlopen(f"http://{address}:{port}/metrics") as answer:
        assert answer.read() == b"metrics"


def test_a_port_that_is_taken_is_said_to_be() -> None:
    with observed(0, bytes, lambda: True) as port, pytest.raises(OSError, match="in use"), observed(port, bytes, bool):
        pass
