"""The mover: takes one organisation from its shard to another while it works.

    mover = Mover(admin_addresses)
    move = await mover.move(org_id, 2)      # begins it, or goes on with it where another mover was killed
    await mover.cancel(org_id)              # before the cut-over: everything is as it was

    planned, publishing, copying, verifying, switched, finished; from any of the first four: cancelling, cancelled

Each step is noted in the directory when it is done, and may be done again. Promises: one home at every moment
(`shared.placement.homes`), also when a replica takes over from either shard's primary meanwhile; every row is compared
before writers are held; writers are held for at most a second, else they are let go and it is tried again; who only
reads is never held; a copy that fills the new shard's disk is taken back; what a killed mover left is taken up by the
next one, and a fence that it left is lifted by whoever waits there; whether the organisation may be on the new shard is
asked again right before writers are held.
Does not: move objects, sequences' gaps, or definitions; wait for ever: when a server is away for `patience_seconds`, or
nothing goes on for as long, it raises `StuckError`, and the next mover goes on.
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import asyncpg

from shared.chaos import point
from shared.clock import SystemClock
from shared.identifiers import new_id
from shared.placement import catalogue, hands, homes, moves, points, replication, room, verification
from shared.placement.refused import RefusedError, StuckError
from shared.shards import topology
from shared.tasks import together

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from uuid import UUID

    from shared.clock import Clock
    from shared.placement.catalogue import Table
    from shared.placement.hands import Hands
    from shared.placement.moves import Move
    from shared.placement.verification import Verified

FENCE_SECONDS: Final = 1.0
"""For how long writers are held at most. Less than the 1.5 s after which they lift a fence themselves."""

FENCES: Final = 20
"""How often it is tried: a transaction that is open for longer than a fence may be in the way."""

_BETWEEN_SECONDS: Final = 0.5
"""After a fence that did not do, so that whoever waited at it gets through before the next one."""

_NEAR: Final = ((5.0, FENCE_SECONDS / 2), (3.0, 0.1), (1.0, 0.05), (0.0, 0.02))
"""How far behind the new shard may be at the fence, in seconds: (when it was waited for so long, so far)."""

_LOST_SECONDS: Final = 5.0
"""A table whose slot is gone is usually done in the next moment; for so long it is not."""

_DRAIN_MILLISECONDS: Final = int(FENCE_SECONDS * 800)
_NOT_THERE: Final = "it is not where it was when this was planned"
_WIPE_ROWS: Final = 5000
_LOOK_SECONDS: Final = 0.05
_POLL_SECONDS: Final = 0.001
_MARKERS: Final = "public.move_markers"


class Progress(NamedTuple):
    """How far a move is.

    Attributes:
        move: The move.
        what: What is done now.
        done: Of how many.
        total: Of all; 0 when it is not known.
    """

    move: Move
    what: str
    done: int = 0
    total: int = 0


async def _untold(org_id: UUID, epoch: int) -> None:
    del org_id, epoch


def _unseen(progress: Progress) -> None:
    del progress


class Mover:
    """Moves organisations, one at a time.

    Args:
        addresses: Of the shards in order, for the role that owns the tables; the servers' own, not a pooler's.
        links: The same as the shards' servers reach one another; `addresses` when left out.
        told: Is told an organisation and its epoch when the directory knows its new home: invalidates caches.
        seen: Is shown how far a move is.
        patience_seconds: How long a server may be away.
        clock: Waits, and measures.
    """

    def __init__(
        self,
        addresses: Sequence[str],
        *,
        links: Sequence[str] | None = None,
        told: Callable[[UUID, int], Awaitable[None]] = _untold,
        seen: Callable[[Progress], None] = _unseen,
        patience_seconds: float = 60.0,
        clock: Clock | None = None,
    ) -> None:
        self._addresses = list(addresses)
        self._links = list(links or addresses)
        self._told = told
        self._seen = seen
        self._patience = patience_seconds
        self._clock = clock or SystemClock()

    async def move(self, org_id: UUID, target: int, *, retain_seconds: int = 3600) -> Move:
        """Move an organisation, or go on with its move; when that is over already, say so once more.

        Args:
            org_id: The organisation.
            target: The new shard.
            retain_seconds: How long the old copy is kept.

        Returns:
            The move, `finished` or `cancelled`; cancelled also when the copy was not right, as its `reason` says.

        Raises:
            RefusedError: It may not be moved there, or another mover is at it.
            StuckError: It does not go on.
        """
        async with hands.connected(self._addresses[0]) as directory:
            move = await moves.unfinished(directory, org_id) or await moves.arrived(directory, org_id, target)
            if move is None:
                move = await self._plan(directory, org_id, target, retain_seconds)
            elif move.target != target:
                raise RefusedError(
                    f"{org_id} is not moved to shard {target}",
                    [f"its move to shard {move.target} is not over: go on with that, or cancel it"],
                )
        return move if move.over else await self.carry_on(move)

    async def cancel(self, org_id: UUID) -> Move:
        """Cancel the organisation's move: here, or have the mover do so that is at it.

        Raises:
            RefusedError: There is nothing to cancel, or it was cut over already.
            StuckError: It does not go on.
        """
        async with hands.connected(self._addresses[0]) as directory:
            move = await moves.ask_to_cancel(directory, org_id)
            if move is None:
                raise RefusedError(f"no move of {org_id} is cancelled", ["none is under way"])
            limit = self._clock.monotonic() + self._patience
            while not move.over:
                try:
                    return await self.carry_on(move)
                except StuckError as error:
                    raise StuckError(f"{error}{await self._let_go(directory, move)}") from error
                except RefusedError:  # another mover is at it, and will see
                    if self._clock.monotonic() > limit:
                        raise
                await self._clock.sleep(_LOOK_SECONDS)
                move = await moves.get(directory, org_id, move.move_id)
        return move

    async def carry_on(self, move: Move) -> Move:
        """Do what is left of a move, whatever servers do meanwhile.

        Raises:
            RefusedError: Another mover is at it, or it could not begin.
            StuckError: It does not go on.
        """
        limit = self._clock.monotonic() + self._patience
        while True:
            since = math.inf
            try:
                async with hands.opened(self._addresses, self._links, move.org_id, move.source, move.target) as opened:
                    since = self._clock.monotonic()
                    move = await moves.get(opened.directory, move.org_id, move.move_id)
                    while not move.over:
                        move = await self._step(opened, move)
                        limit = self._clock.monotonic() + self._patience
                    return move
            except Exception as error:
                if not hands.unavailable(error):
                    raise
                now = self._clock.monotonic()
                if now - since > self._patience:  # they answered for long: they are away since now
                    limit = now + self._patience
                if now > limit:
                    raise StuckError(
                        f"a server has not answered for {self._patience:.0f} s ({type(error).__name__}: {error}); the "
                        f"move stands at the step `{move.step}`: give the same command again, or cancel it"
                    ) from error
            await self._clock.sleep(0.2)

    async def _plan(self, directory: Any, org_id: UUID, target: int, retain_seconds: int) -> Move:
        row = await directory.fetchrow(
            "SELECT shard, region, epoch, pinned FROM directory.organisations WHERE org_id = $1", org_id
        )
        if row is None:
            raise RefusedError(f"{org_id} is not moved", ["there is no such organisation"])
        refusal = (await topology.read(directory)).refusal(target, row["region"], pinned=row["pinned"])
        reasons = [refusal] if refusal else []
        if row["shard"] == target:
            reasons.append(f"it is on shard {target}")
        if reasons:
            raise RefusedError(f"{org_id} is not moved to shard {target}", reasons)
        move_id = new_id()
        await moves.add(directory, (org_id, move_id, None, 0, row["shard"], target, row["epoch"], retain_seconds))
        point(points.PLANNED)
        return await moves.get(directory, org_id, move_id)

    async def _step(self, opened: Hands, move: Move) -> Move:
        if move.cancelling and move.step in moves.BEFORE_CUT_OVER:
            return await moves.note(opened.directory, move, "cancelling", reason="somebody cancelled it")
        step = {
            "planned": self._begin,
            "publishing": self._publish,
            "copying": self._copy,
            "verifying": self._cut_over,
            "switched": self._tidy,
            "cancelling": self._roll_back,
        }[move.step]
        try:
            return await step(opened, move)
        except _UnwantedError:
            return await moves.get(opened.directory, move.org_id, move.move_id)
        except _FullError:
            return await self._give_up(opened, move, _full(move))
        except asyncpg.DiskFullError as error:
            return await self._without_room(opened, move, error)

    async def _without_room(self, opened: Hands, move: Move, error: asyncpg.DiskFullError) -> Move:
        """Take a move back whose new shard has no room, as everybody there is refused meanwhile."""
        if not await room.is_full(opened.new):
            raise StuckError(
                f"a server's disk is full ({error}); the move stands at the step `{move.step}`: give it more room, "
                "then give the same command again, or cancel it"
            ) from error
        if move.step in moves.BEFORE_CUT_OVER:
            return await self._give_up(opened, move, _full(move))
        left = f"; the move stands at the step `{move.step}`, and the same command goes on with it"
        raise StuckError(f"{_full(move)}{left}{await self._let_go(opened.directory, move)}") from error

    async def _begin(self, opened: Hands, move: Move) -> Move:
        self._seen(Progress(move, "looking whether it can be moved"))
        reasons = await self._reasons(opened, move)
        if not reasons and not await homes.claim(opened.old, move.org_id, move.epoch, move.move_id):
            reasons = [f"shard {move.source} does not have it at home in the epoch {move.epoch}"]
        if reasons:
            error = RefusedError(f"{move.org_id} is not moved to shard {move.target}", reasons)
            await moves.note(opened.directory, move, "cancelled", reason="; ".join(reasons))
            raise error
        point(points.CLAIMED)
        return await moves.note(opened.directory, move, "publishing")

    async def _reasons(self, opened: Hands, move: Move) -> list[str]:
        """Why a move cannot begin; also one that was planned a while ago."""
        if (refusal := await self._refusal(opened, move)) == _NOT_THERE:
            return [_NOT_THERE]
        reasons = [refusal] if refusal else []
        reasons += await replication.faults(opened.old, opened.new, opened.link)
        reasons += catalogue.differences(await catalogue.tables(opened.old), await catalogue.tables(opened.new))
        reasons += [
            f"{name} is UNLOGGED, so that its rows would not come along: ALTER TABLE {name} SET LOGGED, or let its "
            "comment say `hal9: stays`"
            for name in await catalogue.unlogged(opened.old)
        ]
        if not reasons and hands.on_socket(self._addresses[move.target]):
            full = await room.fault(opened.old, opened.new, move.org_id)
            reasons += [full] if full else []
        return reasons

    async def _refusal(self, opened: Hands, move: Move) -> str | None:
        """Why the organisation may not go there, as the directory says now."""
        row = await opened.directory.fetchrow(
            "SELECT shard, region, epoch, pinned FROM directory.organisations WHERE org_id = $1", move.org_id
        )
        if row is None or (row["shard"], row["epoch"]) != (move.source, move.epoch):
            return _NOT_THERE
        return (await topology.read(opened.directory)).refusal(move.target, row["region"], pinned=row["pinned"])

    async def _require_wanted(self, opened: Hands, move: Move) -> None:
        if (await moves.get(opened.directory, move.org_id, move.move_id)).cancelling:
            raise _UnwantedError

    async def _publish(self, opened: Hands, move: Move) -> Move:
        name = replication.name_of(move.move_id)
        self._seen(Progress(move, "preparing the copy"))
        if not await replication.subscribed(opened.new, name):
            if (refusal := await self._refusal(opened, move)) is not None:
                return await self._give_up(opened, move, refusal)
            if not await homes.arrive(opened.new, move.org_id, move.epoch + 1, move.move_id):
                return await self._give_up(opened, move, f"shard {move.target} has it at home in a later epoch")
            await self._wipe(opened.new, move.org_id, move.epoch + 1)
            await self._published(opened, move, name)
            point(points.PUBLISHED)
            await replication.subscribe(opened.new, name, opened.link)
            point(points.SUBSCRIBED)
        return await moves.note(opened.directory, move, "copying")

    async def _published(self, opened: Hands, move: Move, name: str) -> None:
        """Publish, which waits for every transaction that is open on the old shard."""
        limit = self._clock.monotonic() + self._patience
        tables = await catalogue.tables(opened.old)
        publishing = asyncio.ensure_future(replication.publish(opened.old, name, tables, move.org_id))
        try:
            while not (await asyncio.wait([publishing], timeout=_BETWEEN_SECONDS))[0]:
                await self._require_wanted(opened, move)
                if self._clock.monotonic() > limit:
                    raise StuckError(
                        f"transactions on shard {move.source} have been open for {self._patience:.0f} s, and a copy "
                        "can only begin after them: `hal9 shards list` shows the oldest, `hal9 transactions in-doubt` "
                        f"those that are prepared. The move stands at the step `{move.step}`: give the same command "
                        "again, or cancel it"
                    )
            await publishing
        except asyncpg.ConfigurationLimitExceededError as error:
            raise StuckError(
                f"the server of shard {move.source} has no replication slot left ({error}); the move stands at the "
                f"step `{move.step}`: give the same command again when other moves are over, or cancel it"
            ) from error
        finally:
            publishing.cancel()
            await asyncio.wait([publishing])

    async def _copy(self, opened: Hands, move: Move) -> Move:
        name = replication.name_of(move.move_id)
        limit = self._clock.monotonic() + self._patience
        farthest = (-1, 0, 0)
        errors = 0
        lost = math.inf
        while True:
            state = await replication.copying(opened.new, name)
            self._seen(Progress(move, "copying tables", state.ready, state.tables))
            if state.tables and state.ready == state.tables:
                break
            if not await replication.kept(opened.old, name):
                return await self._give_up(opened, move, "the old shard's server did not keep the log for the copy")
            if not await replication.lost(opened.old, opened.new, name):
                lost = math.inf
            elif self._clock.monotonic() - (lost := min(lost, self._clock.monotonic())) > _LOST_SECONDS:
                reason = "the new shard's server ended suddenly and lost a table's state"
                return await self._give_up(opened, move, reason)
            await self._require_wanted(opened, move)
            if state.errors > errors and await room.is_full(opened.new):
                return await self._give_up(opened, move, _full(move))
            errors = state.errors
            if state.progress > farthest:
                farthest, limit = state.progress, self._clock.monotonic() + self._patience
            elif self._clock.monotonic() > limit:
                raise StuckError(
                    f"copying does not go on: {state.ready} of {state.tables} tables are there, {state.errors} tries "
                    f"failed. Look into the log of the server of shard {move.target}, then give the same command "
                    "again, or cancel it."
                )
            await self._clock.sleep(_LOOK_SECONDS)
        point(points.COPIED)
        return await moves.note(opened.directory, move, "verifying")

    async def _cut_over(self, opened: Hands, move: Move) -> Move:
        """Verify every table, hold the writers, and let them go to the new home."""
        name = replication.name_of(move.move_id)
        if await homes.closed(opened.old, move.org_id, move.epoch, move.target):
            return await self._switch(opened, move)
        if not await homes.claim(opened.old, move.org_id, move.epoch, move.move_id):
            return await self._give_up(opened, move, f"shard {move.source} does not have it at home any more")
        if not await replication.kept(opened.old, name):
            return await self._give_up(opened, move, "the old shard's server did not keep the log for the copy")
        try:
            compared = await self._compare(opened, move)
            point(points.VERIFIED)
            for attempt in range(FENCES):
                await self._require_wanted(opened, move)
                if (refusal := await self._refusal(opened, move)) is not None:
                    return await self._give_up(opened, move, refusal)
                await self._near(opened, move)
                self._seen(Progress(move, "cutting over", attempt, FENCES))
                pause = await self._fence(opened, move, compared)
                if pause is not None:
                    rows = sum(one.rows for one in compared.tables)
                    return await self._switch(opened, move, rows=rows, pause_ms=pause * 1000)
                await self._clock.sleep(min(4.0, _BETWEEN_SECONDS * 2**attempt))
        except (verification.DivergedError, _ChangedError) as error:
            return await self._give_up(opened, move, str(error))
        except verification.TooHotError as error:
            raise StuckError(f"{error}; the move stands at the step `{move.step}`") from error
        raise StuckError(
            f"{FENCES} times somebody's transaction was open for longer than {FENCE_SECONDS:g} s, so writers were let "
            "go again. Look for long transactions with `hal9 shards list`, then give the same command again, or cancel "
            "it."
        )

    async def _compare(self, opened: Hands, move: Move) -> _Compared:
        """Compare every table, while writers work."""
        old = await catalogue.tables(opened.old)
        published = await replication.published(opened.old, replication.name_of(move.move_id))
        _require_unchanged(old, await catalogue.tables(opened.new), published)
        listed = [table for table in old if table.name != _MARKERS]
        verified = []

        async def caught_up() -> None:
            await self._mark(opened, move)

        for number, table in enumerate(listed):
            await self._require_wanted(opened, move)
            self._seen(Progress(move, f"comparing {table.name.removeprefix('public.')}", number, len(listed)))
            verified.append(await verification.verify(opened.old, opened.new, table, move.org_id, caught_up))
        return _Compared(published, verified)

    async def _near(self, opened: Hands, move: Move) -> None:
        """Return when the new shard is hardly behind; the longer that takes, the less is asked of it."""
        began = self._clock.monotonic()
        while True:
            marked = self._clock.monotonic()
            await self._mark(opened, move)
            now = self._clock.monotonic()
            allowed = next(seconds for after, seconds in _NEAR if now - began >= after)
            if now - marked < allowed:
                return
            if now - began > self._patience:
                raise StuckError(
                    f"the new shard stays {now - marked:.1f} s behind; the move stands at the step `{move.step}`: give "
                    "the same command again when there is less to do"
                )

    async def _mark(self, opened: Hands, move: Move) -> None:
        """Return when the new shard has what was committed on the old one when this was called."""
        marker = new_id()
        await opened.old.execute("INSERT INTO move_markers (org_id, id) VALUES ($1, $2)", move.org_id, marker)
        await self._arrived(opened, move, marker)

    async def _arrived(self, opened: Hands, move: Move, marker: UUID) -> None:
        """Return when a marker has come through to the new shard."""
        limit = self._clock.monotonic() + self._patience
        while not await opened.new.fetchval(
            "SELECT true FROM move_markers WHERE org_id = $1 AND id = $2", move.org_id, marker
        ):
            if self._clock.monotonic() > limit:
                if await room.is_full(opened.new):
                    raise _FullError
                errors = (await replication.copying(opened.new, replication.name_of(move.move_id))).errors
                raise StuckError(
                    f"nothing has come through to the new shard for {self._patience:.0f} s, {errors} tries failed. "
                    f"Look into the log of the server of shard {move.target}; the move stands at the step "
                    f"`{move.step}`: give the same command again, or cancel it"
                )
            await self._clock.sleep(_POLL_SECONDS)

    async def _fence(self, opened: Hands, move: Move, compared: _Compared) -> float | None:
        """Hold the writers and cut over; give for how long, None when they were let go at the old home."""
        fence_id = new_id()
        began = self._clock.monotonic()
        if not await homes.fence(opened.old, move.org_id, move.epoch, move.move_id, fence_id):
            await homes.claim(opened.old, move.org_id, move.epoch, move.move_id)
            return None
        point(points.FENCED)
        try:
            async with asyncio.timeout(FENCE_SECONDS):
                if await self._behind_the_fence(opened, move, fence_id, compared):
                    point(points.CLOSED)
                    return self._clock.monotonic() - began
        except (TimeoutError, asyncpg.LockNotAvailableError):
            pass
        except BaseException:
            await homes.reopen(opened.aside, move.org_id, move.epoch, fence_id)
            raise
        if await homes.reopen(opened.aside, move.org_id, move.epoch, fence_id):
            return None
        # Either whoever waited lifted it, or it was closed in the very moment when time was up.
        closed = await homes.closed(opened.aside, move.org_id, move.epoch, move.target)
        return self._clock.monotonic() - began if closed else None

    async def _behind_the_fence(self, opened: Hands, move: Move, fence_id: UUID, compared: _Compared) -> bool:
        marker = new_id()
        sequences = sorted({name for one in compared.tables for name in one.table.sequences})
        await homes.drain(opened.old, move.org_id, _DRAIN_MILLISECONDS, marker)

        async def ask_old() -> tuple[list[Table], dict[str, int]]:
            return await catalogue.tables(opened.old), await catalogue.last_numbers(opened.old, sequences)

        async def ask_new() -> list[Table]:
            tables = await catalogue.tables(opened.new)
            await self._arrived(opened, move, marker)
            return tables

        # Whatever has to be asked is asked while the last writes are on their way.
        (old, numbers), new = await together(ask_old(), ask_new())
        point(points.DRAINED)
        _require_unchanged(old, new, compared.published)
        await verification.verify_hot(opened.old, opened.new, compared.tables, move.org_id)
        # Sequences do not replicate: what they gave out on the old shard they must not give out on the new one.
        await catalogue.advance(opened.new, numbers)
        if not await homes.activate(opened.new, move.org_id, move.epoch + 1, move.move_id):
            raise _ChangedError([f"the copy on shard {move.target} belongs to another move"])
        point(points.ACTIVATED)
        return await homes.close(opened.old, move.org_id, move.epoch, fence_id, move.target)

    async def _switch(self, opened: Hands, move: Move, **known: Any) -> Move:
        shard = (await topology.read(opened.directory)).shard(move.target)
        switched = await moves.switch(opened.directory, move, None if shard is None else shard.region, **known)
        point(points.SWITCHED)
        return switched

    async def _tidy(self, opened: Hands, move: Move) -> Move:
        """After the cut-over: tell the caches, end the replication; the old copy stays for a while."""
        await self._told(move.org_id, move.epoch + 1)
        self._seen(Progress(move, "ending the replication"))
        await self._end_replication(opened, move)
        point(points.UNSUBSCRIBED)
        await opened.new.execute("DELETE FROM move_markers WHERE org_id = $1", move.org_id)
        await homes.settle(opened.new, move.org_id, move.epoch + 1, move.move_id)
        return await moves.note(opened.directory, move, "finished")

    async def _end_replication(self, opened: Hands, move: Move) -> None:
        name = replication.name_of(move.move_id)
        await replication.unsubscribe(opened.new, name)
        await self._unpublished(opened.old, move)

    async def _unpublished(self, old: Any, move: Move) -> None:
        limit = self._clock.monotonic() + self._patience
        while not await replication.unpublish(old, replication.name_of(move.move_id)):
            if self._clock.monotonic() > limit:
                raise StuckError(
                    f"somebody still reads the slot {replication.name_of(move.move_id)} on shard {move.source}; the "
                    f"move stands at the step `{move.step}`: give the same command again"
                )
            await self._clock.sleep(_LOOK_SECONDS)

    async def _give_up(self, opened: Hands, move: Move, reason: str) -> Move:
        return await moves.note(opened.directory, move, "cancelling", reason=reason)

    async def _roll_back(self, opened: Hands, move: Move) -> Move:
        """Everything as it was, unless it was cut over already: then forwards."""
        self._seen(Progress(move, "taking back what was done"))
        released = await homes.release(opened.old, move.org_id, move.epoch, move.move_id)
        if not released and await homes.closed(opened.old, move.org_id, move.epoch, move.target):
            return await moves.note(opened.directory, move, "verifying", cancelling=False)
        point(points.UNCLAIMED)
        await self._end_replication(opened, move)
        # Only once the old shard has let go of the move is it certain that the copy cannot become the home.
        if released and await homes.retire(opened.new, move.org_id, move.epoch + 1, move.move_id):
            await self._wipe(opened.new, move.org_id, move.epoch + 1)
            point(points.WIPED)
            await homes.forget(opened.new, move.org_id, move.epoch + 1)
        await opened.old.execute("DELETE FROM move_markers WHERE org_id = $1", move.org_id)
        return await moves.note(opened.directory, move, "cancelled")

    async def _let_go(self, directory: Any, move: Move) -> str:
        """Have the old shard keep nothing for a cancelled move, whatever keeps the new one from it; say so."""
        move = await moves.get(directory, move.org_id, move.move_id)
        try:
            await hands.lock(directory, move.org_id)
            async with hands.connected(await hands.replicating(self._addresses[move.source])) as old:
                if not await homes.release(old, move.org_id, move.epoch, move.move_id):
                    return ""
                await self._unpublished(old, move)
        except (*hands.AWAY, RefusedError, StuckError):
            return ""
        return (
            f". Shard {move.source} has let go of it and keeps no log for it any more: what is left is on shard "
            f"{move.target}, and goes when it answers"
        )

    async def _wipe(self, shard: Any, org_id: UUID, epoch: int) -> None:
        while await shard.fetchval("SELECT tenant_wipe($1, $2, $3)", org_id, epoch, _WIPE_ROWS):
            pass


class _Compared(NamedTuple):
    """What was compared before the fence.

    Attributes:
        published: Names of the tables that are copied.
        tables: What was compared of each.
    """

    published: set[str]
    tables: Sequence[Verified]


def _require_unchanged(old: Sequence[Table], new: Sequence[Table], published: set[str]) -> None:
    """Refuse to go on when tables came or changed since the copy began."""
    changed = [table.name for table in old if table.name not in published]
    changed += catalogue.differences(old, new)
    if changed:
        raise _ChangedError(changed)


class _UnwantedError(Exception):
    """Somebody has asked for the move to be cancelled."""


class _FullError(Exception):
    """The new shard's disk is full."""


def _full(move: Move) -> str:
    return (
        f"the disk of the server of shard {move.target} is full, so that everybody there is refused: give it more "
        "room, then give the same command again"
    )


class _ChangedError(Exception):
    """What moves is not what was copied any more."""

    def __init__(self, changed: Sequence[str]) -> None:
        super().__init__(f"tables changed while it was copied ({', '.join(changed)}): move it again")
