"""How a project is shown: what was built, what was not, how it was verified, and what to type next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from knative.cli.tables import harmless

if TYPE_CHECKING:
    from pathlib import Path

    from shared.software.projects import Project

_NEXT: Final = {
    "api": "make run          # listens on PORT (8000 unless set); its API is described at /openapi.json",
    "command_line": "make install     # then .venv/bin holds the program",
    "library": "make install     # then the package can be imported from .venv",
}


def summary(project: Project, folder: Path | None) -> dict[str, Any]:
    """Give a project as JSON, with the folder that it was written to."""
    return {
        "verified": project.state == "completed",
        "folder": None if folder is None else str(folder),
        **project.model_dump(mode="json"),
    }


def tell(project: Project, folder: Path | None) -> None:
    """Print a project for people.

    Args:
        project: It.
        folder: Where it was written to; None when it was not.
    """
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    result = project.result
    if result is None:
        if project.state == "running":
            console.print(f"Its run is still at work: watch it with `hal9 runs watch {project.run_id}`.")
        else:
            console.print(f"[red]Nothing was built.[/red] {_literally(project.reason or '')}")
        return
    written = f" in {_literally(str(folder))}" if folder is not None else ""
    console.print(f"\n[bold]{_literally(result.title)}[/bold]  {result.files} files{written}")
    for clause in result.built:
        console.print(f"  [green]✓[/green] {_literally(clause)}")
    for missing in result.not_done:
        text, reason = _literally(missing.text), _literally(missing.reason)
        console.print(f"  [yellow]○[/yellow] {text}  [dim]not done: {reason}[/dim]")
    console.print(_verification(project))
    console.print(f"Engine: {project.engine or 'none'}. Cost: ${project.cost_microdollars / 1e6:.4f}.")
    if project.state != "completed" and project.reason:
        console.print(f"[red]{_literally(project.reason)}[/red]")


def _literally(text: str) -> str:
    """Keep a text from being read as markup, or as orders to the terminal: another organisation may have written it."""
    from rich.markup import escape

    return escape(harmless(text))


def what_next(project: Project, folder: Path) -> list[str]:
    """Give the commands that try a project that was written."""
    kind = "" if project.result is None else project.result.kind
    return [f"cd {folder}", "make test", _NEXT.get(kind, "make install")]


def _verification(project: Project) -> str:
    result = project.result
    if result is None:
        return ""
    checks = ", ".join(
        f"{check.name} {'passed' if check.passed else 'FAILED'} ({check.seconds:.1f} s)" for check in result.checks
    )
    verdict = "[green]Verified[/green]" if result.verified else "[red]Not verified[/red]"
    return f"{verdict}: {checks}; {result.tests_passed} tests passed; isolation: {result.isolation}."
