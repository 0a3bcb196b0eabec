"""The Job that brings every shard's schema up to date, once for each version, before anything of that version runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from knative.render import jobs, network
from knative.render.pods import account

if TYPE_CHECKING:
    from collections.abc import Sequence

    from knative.render.target import Manifest, Target

NAME: Final = "hal9-migrations"
"""Of its account and of what its pods are called."""

LABELS: Final = {"app.kubernetes.io/name": NAME}
_AT_ONCE: Final = (2, 3)
"""A wrong setting, or an organisation that has its key, is no better at the second try."""


def manifests(target: Target) -> list[Manifest]:
    """Give the Job with its account and the policy that lets it reach the databases."""
    return [account(NAME, target), network.of_job(NAME, LABELS, target), job([], target)]


def job(arguments: Sequence[str], target: Target) -> Manifest:
    """Give a Job of the image `migrations`.

    Args:
        arguments: what it is to do besides, such as make an organisation.
        target: for which cluster.
    """
    return jobs.job(jobs.Work(NAME, arguments=tuple(arguments), at_once=_AT_ONCE), target)
