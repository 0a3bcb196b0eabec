"""Where a platform keeps what it needs."""

from __future__ import annotations

from pathlib import Path

import pytest

from knative.platform.home import Home


@pytest.mark.parametrize(
    ("path", "inside"), [("/srv/hal9 ü%20[x]", True), ("/srv/hal9,eu", False), (f"/srv/{'d' * 120}", False)]
)
def test_sockets_lie_in_the_folder_unless_a_server_could_not_take_their_path(path: str, inside: bool) -> None:
    home = Home.at(Path(path))
    assert home.run.is_relative_to(home.path) is inside
    assert "," not in str(home.run)
    assert home.run != Home.at(Path(f"{path}2")).run
