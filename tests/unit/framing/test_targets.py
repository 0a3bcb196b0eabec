"""Request targets in each form that a server must take."""

from __future__ import annotations

import pytest

from knative.framing import origin_form


@pytest.mark.parametrize(
    ("target", "path", "host"),
    [
        (b"/v1/runs?x=http://a/b", b"/v1/runs?x=http://a/b", b""),
        (b"//a/b", b"//a/b", b""),
        (b"http://example.com/v1/runs?a=/b", b"/v1/runs?a=/b", b"example.com"),
        (b"HTTPS://example.com:8080", b"/", b"example.com:8080"),
        (b"http://[::1]:80?a=b", b"/?a=b", b"[::1]:80"),
    ],
)
def test_the_path_is_found_and_the_host_beside_it(target: bytes, path: bytes, host: bytes) -> None:
    assert origin_form(target) == (path, host)


@pytest.mark.parametrize("target", [b"*", b"", b"a", b"ftp://a/b", b"http:/a", b"http:///a", b"http://u@a/b", b"a:80"])
def test_what_is_neither_form_is_refused(target: bytes) -> None:
    with pytest.raises(ValueError, match="The request target"):
        origin_form(target)
