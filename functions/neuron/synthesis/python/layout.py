"""Lays out generated Python source as `ruff format` (120 columns) and ruff's import rules would.

Templates write each statement on one line and import generously; `tidy` removes the imports that nothing uses, sorts
the rest, wraps what is too long and sets the blank lines. It is pure and needs no program, so that an implementer works
where no toolchain is installed; the verification runs the real formatter over the result.

Promises: the meaning of the source does not change. Does not promise to wrap every construct of the language as ruff
would: calls, definitions, displays, boolean and arithmetic chains are covered, comprehensions and lambdas only partly.
"""

from __future__ import annotations

import ast
import io
import keyword
import re
import sys
import tokenize
from dataclasses import dataclass, field
from typing import Final

WIDTH: Final = 120
_OPENING: Final = "([{"
_CLOSING: Final = ")]}"
_BINARY: Final = (("or",), ("and",), ("==", "!=", "<=", ">=", "<", ">", "in", "is", "not in", "is not"), ("|",))
_ARITHMETIC: Final = (("+", "-"), ("*", "/", "//", "%"))


def tidy(source: str, first_party: str) -> str:
    """Lay the source out; `first_party` is the project's own package.

    Raises:
        SyntaxError: the source is not Python; that is a fault of the generator.
    """
    imported = _sort_imports(source, first_party)
    return _set_blank_lines(_wrap(imported))


# Imports.


def _sort_imports(source: str, first_party: str) -> str:
    tree = ast.parse(source)
    used = _used_names(tree)
    sections: dict[int, set[str]] = {}
    members: dict[tuple[int, str], set[str]] = {}
    lines = source.splitlines()
    last = 0
    first: int | None = None
    for node in tree.body:
        if not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        first = node.lineno if first is None else first
        last = node.end_lineno or node.lineno
        for number in range(node.lineno - 1, last):
            lines[number] = ""
        module = node.module or "" if isinstance(node, ast.ImportFrom) else node.names[0].name
        section = _section(module, first_party)
        for alias in node.names:
            if (alias.asname or alias.name.partition(".")[0]) not in used and module != "__future__":
                continue
            written = alias.name if alias.asname is None else f"{alias.name} as {alias.asname}"
            if isinstance(node, ast.Import):
                sections.setdefault(section, set()).add(f"import {written}")
            elif alias.asname is not None:
                sections.setdefault(section, set()).add(f"from {module} import {written}")
            else:
                members.setdefault((section, module), set()).add(written)
    if first is None:
        return source
    for (section, module), names in members.items():
        ordered = ", ".join(sorted(names, key=member_key))
        sections.setdefault(section, set()).add(f"from {module} import {ordered}")
    blocks = ["\n".join(sorted(sections[section], key=_import_key)) for section in sorted(sections)]
    head = "\n".join(lines[: first - 1]).rstrip("\n")
    body = "\n".join(lines[first - 1 :]).strip("\n")
    return "\n\n".join(part for part in (head, "\n\n".join(blocks), body) if part) + "\n"


def _used_names(tree: ast.Module) -> set[str]:
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets):
            names |= {str(item.value) for item in ast.walk(node) if isinstance(item, ast.Constant)}
    for part in ast.walk(tree):
        for annotation in (getattr(part, "annotation", None), getattr(part, "returns", None)):
            if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
                names |= set(re.findall(r"\w+", annotation.value))
    return names


def _section(module: str, first_party: str) -> int:
    root = module.partition(".")[0]
    if root == "__future__":
        return 0
    if root in sys.stdlib_module_names:
        return 1
    return 3 if root in {first_party, "tests"} else 2


def member_key(name: str) -> tuple[int, str]:
    """Order imported names as ruff does: constants, classes, others."""
    if name.isupper() and len(name) > 1:
        return (0, name)
    return (1 if name[:1].isupper() else 2, name)


def _import_key(line: str) -> tuple[bool, str, bool, str]:
    return (line.startswith("from "), line.split()[1].lower(), " as " in line, line)


# Wrapping.


@dataclass(eq=False)
class _Group:
    """A bracketed part: its items (each a list of texts and groups), separated by commas."""

    opening: str
    items: list[list[_Part]] = field(default_factory=lambda: [[]])
    magic: bool = False  # a trailing comma that asks for one item a line


_Part = str | _Group


def _wrap(source: str) -> str:
    lines = source.splitlines()
    result: list[str] = []
    done = 0
    for start, end, tokens in _statements(source):
        result += lines[done : start - 1]
        done = end
        chunk = lines[start - 1 : end]
        plain = not any(t.type == tokenize.COMMENT or "\n" in t.string for t in tokens if t.type != tokenize.NEWLINE)
        if plain and (len(chunk) > 1 or len(chunk[0]) > WIDTH):
            indent = len(chunk[0]) - len(chunk[0].lstrip())
            chunk = (
                _render_import(chunk[0]) if tokens[0].string == "from" else _render_statement(_parse(tokens), indent)
            )
        result += chunk
    return "\n".join([*result, *lines[done:]]) + "\n"


def _render_import(line: str) -> list[str]:
    head, _, members = line.partition(" import ")
    return [f"{head} import (", *(f"    {member.strip()}," for member in members.split(",")), ")"]


def _statements(source: str) -> list[tuple[int, int, list[tokenize.TokenInfo]]]:
    found = []
    current: list[tokenize.TokenInfo] = []
    skipped = {tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.NEWLINE:
            if current:
                found.append((current[0].start[0], current[-1].end[0], current))
            current = []
        elif token.type not in skipped and (token.type != tokenize.COMMENT or current):
            current.append(token)
    return found


def _parse(tokens: list[tokenize.TokenInfo]) -> list[_Part]:
    root: list[_Part] = []
    stack: list[_Group] = []
    previous: tokenize.TokenInfo | None = None
    for token in tokens:
        target = stack[-1].items[-1] if stack else root
        if previous is not None and _spaced(previous, token) and (target or not stack):
            target.append(" ")
        if token.string in _OPENING and token.type == tokenize.OP:
            group = _Group(token.string)
            target.append(group)
            stack.append(group)
        elif token.string in _CLOSING and token.type == tokenize.OP:
            closed = stack.pop()
            if any("for" in item for item in closed.items):
                closed.items = [_rejoined(closed.items)]
            if len(closed.items) > 1 and not closed.items[-1]:
                closed.items.pop()
                closed.magic = len(closed.items) > 1 or closed.opening != "("
                if not closed.magic and previous is not None:
                    closed.items.append([])
                if previous is not None and token.start[0] == previous.end[0] and len(closed.items) > 1:
                    closed.magic = False
        elif token.string == "," and stack:
            stack[-1].items.append([])
        else:
            target.append(token.string)
        previous = token
    return root


def _rejoined(items: list[list[_Part]]) -> list[_Part]:
    """Put a comprehension together again, whose commas separate its targets, not items."""
    whole: list[_Part] = []
    for item in items:
        whole += [",", " ", *(item[1:] if item[:1] == [" "] else item)] if whole else item
    return whole


def _spaced(previous: tokenize.TokenInfo, token: tokenize.TokenInfo) -> bool:
    if previous.string in _OPENING and previous.type == tokenize.OP:
        return False
    if token.string in _CLOSING and token.type == tokenize.OP:
        return False
    return previous.end[0] != token.start[0] or previous.end[1] != token.start[1]


def _flat(parts: list[_Part]) -> str:
    return "".join(part if isinstance(part, str) else _flat_group(part) for part in parts).strip()


def _flat_group(group: _Group) -> str:
    closing = _CLOSING[_OPENING.index(group.opening)]
    items = [_flat(item) for item in group.items]
    text = ", ".join(items)
    if len(items) == 2 and not items[1] and group.opening == "(":
        text = f"{items[0]},"
    return f"{group.opening}{text}{closing}"


def _has_magic(parts: list[_Part]) -> bool:
    return any(
        isinstance(part, _Group) and (part.magic or any(_has_magic(item) for item in part.items)) for part in parts
    )


def _render_statement(parts: list[_Part], indent: int) -> list[str]:
    line = " " * indent + _flat(parts)
    if len(line) <= WIDTH and not _has_magic(parts):
        return [line]
    value = parts[parts.index("=") :] if "=" in parts else []
    breakable = any(isinstance(part, _Group) and any(part.items) for part in value)
    if ":" in parts and "|" in parts and not breakable and not _has_magic(parts):
        return _render_annotated(parts, indent)
    head, rest, colon = _split_keyword(parts)
    if head and not _has_magic(parts) and _operators(rest):
        return _parenthesise(head, rest, colon, indent)
    rendered = _render(parts, indent)
    if head.endswith(" = ") and (len(rendered[0]) > WIDTH or " = " not in rendered[0]):
        return [f"{' ' * indent}{head}(", *_render(rest, indent + 4), f"{' ' * indent})"]
    return rendered


def _render_annotated(parts: list[_Part], indent: int) -> list[str]:
    """Render `name: A | B = value` with its type in brackets."""
    at = parts.index(":")
    end = parts.index("=") - 1 if "=" in parts else len(parts)
    head, kind, tail = _flat(parts[:at]), parts[at + 2 : end], _flat_tail(parts[end:])
    return [f"{' ' * indent}{head}: (", *_render(kind, indent + 4), f"{' ' * indent}){tail}"]


def _split_keyword(parts: list[_Part]) -> tuple[str, list[_Part], str]:
    """Split `return X`, `if X:`, `name = X` into what stands before the expression, it, and a colon."""
    first = parts[0]
    if first in {"return", "assert"}:
        return f"{first} ", parts[2:], ""
    if first in {"if", "elif", "while"}:
        return f"{first} ", parts[2:-1], ":"
    if "=" in parts:
        at = parts.index("=")
        return f"{_flat(parts[:at])} = ", parts[at + 2 :], ""
    return "", parts, ""


def _operators(parts: list[_Part]) -> tuple[str, ...]:
    """Give the loosest operators at the top of an expression when it is to be broken at them."""
    if "lambda" in parts or "for" in parts:
        return ()
    for family in (*_BINARY, *_ARITHMETIC):
        count = sum(1 for part in parts if part in family)
        if count and (count > 1 or family in _BINARY[:2] or not isinstance(parts[-1], _Group)):
            return family
        if count:
            return ()
    return ()


def _parenthesise(head: str, parts: list[_Part], colon: str, indent: int) -> list[str]:
    inner = indent + 4
    whole = " " * inner + _flat(parts)
    if len(whole) <= WIDTH:
        return [" " * indent + head + "(", whole, " " * indent + ")" + colon]
    return [" " * indent + head + "(", *_render_operands(parts, inner), " " * indent + ")" + colon]


def _render_operands(parts: list[_Part], indent: int) -> list[str]:
    """Render an expression in brackets with each operand of its loosest operator on a line."""
    family = _operators(parts)
    pieces: list[list[_Part]] = [[]]
    for part in parts:
        if part in family:
            pieces.append([part])
        else:
            pieces[-1].append(part)
    return [line for piece in pieces for line in _render(piece, indent)]


def _render(parts: list[_Part], indent: int, tail: str = "") -> list[str]:
    """Render parts that may be broken at their brackets: first on one line, else at the last bracket that helps."""
    line = " " * indent + _flat(parts) + tail
    if len(line) <= WIDTH and not _has_magic(parts):
        return [line]
    groups = [i for i, part in enumerate(parts) if isinstance(part, _Group) and any(part.items)]
    if not groups:
        return [line]
    at = _breaking_point(parts, groups, indent)
    group = parts[at]
    assert isinstance(group, _Group)  # noqa: S101  (narrowing)
    head = _flat([*parts[:at], "\0"])[:-1] if at else ""
    before = " " * indent + head + group.opening
    after = _CLOSING[_OPENING.index(group.opening)] + _flat_tail(parts[at + 1 :]) + tail
    inner = _render_items(group, indent + 4, owned=_is_owned(parts, at))
    if parts[0] == "def" and len(group.items) == 1 and not inner[-1].endswith(","):
        inner[-1] += ","
    return [before, *inner, " " * indent + after]


def _is_owned(parts: list[_Part], at: int) -> bool:
    """Say whether a bracket belongs to what stands before it: a call, a definition or a subscript."""
    before = parts[at - 1] if at else ""
    return isinstance(before, _Group) or (before.isidentifier() and not keyword.iskeyword(before))


def _flat_tail(parts: list[_Part]) -> str:
    text = "".join(part if isinstance(part, str) else _flat_group(part) for part in parts)
    return text.rstrip()


def _breaking_point(parts: list[_Part], groups: list[int], indent: int) -> int:
    if isinstance(parts[0], str) and parts[0] in {"def", "class"}:
        return groups[0]
    for at in groups:
        if _has_magic([parts[at]]):
            return at
    for at in reversed(groups):
        head = indent + len(_flat(parts[:at])) + 1
        tail = indent + 1 + len(_flat_tail(parts[at + 1 :]))
        if head <= WIDTH and tail <= WIDTH:
            return at
    return groups[-1]


def _render_items(group: _Group, indent: int, *, owned: bool) -> list[str]:
    together = owned and group.opening == "("  # arguments may stand on one line together
    items = [item for item in group.items if item]
    joined = " " * indent + ", ".join(_flat(item) for item in items)
    generator = len(items) == 1 and "for" in items[0]
    fits = len(joined) <= WIDTH and not any(_has_magic(item) for item in items)
    if fits and not group.magic and (together or generator):
        return [joined]
    if generator:
        return _render_comprehension(items[0], indent)
    if group.opening == "(" and not owned and len(group.items) == 1:
        return [joined] if fits else _render_operands(items[0], indent)
    if group.opening == "[" and owned and len(group.items) == 1:
        return _render(items[0], indent)
    return [line for item in items for line in _render_item(item, indent)]


def _render_item(item: list[_Part], indent: int) -> list[str]:
    stripped = item[1:] if item[:1] == [" "] else item
    return _render(stripped, indent, ",")


def _render_comprehension(item: list[_Part], indent: int) -> list[str]:
    pieces: list[list[_Part]] = [[]]
    for part in item:
        if part in {"for", "if"}:
            pieces.append([part])
        else:
            pieces[-1].append(part)
    return [line for piece in pieces for line in _render(piece, indent)]


# Blank lines.


def _set_blank_lines(source: str) -> str:
    """Set two blank lines around top-level definitions, one around methods, and none doubled elsewhere."""
    protected = _string_lines(source)
    result: list[str] = []
    blank = 0
    for number, line in enumerate(source.splitlines(), start=1):
        if number in protected:
            result += [""] * blank + [line]
            blank = 0
            continue
        if not line.strip():
            blank += 1
            continue
        result += [""] * _wanted_blanks(line, result, blank)
        result.append(line.rstrip())
        blank = 0
    return "\n".join(result).strip("\n") + "\n"


def _wanted_blanks(line: str, before: list[str], blank: int) -> int:
    if not before:
        return 0
    stripped = line.lstrip()
    indent = len(line) - len(stripped)
    previous = before[-1]
    opens = re.match(r"(async def|def|class)\b|@", stripped) is not None
    if _decorates(before, indent):
        return 0
    if stripped.startswith((")", "]", "}")):
        return 0
    if indent == 0:
        if opens or _after_definition(before):
            return 0 if previous.startswith("#") and not blank else 2
        return min(blank, 1)
    if previous.rstrip().endswith((":", "(", "[", "{")) and len(previous) - len(previous.lstrip()) < indent:
        return 0
    if opens:
        return 1
    return min(blank, 1)


def _decorates(before: list[str], indent: int) -> bool:
    """Say whether the statement before, which may be of several lines, is a decorator."""
    for line in reversed(before):
        own = line.lstrip()
        if len(line) - len(own) == indent and own and not own.startswith((")", "]", "}")):
            return own.startswith("@")
        if not line:
            return False
    return False


def _after_definition(before: list[str]) -> bool:
    """Say whether the statement before is a definition at the top level."""
    for line in reversed(before):
        if line and not line.startswith((" ", ")", "]", "}")):
            return re.match(r"(async def|def|class)\b", line) is not None
    return False


def _string_lines(source: str) -> set[int]:
    """Give the numbers of the lines that lie inside a multi-line string, but for its first."""
    inside: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.STRING and token.end[0] > token.start[0]:
            inside |= set(range(token.start[0] + 1, token.end[0] + 1))
    return inside
