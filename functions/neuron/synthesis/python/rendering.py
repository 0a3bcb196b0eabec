"""Renders templates into source files."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from functions.neuron.synthesis.python.layout import tidy
from shared.software.source import SourceFile

if TYPE_CHECKING:
    import jinja2

NEURON = "python-implementer"


@cache
def _templates() -> jinja2.Environment:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701  (source code, not HTML)
    )
    environment.filters["capitalize_first"] = lambda text: text[:1].upper() + text[1:]
    return environment


class Renderer:
    """Renders the files of one share of one project."""

    def __init__(self, package: str, share: str, renamed: str = "") -> None:
        self._package = package
        self._share = share
        self._renamed = renamed  # the set of the names that Python has another word for; empty when there are none
        self.files: list[SourceFile] = []

    def python(self, path: str, template: str, implements: tuple[str, ...] = (), **names: Any) -> None:
        """Render a Python file and lay it out."""
        source = _templates().get_template(template).render(package=self._package, renamed=self._renamed, **names)
        try:
            laid_out = tidy(source, self._package)
        except SyntaxError as error:
            raise ValueError(f"{path}: {error}\n{source}") from error
        self.add(path, laid_out, implements)

    def text(self, path: str, template: str, implements: tuple[str, ...] = (), **names: Any) -> None:
        """Render a file that is not Python."""
        content = _templates().get_template(template).render(package=self._package, renamed=self._renamed, **names)
        self.add(path, content.strip("\n") + "\n", implements)

    def add(self, path: str, content: str, implements: tuple[str, ...] = ()) -> None:
        """Add a file as it is."""
        self.files.append(
            SourceFile(path=path, content=content, neuron=NEURON, share=self._share, implements=implements)
        )
