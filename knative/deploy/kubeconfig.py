"""The files that KUBECONFIG names, read before the library reads them: what is wrong is said with the file's name.

Promises: every fault is one sentence with the file. Does not: run plugins, or ask the server.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

_USUAL: Final = "~/.kube/config"
_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_FILES: Final = {"cluster": ("certificate-authority",), "user": ("client-certificate", "client-key")}


class KubeconfigError(Exception):
    """A file is wrong, or there is none."""


@dataclass(frozen=True, slots=True)
class Named:
    """The cluster that is meant.

    Attributes:
        server: its address; empty for that of a pod's own account.
        context: the context's name; empty for a pod's own account.
        file: which the context is in.
        plugin: the command that gives the credentials; empty when there is none.
    """

    server: str = ""
    context: str = ""
    file: str = ""
    plugin: str = ""

    def __str__(self) -> str:
        """Say it in a sentence."""
        if not self.file:
            return "The API server of this pod's own account"
        plugin = f", credentials from {self.plugin}" if self.plugin else ""
        return f"{self.server} (context {self.context} of {self.file}{plugin})"


def read(context: str | None) -> Named:
    """Find the cluster of a context.

    Args:
        context: its name; None for the current one, or, where there is no file, a pod's own account.

    Raises:
        KubeconfigError: A file, or what the context names, is not there or not right.
    """
    said = os.environ.get("KUBECONFIG", _USUAL)
    paths = [Path(os.path.expanduser(one)) for one in said.split(":") if one]  # noqa: PTH111 - pathlib's wants a home
    there = [path for path in paths if path.exists()]
    if not there:
        return _without_files(", ".join(map(str, paths)))
    documents = {path: _document(path) for path in there}
    wanted = context or documents[there[0]].get("current-context")
    file, found = _entry(documents, "context", wanted) if wanted else (there[0], None)
    if not wanted or found is None:
        raise KubeconfigError(_no_context(wanted, documents, there))
    cluster = _part(documents, file, wanted, "cluster", found.get("cluster"))
    user = _part(documents, file, wanted, "user", found.get("user"))
    if not isinstance(cluster.get("server"), str):
        raise KubeconfigError(f"{file}: the cluster of context {wanted} has no server.")
    plugin = user.get("exec") or {}
    if not isinstance(plugin, dict):
        raise KubeconfigError(f"{file}: exec of the user of context {wanted} has no fields such as command.")
    return Named(cluster["server"], str(wanted), str(file), str(plugin.get("command", "")))


def _without_files(named: str) -> Named:
    if _ACCOUNT.is_dir():
        return Named()
    raise KubeconfigError(f"KUBECONFIG names no file that is there ({named or 'it is empty'}): no cluster is known.")


def _document(path: Path) -> dict[str, Any]:
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise KubeconfigError(f"{path} cannot be read: {error.strerror}.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise KubeconfigError(f"{path} is no YAML: {' '.join(str(error).split())}.") from error
    if found is None:
        raise KubeconfigError(f"{path} is empty: it is no kubeconfig.")
    if not isinstance(found, dict):
        raise KubeconfigError(f"{path} is no kubeconfig: it holds no fields such as clusters and contexts.")
    for name in ("clusters", "contexts", "users"):
        entries = found.get(name) or []
        if not isinstance(entries, list) or not all(isinstance(one, dict) and "name" in one for one in entries):
            raise KubeconfigError(f"{path} is no kubeconfig: {name} is no list of entries that have a name.")
    return found


def _entry(documents: dict[Path, dict[str, Any]], kind: str, name: object) -> tuple[Path, dict[str, Any] | None]:
    """Give what has a name, and its file; the first counts."""
    for path, document in documents.items():
        for one in document.get(f"{kind}s") or []:
            if one["name"] == name and isinstance(one.get(kind), dict):
                return path, one[kind]
    return next(iter(documents)), None


def _no_context(wanted: str | None, documents: dict[Path, dict[str, Any]], there: list[Path]) -> str:
    names = [str(one["name"]) for document in documents.values() for one in document.get("contexts") or []]
    files, others = ", ".join(map(str, there)), f"there are: {', '.join(names)}" if names else "there are none"
    if not wanted:
        return f"{there[0]} has no current context; {others}. Name one with --context."
    return f"{files} has no context {wanted}; {others}."


def _part(documents: dict[Path, dict[str, Any]], file: Path, context: str, kind: str, name: object) -> dict[str, Any]:
    """Give the context's cluster or user; the files that it names must be there."""
    path, found = _entry(documents, kind, name)
    if found is None:
        raise KubeconfigError(f"{file}: context {context} names the {kind} {name}, which is not there.")
    for key in _FILES[kind]:
        if key in found and not any(Path(base, str(found[key])).exists() for base in ("", path.parent)):
            raise KubeconfigError(f"{path}: {key} of {kind} {name}, {found[key]}, is not there.")
    return found
