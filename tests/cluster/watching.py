"""How many instances each Knative Service had, seen as the cluster tells of it and not by asking now and then."""

from __future__ import annotations

import subprocess
import threading
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_SHOWN = r"{.metadata.name} {.metadata.labels.serving\.knative\.dev/service} {.metadata.deletionTimestamp}{'\n'}"


@contextmanager
def watching(namespace: str) -> Iterator[Counter[str]]:
    """Follow a namespace's pods; give the most instances at the same time, by service."""
    most: Counter[str] = Counter()
    alive: dict[str, str] = {}
    command = ["kubectl", "-n", namespace, "get", "pods", "-l", "serving.knative.dev/service", "--watch"]
    with subprocess.Popen([*command, "-o", f"jsonpath={_SHOWN}"], stdout=subprocess.PIPE, text=True) as process:

        def follow() -> None:
            assert process.stdout is not None
            for line in process.stdout:
                name, service, *ending = line.split()
                if ending:
                    alive.pop(name, None)
                else:
                    alive[name] = service
                most.update(
                    {one: count - most[one] for one, count in Counter(alive.values()).items() if count > most[one]}
                )

        thread = threading.Thread(target=follow)
        thread.start()
        try:
            yield most
        finally:
            process.terminate()
            thread.join()
