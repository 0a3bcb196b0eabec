"""The SQL of codegen: projects, verifications, artefacts. Every statement runs in a tenant's transaction."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from shared.software.projects import Artefact, Project, ProjectSummary

if TYPE_CHECKING:
    from datetime import datetime, timedelta
    from uuid import UUID

    from functions.codegen.models import Ending, NewProject
    from shared.database.pool import Transaction

_SUMMARY = (
    "project_id AS id, run_id, request, language, state, reason, engine, artefact_id, cost_microdollars, created_at, "
    "finished_at"
)


async def enter_project(tx: Transaction, org_id: UUID, project: NewProject, now: datetime) -> bool:
    """Enter a project; False when its id is there already."""
    status = await tx.execute(
        "INSERT INTO projects (org_id, project_id, run_id, request, language, engine_choice, created_at) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (org_id, project_id) DO NOTHING",
        org_id,
        project.project_id,
        project.run_id,
        project.request,
        project.language,
        project.engine_choice,
        now,
    )
    return status == "INSERT 0 1"


async def project(tx: Transaction, org_id: UUID, project_id: UUID) -> Project | None:
    """Give a project, or None."""
    row = await tx.fetchrow(
        f"SELECT {_SUMMARY}, result FROM projects WHERE org_id = $1 AND project_id = $2",  # noqa: S608 - constant
        org_id,
        project_id,
    )
    if row is None:
        return None
    values: dict[str, Any] = dict(row)
    values["result"] = None if values["result"] is None else json.loads(values["result"])
    return Project.model_validate(values)


async def engine_choice(tx: Transaction, org_id: UUID, project_id: UUID) -> str | None:
    """Give the engine that the project's request named."""
    chosen: str | None = await tx.fetchval(
        "SELECT engine_choice FROM projects WHERE org_id = $1 AND project_id = $2", org_id, project_id
    )
    return chosen


async def projects(
    tx: Transaction, org_id: UUID, *, limit: int, before: tuple[datetime, UUID] | None, state: str | None
) -> list[ProjectSummary]:
    """List projects, newest first: at most `limit`, those before a key, those in a state."""
    rows = await tx.fetch(
        f"SELECT {_SUMMARY} FROM projects "  # noqa: S608 - constant
        "WHERE org_id = $1 AND ($2::text IS NULL OR state = $2) "
        "AND ($3::timestamptz IS NULL OR (created_at, project_id) < ($3, $4::uuid)) "
        "ORDER BY created_at DESC, project_id DESC LIMIT $5",
        org_id,
        state,
        before[0] if before else None,
        before[1] if before else None,
        limit,
    )
    return [ProjectSummary.model_validate(dict(row)) for row in rows]


async def end_project(tx: Transaction, org_id: UUID, run_id: UUID, ending: Ending, now: datetime) -> UUID | None:
    """Note how the run of a project ended; gives the project's id, None when none that still runs has that run."""
    result = None if ending.result is None else ending.result.model_dump_json()
    project_id: UUID | None = await tx.fetchval(
        "UPDATE projects SET state = $3, reason = $4, engine = $5, artefact_id = $6, result = $7::text::jsonb, "
        "cost_microdollars = $8, finished_at = $9 "
        "WHERE org_id = $1 AND run_id = $2 AND state = 'running' RETURNING project_id",
        org_id,
        run_id,
        ending.state,
        ending.reason,
        ending.engine,
        ending.artefact_id,
        result,
        ending.cost_microdollars,
        now,
    )
    return project_id


async def claim_verification(
    tx: Transaction, org_id: UUID, step_id: UUID, epoch: int, worker: UUID, lease: timedelta
) -> tuple[bool, str | None]:
    """Claim one try of a step.

    (True, None) when it is ours now, (False, answer) when answered, (False, None) while another's. A lease that ends
    later than one that begins now is of a clock that was set back since: it is cut, so that its holder renews it or
    loses it.
    """
    row = await tx.fetchrow(
        "INSERT INTO verifications AS v (org_id, step_id, epoch, worker, lease_until) "
        "VALUES ($1, $2, $3, $4, now() + $5) "
        "ON CONFLICT (org_id, step_id, epoch) DO UPDATE SET lease_until = now() + $5, "
        "worker = CASE WHEN v.lease_until < now() THEN $4 ELSE v.worker END "
        "WHERE v.answer IS NULL AND (v.lease_until < now() OR v.lease_until > now() + $5) RETURNING worker",
        org_id,
        step_id,
        epoch,
        worker,
        lease,
    )
    if row is not None:
        return row["worker"] == worker, None
    answer: str | None = await tx.fetchval(
        "SELECT answer::text FROM verifications WHERE org_id = $1 AND step_id = $2 AND epoch = $3",
        org_id,
        step_id,
        epoch,
    )
    return False, answer


async def renew_verification(
    tx: Transaction, org_id: UUID, step_id: UUID, epoch: int, worker: UUID, lease: timedelta
) -> bool:
    """Keep the lease; False when it was lost."""
    status = await tx.execute(
        "UPDATE verifications SET lease_until = now() + $5 "
        "WHERE org_id = $1 AND step_id = $2 AND epoch = $3 AND worker = $4 AND answer IS NULL",
        org_id,
        step_id,
        epoch,
        worker,
        lease,
    )
    return status == "UPDATE 1"


async def release_verification(tx: Transaction, org_id: UUID, step_id: UUID, epoch: int, worker: UUID) -> None:
    """Let another have it at once."""
    await tx.execute(
        "UPDATE verifications SET lease_until = '-infinity' "
        "WHERE org_id = $1 AND step_id = $2 AND epoch = $3 AND worker = $4 AND answer IS NULL",
        org_id,
        step_id,
        epoch,
        worker,
    )


async def answer_verification(
    tx: Transaction, org_id: UUID, step_id: UUID, epoch: int, worker: UUID, answer: str
) -> bool:
    """Keep the answer; False when the lease was lost and another's answer counts."""
    status = await tx.execute(
        "UPDATE verifications SET answer = $5::text::jsonb "
        "WHERE org_id = $1 AND step_id = $2 AND epoch = $3 AND worker = $4 AND answer IS NULL",
        org_id,
        step_id,
        epoch,
        worker,
        answer,
    )
    return status == "UPDATE 1"


async def earlier_answers(tx: Transaction, org_id: UUID, step_id: UUID, epoch: int) -> list[str]:
    """Give the answers to earlier tries of a step, the newest first."""
    rows = await tx.fetch(
        "SELECT answer::text AS answer FROM verifications "
        "WHERE org_id = $1 AND step_id = $2 AND epoch < $3 AND answer IS NOT NULL ORDER BY epoch DESC",
        org_id,
        step_id,
        epoch,
    )
    return [row["answer"] for row in rows]


async def enter_artefact(tx: Transaction, org_id: UUID, artefact: Artefact) -> None:
    """Enter an artefact; one that is there already (its id says what it is) stays."""
    await tx.execute(
        "INSERT INTO artefacts (org_id, artefact_id, run_id, media_type, sha256, size, engine, created_at) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (org_id, artefact_id) DO NOTHING",
        org_id,
        artefact.id,
        artefact.run_id,
        artefact.media_type,
        artefact.sha256,
        artefact.size,
        artefact.engine,
        artefact.created_at,
    )


async def artefact(tx: Transaction, org_id: UUID, artefact_id: UUID) -> Artefact | None:
    """Give what is known of an artefact, or None."""
    row = await tx.fetchrow(
        "SELECT artefact_id AS id, run_id, media_type, sha256, size, engine, created_at FROM artefacts "
        "WHERE org_id = $1 AND artefact_id = $2",
        org_id,
        artefact_id,
    )
    return None if row is None else Artefact.model_validate(dict(row))


_ARTEFACT = "artefact_id AS id, run_id, media_type, sha256, size, engine, created_at"


async def artefacts_of(tx: Transaction, org_id: UUID, run_id: UUID) -> list[Artefact]:
    """Give what is known of a run's artefacts."""
    rows = await tx.fetch(
        f"SELECT {_ARTEFACT} FROM artefacts WHERE org_id = $1 AND run_id = $2",  # noqa: S608 - constant
        org_id,
        run_id,
    )
    return [Artefact.model_validate(dict(row)) for row in rows]


async def artefacts_there(tx: Transaction, org_id: UUID, artefact_ids: list[UUID]) -> set[UUID]:
    """Give those of these ids under which the organisation has an artefact."""
    rows = await tx.fetch(
        "SELECT artefact_id FROM artefacts WHERE org_id = $1 AND artefact_id = ANY ($2)", org_id, artefact_ids
    )
    return {row["artefact_id"] for row in rows}


async def artefacts_kept(tx: Transaction, org_id: UUID, artefact_ids: list[UUID], other: UUID) -> set[UUID]:
    """Give those of these ids under which the organisation has an artefact whose project the other is not offered."""
    rows = await tx.fetch(
        "SELECT artefact_id FROM artefacts a WHERE org_id = $1 AND artefact_id = ANY ($2) AND NOT EXISTS"
        " (SELECT 1 FROM projects p WHERE p.org_id = a.org_id AND p.run_id = a.run_id AND p.offered_to = $3)",
        org_id,
        artefact_ids,
        other,
    )
    return {row["artefact_id"] for row in rows}


async def offer_project(tx: Transaction, org_id: UUID, project_id: UUID, to: UUID | None) -> bool:
    """Offer a project to an organisation, or to nobody; False when there is none of that id."""
    status = await tx.execute(
        "UPDATE projects SET offered_to = $3 WHERE org_id = $1 AND project_id = $2", org_id, project_id, to
    )
    return status == "UPDATE 1"


async def offered_artefacts(tx: Transaction, org_id: UUID, to: UUID, project_id: UUID) -> list[Artefact] | None:
    """Give the artefacts of a project that is offered to that organisation; None when it is not."""
    run_id = await tx.fetchval(
        "SELECT run_id FROM projects WHERE org_id = $1 AND project_id = $2 AND offered_to = $3 AND state <> 'running'",
        org_id,
        project_id,
        to,
    )
    return None if run_id is None else await artefacts_of(tx, org_id, run_id)


async def ended_artefacts(tx: Transaction, org_id: UUID, project_id: UUID) -> list[Artefact] | None:
    """Give the artefacts of a project whose run has ended; None when there is no such project."""
    run_id = await tx.fetchval(
        "SELECT run_id FROM projects WHERE org_id = $1 AND project_id = $2 AND state <> 'running'", org_id, project_id
    )
    return None if run_id is None else await artefacts_of(tx, org_id, run_id)


async def holdings(tx: Transaction, org_id: UUID) -> list[dict[str, Any]]:
    """Give every project with what it stores: project_id, run_id, artefact_ids, size in bytes, running."""
    rows = await tx.fetch(
        "SELECT p.project_id, p.run_id, p.state = 'running' AS running, coalesce(sum(a.size), 0)::bigint AS size,"
        " array_remove(array_agg(a.artefact_id), NULL) AS artefact_ids"
        "  FROM projects p LEFT JOIN artefacts a ON a.org_id = p.org_id AND a.run_id = p.run_id WHERE p.org_id = $1"
        " GROUP BY p.project_id, p.run_id, p.state, p.created_at ORDER BY p.created_at, p.project_id",
        org_id,
    )
    return [dict(row) for row in rows]


async def ids_there(tx: Transaction, org_id: UUID, ids: list[UUID]) -> set[UUID]:
    """Give those of these ids that name a project, the run of one, or an artefact of the organisation."""
    rows = await tx.fetch(
        "SELECT project_id AS id FROM projects WHERE org_id = $1 AND project_id = ANY ($2)"
        " UNION SELECT run_id FROM projects WHERE org_id = $1 AND run_id = ANY ($2)"
        " UNION SELECT artefact_id FROM artefacts WHERE org_id = $1 AND artefact_id = ANY ($2)",
        org_id,
        ids,
    )
    return {row["id"] for row in rows}


async def give_project(
    tx: Transaction, org_id: UUID, project_id: UUID, to: UUID
) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
    """Take away a project that is offered to that organisation, with its artefacts: whole rows; (None, []) if not."""
    project = await tx.fetchrow(
        "DELETE FROM projects"
        " WHERE org_id = $1 AND project_id = $2 AND offered_to = $3 AND state <> 'running' RETURNING *",
        org_id,
        project_id,
        to,
    )
    if project is None:
        return None, []
    artefacts = await tx.fetch(
        "DELETE FROM artefacts WHERE org_id = $1 AND run_id = $2 RETURNING *", org_id, project["run_id"]
    )
    return dict(project), [dict(row) for row in artefacts]


async def take_project(tx: Transaction, org_id: UUID, project: dict[str, Any], artefacts: list[dict[str, Any]]) -> bool:
    """Enter what `give_project` gave; False when the organisation has something of the same id."""
    entered = [
        await _enter_row(tx, "projects", {**project, "org_id": org_id, "offered_to": None}),
        *[await _enter_row(tx, "artefacts", {**row, "org_id": org_id}) for row in artefacts],
    ]
    return all(entered)


async def _enter_row(tx: Transaction, table: str, row: dict[str, Any]) -> bool:
    """Enter a whole row, whatever columns the table has by now."""
    columns = ", ".join(f'"{name}"' for name in row)
    places = ", ".join(f"${number}" for number in range(1, len(row) + 1))
    status = await tx.execute(
        f"INSERT INTO {table} ({columns}) VALUES ({places}) ON CONFLICT DO NOTHING",  # noqa: S608 - of the catalogue
        *row.values(),
    )
    return status == "INSERT 0 1"
