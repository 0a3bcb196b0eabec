"""What the templates of a command line need to know: each command's arguments, and the function that runs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.synthesis.database import nullable
from functions.neuron.synthesis.python import names
from functions.neuron.synthesis.python.entities import EntityView, relation_methods, view_method
from functions.neuron.synthesis.python.functions import constant
from shared.software import designs
from shared.software.specification import FieldSpec, FieldType, OperationKind, Parameter, Relation, Specification

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shared.software.designs import CommandDesign

_CONVERTERS: Final = {
    FieldType.INTEGER: "int",
    FieldType.REFERENCE: "int",
    FieldType.NUMBER: "float",
    FieldType.DECIMAL: "_decimal",
    FieldType.BOOLEAN: "_flag",
    FieldType.DATE: "_day",
    FieldType.DATETIME: "_moment",
    FieldType.TIME: "_time_of_day",
    FieldType.UUID: "_identifier",
}
_SOURCES: Final = {
    "_decimal": """def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise argparse.ArgumentTypeError(f"must be a number, not {text!r}") from error""",
    "_flag": """def _flag(text: str) -> bool:
    words = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
    if text.lower() not in words:
        raise argparse.ArgumentTypeError(f"must be yes or no, not {text!r}")
    return words[text.lower()]""",
    "_day": """def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"must be a date such as 2026-01-31, not {text!r}") from error""",
    "_moment": """def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"must be a moment such as 2026-01-31T09:30, not {text!r}") from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment""",
    "_time_of_day": """def _time_of_day(text: str) -> time:
    try:
        return time.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"must be a time such as 09:30, not {text!r}") from error""",
    "_identifier": """def _identifier(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"must be a UUID, not {text!r}") from error""",
    "_optional": '''def _optional(convert: Callable[[str], Any]) -> Callable[[str], Any]:
    """Let an empty text stand for no value."""

    def converted(text: str) -> Any:
        return convert(text) if text else None

    return converted''',
    "_read": '''def _read(name: str) -> str:
    """Give the text of a file, or of standard input for `-`."""
    return sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")''',
}


_PAGE: Final = (
    'add_argument("--limit", type=int, default=1000, metavar="N", help="at most so many")',
    'add_argument("--offset", type=int, default=0, metavar="N", help="skip so many")',
)


class CommandWriter:
    """Writes the parts of the command line's module."""

    def __init__(
        self, specification: Specification, views: list[EntityView], commands: Iterable[CommandDesign]
    ) -> None:
        self._specification = specification
        self._views = {view.name: view for view in views}
        self.commands = list(commands)
        self._source = "\n".join([*self.functions, *self.adders, *self.parser_lines])

    @property
    def several(self) -> bool:
        """Say whether the program has commands, or does one thing only."""
        return bool(self.commands) and bool(self.commands[0].name)

    @property
    def computes(self) -> bool:
        """Say whether a command computes something."""
        return any(command.operation is OperationKind.COMPUTE for command in self.commands)

    @property
    def parser_lines(self) -> list[str]:
        """Write what the parser is made of."""
        if not self.several:
            command = self.commands[0]
            return [
                "_add_json(parser)",
                f"parser.set_defaults(run=_run_{command.function})",
                *(f"parser.{argument}" for argument in self._arguments(command)),
            ]
        lines = ["_add_json(parser, default=False)"]
        lines += ['commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")']
        return lines + [f"_add_{command.function}(commands)" for command in self.commands]

    @property
    def adders(self) -> list[str]:
        """Write the functions that add commands to the parser."""
        if not self.several:
            return []
        found = []
        for command in self.commands:
            summary = names.text(names.sentence(command.summary).replace("%", "%%"))
            arguments = self._arguments(command)
            call = f"_command(commands, {names.text(command.name)}, _run_{command.function}, {summary})"
            lines = [
                f'def _add_{command.function}(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:'
            ]
            lines.append(f"    command = {call}" if arguments else f"    {call}")
            lines += [f"    command.{argument}" for argument in arguments]
            found.append("\n".join(lines))
        return found

    @property
    def functions(self) -> list[str]:
        """Write the functions that run commands."""
        stored = bool(self._views)
        found = []
        for command in self.commands:
            compute = command.operation is OperationKind.COMPUTE
            first = ("_program: Program, " if compute else "program: Program, ") if stored else ""
            taken = "_options" if command.operation is OperationKind.REPORT else "options"
            head = f"def _run_{command.function}({first}{taken}: argparse.Namespace) -> object:"
            found.append("\n".join([head, *(f"    {line}" for line in self._body(command))]))
        return found

    @property
    def converters(self) -> list[str]:
        """Write the functions that read arguments, as far as commands use them."""
        return [
            source
            for name, source in _SOURCES.items()
            if f"{name}(" in self._source or f"={name}" in self._source or f"({name})" in self._source
        ]

    @property
    def given(self) -> bool:
        """Say whether a command takes only the values that were named."""
        return "_given(" in self._source

    @property
    def reads_files(self) -> bool:
        """Say whether a command reads a file."""
        return any(command.reads_file for command in self.commands)

    # Arguments.

    def _arguments(self, command: CommandDesign) -> list[str]:
        if command.operation is OperationKind.COMPUTE:
            return self._computed_arguments(command)
        view = self._views.get(command.entity or "")
        if view is None:
            return []
        if command.operation is OperationKind.REPORT:
            return []
        if (relation := self._relation(command)) is not None:
            return self._relation_arguments(command, relation)
        if command.operation in {OperationKind.LIST, OperationKind.VIEW}:
            return self._list_arguments(command, view)
        arguments = []
        if "id" in command.positionals:
            arguments.append(f'add_argument("id", type=int, help="the id of the {view.words}")')
        fields = {designs.attribute(field): field for field in view.given}
        placed = [name for name in command.positionals if name in fields]
        arguments += [self._field_argument(fields[name], name, view, placed=True) for name in placed]
        return arguments + [self._field_argument(fields[name], name, view, placed=False) for name in command.options]

    def _relation(self, command: CommandDesign) -> Relation | None:
        """Give the relation that a command puts together, parts, or lists the other side of."""
        if command.operation not in {OperationKind.LINK, OperationKind.UNLINK, OperationKind.LIST}:
            return None
        return next((r for r in self._specification.relations if r.name == command.target), None)

    def _relation_arguments(self, command: CommandDesign, relation: Relation) -> list[str]:
        one, other = (
            f'add_argument("{name}", type=int, metavar="{side.upper()}", help="the id of the {names.words(side)}")'
            for name, side in (("one", relation.left), ("other", relation.right))
        )
        return [one, *_PAGE] if command.operation is OperationKind.LIST else [one, other]

    def _field_argument(self, field: FieldSpec, name: str, view: EntityView, *, placed: bool) -> str:
        shown = designs.exposed(name)
        parts = [names.text(name if placed else f"--{shown.replace('_', '-')}")]
        if shown != name:
            parts.append(f"metavar={names.text(shown)}" if placed else f"dest={names.text(name)}")
        convert = _CONVERTERS.get(field.type)
        if nullable(field, view.entity) and not placed:
            convert = f"_optional({convert or 'str'})"
        if convert is not None:
            parts.append(f"type={convert}")
        if field.type is FieldType.ENUM:
            parts.append(f"choices={names.literal(field.values, None)}")
        if not placed:
            parts.append("default=argparse.SUPPRESS")
            if field.type is not FieldType.ENUM:
                parts.append(f'metavar="{_metavar(field)}"')
        parts.append(f"help={names.text(_help(field))}")
        return f"add_argument({', '.join(parts)})"

    def _list_arguments(self, command: CommandDesign, view: EntityView) -> list[str]:
        arguments = []
        if command.operation is OperationKind.LIST:
            for name in view.listing.filters:
                field = designs.field_of(view.entity, name)
                if field is not None:
                    attribute = designs.attribute(field)
                    optional = self._field_argument(field, attribute, view, placed=False)
                    arguments.append(
                        optional.replace("_optional(", "").replace("),", ",", 1)
                        if "_optional(" in optional
                        else optional
                    )
            if view.listing.search:
                arguments.append('add_argument("--search", metavar="TEXT", help="only those that hold the text")')
            sorts = [self._attribute(view, name) for name in view.listing.sort]
            shown = [designs.exposed(name) for name in sorts]
            choices = [choice for name in shown for choice in (name, f"-{name}")]
            arguments.append(
                f'add_argument("--sort", default="id", choices={names.literal(choices, None)}, metavar="NAME", '
                f"help={names.text('order by ' + ', '.join(shown) + '; --sort=-NAME: descending')})"
            )
        return [*arguments, *_PAGE]

    def _attribute(self, view: EntityView, name: str) -> str:
        field = designs.field_of(view.entity, name)
        return designs.attribute(field) if field else name

    def _computed_arguments(self, command: CommandDesign) -> list[str]:
        computation = next(c for c in self._specification.computations if c.name == command.target)
        arguments: list[str] = []
        for parameter in sorted(computation.parameters, key=lambda p: not p.required):
            if (
                command.reads_file
                and parameter.type is FieldType.TEXT
                and not any("_file" in a or '"file"' in a for a in arguments)
            ):
                arguments.append(
                    'add_argument("file", nargs="?", default="-", help="a file; standard input when left out")'
                )
            else:
                arguments.append(_parameter_argument(parameter))
        return arguments

    # Bodies.

    def _body(self, command: CommandDesign) -> list[str]:
        if command.operation is OperationKind.COMPUTE:
            return self._computed_body(command)
        view = self._views[command.entity or ""]
        service = f"program.{view.module}"
        if (relation := self._relation(command)) is not None:
            return self._relation_body(command, relation, service)
        match command.operation:
            case OperationKind.CREATE:
                return [f"return {service}.create({view.cls}Input.parse(_given(options, {view.cls}Input.names())))"]
            case OperationKind.READ:
                return [f"return {service}.get(options.id)"]
            case OperationKind.UPDATE:
                return [f"return {service}.change(options.id, _given(options, {view.cls}Input.names()))"]
            case OperationKind.DELETE:
                return [f"{service}.delete(options.id)", 'return {"deleted": options.id}']
            case OperationKind.TRANSITION:
                return [f"return {service}.{command.target}_{view.name}(options.id)"]
            case OperationKind.REPORT:
                return [f"return {service}.{command.target}()"]
            case OperationKind.VIEW if command.target:
                chosen = next(v for v in self._specification.views if v.name == command.target)
                method = view_method(chosen, view.entity)
                return [f"return {service}.{method}(Query(limit=options.limit, offset=options.offset))"]
            case _:
                filters = [self._attribute(view, name) for name in view.listing.filters]
                search = "options.search" if view.listing.search else "None"
                named = f"_given(options, {names.literal(filters, None)})" if filters else "{}"
                sort = self._sort(view)
                return [f"return {service}.find(Query({named}, {search}, {sort}, options.limit, options.offset))"]

    def _relation_body(self, command: CommandDesign, relation: Relation, service: str) -> list[str]:
        methods = relation_methods(relation, self._specification)
        if command.operation is OperationKind.LIST:
            query = "Query(limit=options.limit, offset=options.offset)"
            return [f"return {service}.{methods.linked}(options.one, {query})"]
        linking = command.operation is OperationKind.LINK
        method, told = (methods.link, "linked") if linking else (methods.unlink, "unlinked")
        return [f"{service}.{method}(options.one, options.other)", f'return {{"{told}": options.other}}']

    def _sort(self, view: EntityView) -> str:
        """Write what a list is ordered by, as the table names it."""
        renamed = [name for s in view.listing.sort if designs.exposed(name := self._attribute(view, s)) != name]
        if not renamed:
            return "options.sort"
        pairs = (
            f"{names.text(sign + designs.exposed(n))}: {names.text(sign + n)}" for n in renamed for sign in ("", "-")
        )
        return f"{{{', '.join(pairs)}}}.get(options.sort, options.sort)"

    def _computed_body(self, command: CommandDesign) -> list[str]:
        computation = next(c for c in self._specification.computations if c.name == command.target)
        file_read = False
        arguments = []
        for parameter in sorted(computation.parameters, key=lambda p: not p.required):
            if command.reads_file and parameter.type is FieldType.TEXT and not file_read:
                arguments.append("_read(options.file)")
                file_read = True
            else:
                arguments.append(f"options.{parameter.name}")
        return [f"return computations.{computation.name}({', '.join(arguments)})"]


def _parameter_argument(parameter: Parameter) -> str:
    parts = [names.text(parameter.name if parameter.required else f"--{parameter.name.replace('_', '-')}")]
    kind = (parameter.items or FieldType.STRING) if parameter.type is FieldType.LIST else parameter.type
    convert = _CONVERTERS.get(kind)
    if convert is not None:
        parts.append(f"type={convert}")
    if parameter.type is FieldType.LIST:
        parts.append('nargs="*"')
    if parameter.type is FieldType.ENUM:
        parts.append(f"choices={names.literal(parameter.values, None)}")
    if not parameter.required:
        parts.append(f"default={constant(parameter.default, parameter.type)}")
    shown = "" if parameter.required or parameter.default is None else f" (default {parameter.default})"
    described = (parameter.description or f"the {names.words(parameter.name)}") + shown
    parts.append(f"help={names.text(described.replace('%', '%%'))}")
    return f"add_argument({', '.join(parts)})"


def _metavar(field: FieldSpec) -> str:
    kinds = {
        FieldType.REFERENCE: "ID",
        FieldType.DATE: "DATE",
        FieldType.DATETIME: "MOMENT",
        FieldType.BOOLEAN: "YES/NO",
    }
    return kinds.get(field.type, field.name.rpartition("_")[2].upper())


def _help(field: FieldSpec) -> str:
    """Describe a field in a few words: what it is, and its bounds."""
    words = field.description.rstrip(".").replace("%", "%%") or f"the {names.words(field.name)}"
    notes = {
        FieldType.DATE: "such as 2026-01-31",
        FieldType.DATETIME: "such as 2026-01-31T09:30",
        FieldType.BOOLEAN: "yes or no",
        FieldType.REFERENCE: "an id",
    }
    found = [notes[field.type]] if field.type in notes else []
    if field.minimum is not None:
        found.append(f"{'more than' if field.exclusive_minimum else 'at least'} {field.minimum}")
    if field.maximum is not None:
        found.append(f"{'less than' if field.exclusive_maximum else 'at most'} {field.maximum}")
    return f"{words} ({', '.join(found)})" if found else words
