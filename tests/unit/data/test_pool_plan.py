"""The arithmetic of connections: what is refused, and that what is advised is enough."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from knative.cli.main import main
from knative.cli.pools import holders_of
from knative.description import load_all
from knative.render.proofs import Deliverers
from knative.render.services import service
from knative.render.target import Target
from shared.pools import Holder, Plan, Server

FUNCTIONS = load_all(Path(__file__).parents[3] / "functions")

holders = st.lists(
    st.builds(Holder, st.just("one"), st.integers(1, 100), st.integers(1, 20), st.booleans()), min_size=1, max_size=6
)
servers = st.lists(
    st.builds(
        Server,
        st.sampled_from(["a", "b", "c"]),
        st.lists(st.integers(0, 9), min_size=1, max_size=3).map(tuple),
        st.integers(20, 5000),
        st.integers(0, 5),
        st.integers(0, 5),
        st.integers(0, 5),
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda server: server.name,
)


def test_the_sum_is_that_of_the_notes() -> None:
    plan = Plan([Server("one", (0,), 100)], [Holder("a", 10, 4), Holder("b", 5, 2)], standing=[])
    (use,) = plan.uses
    assert (use.steady, use.surge) == (50, 100)
    assert (use.server.limit, use.most_steady, use.most_surge) == (97, 77, 97)
    assert plan.faults == ("one: 100 connections while two revisions run side by side, more than 97",)


def test_shards_on_one_server_share_its_connections() -> None:
    apart = Plan([Server("a", (0,), 100), Server("b", (1,), 100)], [Holder("f", 10, 4)])
    together = Plan([Server("a", (0, 1), 100)], [Holder("f", 10, 4)])
    assert apart.faults == ()
    assert len(together.faults) == 2


def test_what_others_hold_is_not_ours() -> None:
    holder = Holder("f", 10, 4)
    assert Plan([Server("a", (0,), 100)], [holder]).faults == ()
    assert Plan([Server("a", (0,), 100, others=40)], [holder]).faults


@given(servers, holders)
def test_the_advised_pool_is_the_largest_that_fits(servers: list[Server], holders: list[Holder]) -> None:
    advised = Plan(servers, holders).advice().connections

    def fits(size: int) -> bool:
        return not Plan(servers, [Holder(one.name, one.instances, size, one.rolls_out) for one in holders]).faults

    assert advised == 0 or fits(advised)
    assert not fits(advised + 1)


@given(servers, holders)
def test_the_advised_max_connections_is_the_least_that_fits(servers: list[Server], holders: list[Holder]) -> None:
    needed = Plan(servers, holders).advice().max_connections

    def with_setting(change: int) -> Plan:
        return Plan(
            [
                Server(
                    one.name, one.shards, needed[one.name] + change, one.superuser_reserved, one.reserved, one.others
                )
                for one in servers
            ],
            holders,
        )

    assert with_setting(0).faults == ()
    short = with_setting(-1)
    assert all(use.faults for use in short.uses)


@given(servers, holders)
def test_a_pooler_never_takes_more_than_the_server_has_room_for(servers: list[Server], holders: list[Holder]) -> None:
    plan = Plan(servers, holders)
    advice = plan.advice()
    beside = sum(one.steady for one in plan.standing)
    for use in plan.uses:
        pool = advice.pooler_pool[use.server.name]
        assert pool == 0 or len(use.server.shards) * (pool + beside) <= use.most_steady
    assert advice.pooler_clients == plan.surge


def test_every_deployment_with_a_database_is_counted() -> None:
    names = {holder.name for holder in holders_of(FUNCTIONS, "production")}
    assert names == {
        one.name for function in FUNCTIONS if "database" in function.needs for one in function.deployments()
    }
    scaled = {holder.name: holder.instances for holder in holders_of(FUNCTIONS, "production")}
    assert scaled["neuron-l2"] == 50


def test_the_manifests_say_the_planned_pool() -> None:
    for holder in holders_of(FUNCTIONS, "production", 2):
        deployment = next(
            one for function in FUNCTIONS for one in function.deployments("production") if one.name == holder.name
        )
        for target, expected in (
            (Target("us-west"), deployment.resources.connections),
            (Target("us-west", pool_size=2), holder.connections),
        ):
            (container,) = service(deployment, Deliverers(), target)["spec"]["template"]["spec"]["containers"]
            variables = {one["name"]: one.get("value") for one in container["env"]}
            assert variables["HAL9_POOL_SIZE"] == str(expected)


def test_a_server_that_keeps_all_its_connections_is_refused() -> None:
    done = CliRunner().invoke(main, ["pools", "plan", "--max-connections", "10", "--reserved", "20"])
    assert done.exit_code == 2
    assert "--max-connections 10 with --reserved 20 leaves no connection" in done.output
