"""The SQL of runs: transitions are functions of the database (from shard/0003_neurons.sql on), one round trip each."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import asyncpg

from functions.neuron import points
from functions.neuron.rewind import Exhausted, Node, Plan, plan_rewind
from functions.neuron.transitions import Claim, Held, Waiting
from shared.chaos import point
from shared.identifiers import new_id
from shared.quotas import COST, MODEL_TOKENS, RUNS
from shared.quotas.usage import REFUSED as QUOTA_REFUSED
from shared.randomness import SystemRandomness
from shared.shards.calls import Calls

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.neuron.transitions import Origin, Start
    from shared.database import Transaction
    from shared.neurons import Signal
    from shared.quotas import Allowance, Meter, Tiers
    from shared.randomness import Randomness
    from shared.replicas.lsn import Bookmark
    from shared.shards import Shards

_REFUSED: Final = "H9002"
_RUN: Final = (
    "id, process, state, reason, code, replay_of, spent, reserved, cost_cap, steps, revisions, created_at, finished_at,"
    " deadline_at"
)
_ONE_RUN: Final = f"""
    SELECT {_RUN}, input, output, made_by, sequence, origin_id, engine, revisions_per_step, revisions_per_run,
           extract(epoch FROM deadline_at - created_at)::double precision AS deadline_seconds
    FROM runs WHERE org_id = $1 AND id = $2
"""  # noqa: S608 - constant columns
_RUNS: Final = f"""
    SELECT {_RUN} FROM runs
    WHERE org_id = $1 AND ($2::uuid IS NULL OR id < $2) AND ($3::text IS NULL OR process = $3)
      AND ($4::text IS NULL OR state = $4)
    ORDER BY id DESC LIMIT $5
"""  # noqa: S608 - constant columns
_TREE: Final = """
    SELECT id, parent_id, path, body, executor, state, phase, epoch, revision, engine, note, failure, cost, created_at,
           started_at, finished_at
    FROM steps WHERE org_id = $1 AND run_id = $2 AND state <> 'superseded' ORDER BY depth, id
"""
_SIGNALS: Final = """
    SELECT blame_step, from_step, contract_path, diagnostic, severity, hint, revision
    FROM signals WHERE org_id = $1 AND run_id = $2 ORDER BY id
"""
_WAITING: Final = "SELECT org_id, run_id, step_id, epoch, phase, body, path FROM neuron_waiting($1, $2, $3)"
WAITING_AT_MOST: Final = 64
"""Organisations that are looked at in one turn."""

_NODES: Final = """
    SELECT id, parent_id, path, state, joined_phase, revision, optional FROM steps
    WHERE org_id = $1 AND run_id = $2 AND state <> 'superseded' ORDER BY depth, id
"""


class Store:
    """Runs, steps, journal and budgets on the shards.

    Args:
        shards: Where they are.
        tiers: What organisations may use; of money in a month when an organisation's budget does not say otherwise.
        source: `source` of the events that warn of a quota.
        randomness: Says with which organisation a look at who waits begins.
    """

    def __init__(self, shards: Shards, tiers: Tiers, source: str, randomness: Randomness | None = None) -> None:
        self._shards = shards
        self._calls = Calls(shards)
        self._tiers = tiers
        self._source = source
        self._randomness = randomness or SystemRandomness()

    @property
    def round_trips(self) -> int:
        """Round trips to the database so far, of all transitions."""
        return self._calls.round_trips

    async def allowance(self, org_id: UUID, meter: Meter) -> Allowance:
        """Give what the organisation's tier allows of a meter.

        Raises:
            Problem: 404 `organisation-unknown`.
        """
        return self._tiers.allowance(await self.tier(org_id), meter)

    async def tier(self, org_id: UUID) -> str:
        """Give the organisation's tier.

        Raises:
            Problem: 404 `organisation-unknown`.
        """
        return (await self._shards.locate(org_id)).tier

    @property
    def shard_count(self) -> int:
        """How many shards there are."""
        return len(self._shards)

    async def waiting(self, shard: int, executor: str) -> list[Waiting]:
        """Give who waits on a shard for a deployment: at most `WAITING_AT_MOST` organisations.

        Raises:
            Problem: 503 `shard-unavailable`.
        """
        async with self._shards.database(shard).connection() as connection:
            rows = await connection.fetch(_WAITING, executor, UUID(bytes=self._randomness.bytes(16)), WAITING_AT_MOST)
        # What an organisation that has moved left behind is none of ours.
        here = [row for row in rows if (await self._shards.locate(row["org_id"])).shard == shard]
        return [Waiting(**row) for row in here]

    # Transitions -----------------------------------------------------------------------------------------------------

    async def start(self, org_id: UUID, origin: Origin, start: Start) -> tuple[str, UUID]:
        """Start a run: `started`, `same`, `mismatch` or `quota` (the hard limit does not hold it), and the run's id."""
        try:
            return await self._start(org_id, origin, start)
        except asyncpg.PostgresError as error:
            if error.sqlstate != QUOTA_REFUSED:
                raise
            return "quota", start.run_id

    async def _start(self, org_id: UUID, origin: Origin, start: Start) -> tuple[str, UUID]:
        body = start.body
        code, reason = start.fault or (None, None)
        allowed = await self.allowance(org_id, RUNS)
        [row] = await self._calls.call(
            org_id, "neuron_start", origin.source, origin.trace, origin.cause,
            start.run_id, start.origin_id, start.replay_of, start.process, start.engine, start.input, start.subject,
            start.correlation, start.key, start.request_hash, start.cost_cap, start.per_step, start.per_run,
            start.deadline_seconds, new_id(), body.name if body else "", body.executor if body else "",
            body.delegated if body else False, body.attempts if body else 1, body.deadline_seconds if body else 0.0,
            code, reason, allowed.soft, allowed.hard,
        )  # fmt: skip
        return row["verdict"], row["run_id"]

    async def claim(
        self, org_id: UUID, origin: Origin, run_id: UUID, step_id: UUID, epoch: int, phase: int, lease_seconds: float
    ) -> Claim | None:
        """Claim a step; None when it has moved on, or somebody else has it."""
        token = new_id()
        try:
            rows = await self._calls.call(
                org_id, "neuron_claim", origin.source, origin.trace, origin.cause,
                run_id, step_id, epoch, phase, token, lease_seconds,
            )  # fmt: skip
        except asyncpg.PostgresError as error:
            _refused(error)
            return None
        if not rows:
            return None
        row = rows[0]
        children = zip(
            row["child_keys"] or (), row["child_paths"] or (), row["child_bodies"] or (), row["child_outputs"] or (),
            row["child_engines"] or (), row["child_failures"] or (), row["child_exhausted"] or (),
            row["child_leftovers"] or (), strict=True,
        )  # fmt: skip
        return Claim(
            held=Held(org_id, run_id, step_id, epoch, token), process=row["process"], engine=row["engine"],
            origin_id=row["origin_id"], replay=row["replay"], body=row["body"], path=row["path"], depth=row["depth"],
            generation=row["generation"], revision=row["revision"], phase=phase, attempts=row["attempts"],
            max_attempts=row["max_attempts"], delegated=row["delegated"], input=row["input"], memo=row["memo"],
            children=list(children), signals=row["signals"] or (),
        )  # fmt: skip

    async def renew(self, held: Held, lease_seconds: float) -> bool:
        """Renew a lease; False when it is lost."""
        [row] = await self._calls.call(
            held.org_id, "neuron_renew", held.run_id, held.step_id, held.epoch, held.token, lease_seconds
        )
        return bool(row[0])

    async def release(self, held: Held, origin: Origin) -> bool:
        """Give a claim back, so that the same request can be claimed anew."""
        [row] = await self._calls.call(
            held.org_id, "neuron_release", origin.source, origin.trace, origin.cause,
            held.run_id, held.step_id, held.epoch, held.token,
        )  # fmt: skip
        return bool(row[0])

    async def complete(
        self,
        held: Held,
        origin: Origin,
        output: str,
        engine: str,
        note: str | None,
        journal: tuple[bytes, str] | None = None,
    ) -> str:
        """Complete a step: `done`, `seen`, `stale` or `lost`."""
        return await self._transit(
            held, origin, "neuron_complete", output, engine, note, False, None, *(journal or (None, None))
        )

    async def claim_and_complete(
        self,
        org_id: UUID,
        origin: Origin,
        run_id: UUID,
        step_id: UUID,
        epoch: int,
        output: str,
        engine: str,
        note: str | None,
        seconds: float,
    ) -> str:
        """Complete a step that was worked on unclaimed in its first phase: `done`, `seen` or `stale`.

        Args:
            org_id: The organisation.
            origin: Where it comes from.
            run_id: The run.
            step_id: The step.
            epoch: The epoch that was worked on.
            output: JSON.
            engine: What made it.
            note: Why the built-in did.
            seconds: For how long it was worked on.
        """
        try:
            verdict: str = await self._calls.value(
                org_id, "neuron_claim_and_complete", origin.source, origin.trace, origin.cause,
                run_id, step_id, epoch, origin.event_source, origin.event_id, output, engine, note, seconds,
            )  # fmt: skip
        except asyncpg.PostgresError as error:
            return _refused(error)
        return verdict

    async def spawn(
        self,
        held: Held,
        origin: Origin,
        memo: str | None,
        children: Sequence[dict[str, Any]],
        engine: str,
        note: str | None,
        max_steps: int,
    ) -> str:
        """Start children: as `complete`, or `too-many-steps`, `key-taken`.

        Args:
            held: The step.
            origin: Where it comes from.
            memo: JSON for the next phase.
            children: `key`, `body`, `executor`, `delegated`, `optional`, `input` (JSON text), `max_attempts` and
                `deadline_seconds` of each.
            engine: What made the decision.
            note: Why the built-in did.
            max_steps: Cap of the run.
        """
        # The inputs are JSON already: they are put in as they are.
        described = ",".join(
            json.dumps({**{name: value for name, value in child.items() if name != "input"}, "id": str(new_id())})[:-1]
            + f', "input": {child["input"]}}}'
            for child in children
        )
        return await self._transit(held, origin, "neuron_spawn", memo, f"[{described}]", engine, note, max_steps)

    async def delegate(self, held: Held, origin: Origin) -> str:
        """Hand a claimed step to its delegated executor."""
        return await self._transit(held, origin, "neuron_delegate")

    async def fail(
        self,
        held: Held,
        origin: Origin,
        code: str,
        reason: str,
        output: str | None = None,
        engine: str | None = None,
        journal: tuple[bytes, str] | None = None,
    ) -> str:
        """Fail a step and what cannot do without it: as `complete`."""
        return await self._transit(
            held, origin, "neuron_fail", code, reason, output, engine, *(journal or (None, None))
        )

    async def _transit(self, held: Held, origin: Origin, function: str, *arguments: Any) -> str:
        try:
            verdict: str = await self._calls.value(
                held.org_id, function, origin.source, origin.trace, origin.cause,
                held.run_id, held.step_id, held.epoch, held.token, origin.event_source, origin.event_id, *arguments,
            )  # fmt: skip
        except asyncpg.PostgresError as error:
            return _refused(error)
        return verdict

    async def undelivered(
        self, org_id: UUID, origin: Origin, run_id: UUID, step_id: UUID, epoch: int, phase: int, reason: str
    ) -> str:
        """Fail a step whose request became a dead letter, unless somebody works on it: `done`, `seen` or `stale`."""
        [row] = await self._calls.call(
            org_id, "neuron_undelivered", origin.source, origin.trace, origin.cause,
            run_id, step_id, epoch, phase, origin.event_source, origin.event_id, reason,
        )  # fmt: skip
        verdict: str = row[0]
        return verdict

    async def cancel(self, org_id: UUID, origin: Origin, run_id: UUID, reason: str) -> str | None:
        """Cancel a run; gives its state then, None when there is none."""
        [row] = await self._calls.call(
            org_id, "neuron_cancel", origin.source, origin.trace, origin.cause, run_id, reason
        )
        state: str | None = row[0]
        return state

    async def backward(
        self,
        held: Held,
        origin: Origin,
        signals: Sequence[Signal],
        output: str | None,
        engine: str,
        *,
        settles: bool,
        journal: tuple[bytes, str] | None = None,
    ) -> str:
        """Send the blamed steps back; when the caps are exhausted, settle with the output or fail. As `complete`.

        The one transition that is several round trips: it is planned in Python, while it holds the run, and is rare.
        """
        try:
            return await self._shards.run(
                held.org_id,
                lambda tx: self._backward(tx, held, origin, signals, output, engine, settles=settles, journal=journal),
                idempotent=True,
            )
        except asyncpg.PostgresError as error:
            return _refused(error)

    async def _backward(
        self,
        tx: Transaction,
        held: Held,
        origin: Origin,
        signals: Sequence[Signal],
        output: str | None,
        engine: str,
        *,
        settles: bool,
        journal: tuple[bytes, str] | None,
    ) -> str:
        epoch = (await self._shards.locate(held.org_id)).epoch
        entered = (held.org_id, epoch, origin.source, origin.trace, origin.cause)
        await tx.execute("SELECT neuron_enter($1, $2, $3, $4, $5)", *entered)
        step = (held.org_id, held.run_id, held.step_id, held.epoch)
        sender = await tx.fetchval("SELECT (neuron_hold($1, $2, $3, $4, $5)).id", *step, held.token)
        if sender is None:
            verdict: str = await tx.fetchval("SELECT neuron_why_not($1, $2, $3, $4)", *step)
            return verdict
        [caps] = await tx.fetch(
            "SELECT revisions, revisions_per_step, revisions_per_run FROM runs WHERE org_id = $1 AND id = $2", *step[:2]
        )
        nodes = [Node(**row) for row in await tx.fetch(_NODES, *step[:2])]
        plan = plan_rewind(nodes, held.step_id, signals, *caps)
        point(points.REWIND_PLANNED)
        if isinstance(plan, Exhausted):
            return await self._exhausted(tx, held, origin, entered, signals, output, engine, journal, settles=settles)
        if not await tx.fetchval("SELECT neuron_first($1, $2, $3)", held.org_id, origin.event_source, origin.event_id):
            return "seen"
        if journal is not None:
            path = next(node.path for node in nodes if node.id == held.step_id)
            await tx.execute(
                "SELECT neuron_remember($1, $2, $3, 'delegated', $4, '', $5, 0)", *step[:2], path, *journal
            )
        await tx.execute("SELECT neuron_revise($1, $2, $3)", *step[:2], _described(plan))
        return "done"

    async def _exhausted(
        self,
        tx: Transaction,
        held: Held,
        origin: Origin,
        entered: tuple[Any, ...],
        signals: Sequence[Signal],
        output: str | None,
        engine: str,
        journal: tuple[bytes, str] | None,
        *,
        settles: bool,
    ) -> str:
        key, answer = journal or (None, None)
        common = (*entered, held.run_id, held.step_id, held.epoch, held.token, origin.event_source, origin.event_id)
        if settles and output is not None:
            left = json.dumps([signal.model_dump() for signal in signals])
            return await _called(tx, "neuron_complete", *common, output, engine, None, True, left, key, answer)
        reason = f"sent back too often: {signals[0].diagnostic[:500]}"
        return await _called(tx, "neuron_fail", *common, "revisions-exhausted", reason, output, engine, key, answer)

    # Money and journal -----------------------------------------------------------------------------------------------

    async def recall(self, org_id: UUID, key: bytes) -> tuple[str, str] | None:
        """What the journal knows under a key: (answer, model), or None."""
        rows = await self._calls.call(org_id, "neuron_recall", key)
        return (rows[0]["answer"], rows[0]["model"]) if rows else None

    async def reserve(self, held: Held, reservation: UUID, amount: int, tokens: int) -> str:
        """Hold an amount and tokens under all caps: `held`, `run`, `organisation`, `tokens` or `lost`."""
        cost, most_tokens = [await self.allowance(held.org_id, meter) for meter in (COST, MODEL_TOKENS)]
        [row] = await self._calls.call(
            held.org_id,
            "neuron_reserve",
            held.run_id,
            held.step_id,
            held.epoch,
            held.token,
            reservation,
            amount,
            cost.hard,
            tokens,
            most_tokens.hard,
        )
        verdict: str = row[0]
        return verdict

    async def settle(
        self,
        held: Held,
        reservation: UUID,
        cost: int,
        tokens: int,
        path: str,
        key: bytes,
        model: str,
        answer: str | None,
    ) -> None:
        """Say what a call cost and used, and journal its answer when there is one."""
        money, most_tokens = [await self.allowance(held.org_id, meter) for meter in (COST, MODEL_TOKENS)]
        await self._calls.call(
            held.org_id, "neuron_settle", self._source, held.run_id, held.step_id, reservation, cost, path, key, model,
            answer, tokens, most_tokens.soft, most_tokens.hard, money.soft, money.hard,
        )  # fmt: skip

    # Reading ---------------------------------------------------------------------------------------------------------

    async def delegated(self, org_id: UUID, run_id: UUID, step_id: UUID, epoch: int) -> asyncpg.Record | None:
        """A delegated step in that epoch: process, origin_id, body, path, generation, revision, input; or None."""
        rows = await self._calls.call(org_id, "neuron_delegated", run_id, step_id, epoch)
        return rows[0] if rows else None

    async def events(self, org_id: UUID, run_id: UUID, after: int, limit: int) -> Sequence[asyncpg.Record]:
        """Lines of a run's stream after a sequence."""
        return await self._calls.call(org_id, "neuron_events", run_id, after, limit)

    async def run(
        self, org_id: UUID, run_id: UUID, after: Bookmark | None = None
    ) -> tuple[asyncpg.Record, list[asyncpg.Record], list[asyncpg.Record]] | None:
        """A run with its tree and signals; None when the organisation has none of that id. `after`: as `Shards.run`."""

        async def read(
            tx: Transaction,
        ) -> tuple[asyncpg.Record, list[asyncpg.Record], list[asyncpg.Record]] | None:
            row = await tx.fetchrow(_ONE_RUN, org_id, run_id)
            # The same work whether there is such a run or not: time tells nothing.
            tree, signals = await tx.fetch(_TREE, org_id, run_id), await tx.fetch(_SIGNALS, org_id, run_id)
            return None if row is None else (row, tree, signals)

        return await self._shards.run(org_id, read, readonly=True, after=after)

    async def runs(
        self,
        org_id: UUID,
        limit: int,
        before: UUID | None,
        process: str | None,
        state: str | None,
        after: Bookmark | None = None,
    ) -> list[asyncpg.Record]:
        """Runs, newest first: at most `limit`, with ids below `before`. `after`: see `Shards.run`."""

        async def read(tx: Transaction) -> list[asyncpg.Record]:
            return await tx.fetch(_RUNS, org_id, before, process, state, limit)

        return await self._shards.run(org_id, read, readonly=True, after=after)

    async def bookmark(self, org_id: UUID) -> Bookmark | None:
        """How far the organisation's shard has got; None where it has no replica."""
        return await self._shards.bookmark(org_id)


def _refused(error: asyncpg.PostgresError) -> str:
    """The verdict with which a transition took itself back.

    Raises:
        asyncpg.PostgresError: The error is another one.
    """
    if error.sqlstate != _REFUSED:
        raise error
    return str(error.args[0])


async def _called(tx: Transaction, function: str, *arguments: Any) -> str:
    """Call a transition inside a transaction."""
    places = ", ".join(f"${number}" for number in range(1, len(arguments) + 1))
    verdict: str = await tx.fetchval(f"SELECT {function}({places})", *arguments)
    return verdict


def _described(plan: Plan) -> str:
    """The plan as `neuron_revise` reads it."""
    return json.dumps(
        {
            "superseded": [str(step) for step in plan.superseded],
            "revised": [str(step) for step in plan.revised],
            "waiting": [{"id": str(w.id), "phase": w.phase, "pending": w.pending} for w in plan.waiting],
            "signals": [
                {
                    "id": str(new_id()),
                    "step_id": str(blamed.step_id),
                    "blame_step": blamed.path,
                    "from_step": plan.sender_path,
                    "revision": blamed.revision,
                    **blamed.signal.model_dump(include={"contract_path", "diagnostic", "severity", "hint"}),
                }
                for blamed in plan.signals
            ],
        }
    )
