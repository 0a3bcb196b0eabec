"""The entry point of `hal9`: a group that imports a command's module only when that command runs.

Each command lives in `knative/cli/<name>.py` as `command`. Promises: `hal9 --help` imports no command's module, so that
it answers at once. Whatever a command refuses is printed here, in one form (`knative.cli.refusals`).
"""

from __future__ import annotations

import importlib
import sys
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import click

from knative.cli import refusals

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

COMMANDS: Final[dict[str, str]] = {
    "demo": "Start the platform, build a sample project, stay until Ctrl-C.",
    "up": "Start the platform on this machine.",
    "down": "Stop it, leaving no process behind.",
    "status": "Show what runs: functions, instances, servers, broker.",
    "logs": "Show the logs of functions and servers.",
    "codegen": "Turn a request in plain English into a tested project.",
    "projects": "List, show and download what was made.",
    "runs": "Start, show, watch, cancel and replay runs of neurons.",
    "events": "Evaluate filters; list, show and redrive dead letters; publish.",
    "keys": "Create, list and revoke API keys.",
    "usage": "Show what your organisation uses, and what its tier allows.",
    "organisations": "Make and list organisations, change their tiers, as the platform's operator.",
    "sessions": "List and revoke sessions, rotate and shred their keys, as the platform's operator.",
    "shards": "Show the shards; add one, empty one, spread organisations over them.",
    "transactions": "Show and finish transactions over organisations that were cut off.",
    "backup": "Make, list, verify and restore backups, to any moment; archive WAL.",
    "tenants": "Move organisations between shards while they work; pin them to a region.",
    "pools": "Plan the connections between instances and databases.",
    "images": "Make, list and push container images, with no container engine.",
    "capacity": "Say what a load needs: instances, latencies, cost, what to set.",
    "render": "Write the manifests that a Knative cluster needs.",
    "identities": "Make the functions' keys, for who applies manifests with tools of their own.",
    "deploy": "Apply HAL9 to a Knative cluster, and wait until it is ready.",
    "undeploy": "Take away what `hal9 deploy` made.",
    "chaos": "List the named points at which a process can be killed.",
    "migrate": "Bring every shard's schema up to date.",
    "reference": "Write the generated reference: OpenAPI, AsyncAPI, schemas, settings.",
    "toolchains": "Install what generated projects need for their verification.",
}


class _LazyGroup(click.Group):
    """A group whose commands are imported at their first use, and whose refusals all have one form."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run the command line; end the process, unless it is not standalone."""
        run: Callable[[], Any] = partial(super().main, args, prog_name, complete_var, standalone_mode=False, **extra)
        if not standalone_mode:
            return run()
        as_json = refusals.wants_json(sys.argv[1:] if args is None else args)
        try:
            code: Any = run()
        except click.ClickException as error:
            refusals.leave(error, as_json=as_json)
        except click.Abort as error:
            refusals.leave(refusals.interruption(error), as_json=as_json)
        sys.exit(code if isinstance(code, int) else 0)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name every command, in the order of the table."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and give the command of that name, or None when there is none."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"knative.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table of commands without importing any."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="hal9", prog_name="hal9")
def main() -> None:
    """HAL9 runs hierarchical AI agents for business customers, as functions on Knative.

    Start with `hal9 up`, then:

    \b
      hal9 codegen "A library for ..." --lang python --out DIR
      hal9 runs list
      hal9 status

    Every command takes --help, and --json where it prints something.
    """


if __name__ == "__main__":
    main()
