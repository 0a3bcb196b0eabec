"""The API reference as one page: static HTML with its own style sheet inside, no script, nothing from elsewhere.

It is made from the OpenAPI document, so it says what the document says; the gateway serves it at `/reference`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from knative.reference import openapi

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TEMPLATES: Final = Path(__file__).parent
_CODE: Final = re.compile(r"`([^`]+)`")
_BOLD: Final = re.compile(r"\*\*([^*]+)\*\*")
_BOUNDS: Final = {
    "minimum": "at least {}",
    "exclusiveMinimum": "above {}",
    "maximum": "at most {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
}
_INDENT: Final = 2


@dataclass(frozen=True, slots=True)
class Field:
    """One member of a model, or one parameter.

    Attributes:
        name: Its name.
        kind: Its type, with links to models, as HTML.
        required: Whether it must be there.
        about: What it is, and its bounds, as HTML.
    """

    name: str
    kind: Markup
    required: bool
    about: Markup


def files() -> dict[Path, bytes]:
    """Give the page."""
    return {Path("functions/gateway/reference.html"): render(openapi.document()).encode()}


def render(document: Mapping[str, Any]) -> str:
    """Make the page of an OpenAPI document."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    schemas = document["components"]["schemas"]
    groups = [
        {"name": tag["name"], "about": tag["description"], "operations": list(_operations(document, tag["name"]))}
        for tag in document["tags"]
    ]
    models = [
        {"name": name, "about": prose(schema.get("description", "")), "fields": list(_fields(schema, document))}
        for name, schema in sorted(schemas.items())
    ]
    return environment.get_template("page.html.j2").render(
        info=document["info"], about=prose(document["info"]["description"]), groups=groups, models=models
    )


def prose(text: str) -> Markup:
    """Turn the little Markdown of descriptions (paragraphs, lists, `code`, **bold**) into HTML."""
    blocks = []
    for block in text.strip().split("\n\n"):
        lines = block.split("\n")
        if all(line.startswith("- ") for line in lines if line):
            items = Markup("").join(Markup("<li>{}</li>").format(_inline(line[2:])) for line in lines if line)
            blocks.append(Markup("<ul>{}</ul>").format(items) if items else Markup(""))
        else:
            blocks.append(Markup("<p>{}</p>").format(_inline(" ".join(lines))))
    return Markup("\n").join(blocks)


def _inline(text: str) -> Markup:
    made = str(escape(text))
    made = _CODE.sub(r"<code>\1</code>", made)
    return Markup(_BOLD.sub(r"<strong>\1</strong>", made))  # noqa: S704 - escaped above


def _operations(document: Mapping[str, Any], tag: str) -> Iterator[dict[str, Any]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if tag in operation["tags"]:
                yield {
                    "id": operation["operationId"],
                    "method": method.upper(),
                    "path": path,
                    "summary": operation["summary"],
                    "about": prose(operation.get("description", "")),
                    "parameters": [_parameter(one, document) for one in operation.get("parameters", ())],
                    "bodies": list(_bodies(operation, document)),
                    "answers": list(_answers(operation, document)),
                    "try": _command(method, path, operation, document),
                }


def _parameter(parameter: Mapping[str, Any], document: Mapping[str, Any]) -> Field:
    schema = {**parameter["schema"], "description": parameter.get("description", "")}
    place = {"path": "in the path", "query": "in the query", "header": "a header"}[parameter["in"]]
    about = Markup("{}{}").format(_about(schema), Markup(" <em>{}</em>").format(place))
    return Field(parameter["name"], _kind(schema, document), bool(parameter.get("required")), about)


def _bodies(operation: Mapping[str, Any], document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
        schema = content["schema"]
        yield {
            "media_type": media_type,
            "kind": _kind(schema, document),
            "variants": [
                {"title": one.get("title", ""), "fields": list(_fields(one, document))} for one in _variants(schema)
            ],
        }


def _variants(schema: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Give the forms that are described in place; a reference is described under Models."""
    found = [one for one in schema.get("anyOf", [schema]) if "properties" in one]
    return found if len(found) > 1 or "$ref" not in schema else []


def _answers(operation: Mapping[str, Any], document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for status, answer in operation["responses"].items():
        resolved = _resolve(answer, document)
        content = next(iter(resolved.get("content", {}).items()), None)
        yield {
            "status": status,
            "about": prose(resolved["description"]),
            "media_type": content[0] if content else "",
            "kind": _kind(content[1]["schema"], document) if content else "",
            "good": status.startswith("2"),
        }


def _resolve(value: Mapping[str, Any], document: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" not in value:
        return value
    found: Any = document
    for part in value["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    resolved: Mapping[str, Any] = found
    return resolved


def _fields(schema: Mapping[str, Any], document: Mapping[str, Any]) -> Iterator[Field]:
    """Give the members of an object; of an object with several forms, those of the first."""
    if "properties" not in schema and schema.get("anyOf"):
        yield from _fields(schema["anyOf"][0], document)
    required = schema.get("required", ())
    for name, member in schema.get("properties", {}).items():
        if isinstance(member, dict):
            yield Field(name, _kind(member, document), name in required, _about(member))


def _about(schema: Mapping[str, Any]) -> Markup:
    parts = [_inline(schema["description"])] if schema.get("description") else []
    of: dict[str, Any] = next((one for one in schema.get("anyOf", ()) if one.get("type") != "null"), {})
    bounds = [text.format(value[key]) for value in (schema, of) for key, text in _BOUNDS.items() if key in value]
    if schema.get("default") is not None:
        bounds.append(f"default {json.dumps(schema['default'])}")
    if bounds:
        parts.append(Markup("<span class=bounds>{}</span>").format(", ".join(bounds)))
    return Markup(" ").join(parts)


def _kind(schema: Mapping[str, Any], document: Mapping[str, Any]) -> Markup:
    """Say a schema's type in a few words."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        return Markup('<a href="#model-{}">{}</a>').format(name, name)
    if "anyOf" in schema:
        kinds = dict.fromkeys(_kind(one, document) for one in schema["anyOf"])
        return Markup(" or ").join(kinds)
    if "enum" in schema:
        return Markup(" | ").join(Markup("<code>{}</code>").format(value) for value in schema["enum"])
    if "const" in schema:
        return Markup("<code>{}</code>").format(json.dumps(schema["const"]))
    kind = schema.get("type", "any")
    if isinstance(kind, list):
        return Markup(" or ").join(escape(one) for one in kind)
    if kind == "array":
        return Markup("list of {}").format(_kind(schema.get("items", {}), document))
    return escape(schema.get("format", kind) if kind == "string" else kind)


def _command(method: str, path: str, operation: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    """Write the request as a curl command that works when `HAL9_URL` and `HAL9_API_KEY` are set."""
    lines = [f'curl "$HAL9_URL{path}"'] if method == "get" else [f'curl -X {method.upper()} "$HAL9_URL{path}"']
    if operation.get("security") != []:
        lines.append('-H "Authorization: Bearer $HAL9_API_KEY"')
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
        lines.append(f"-H 'Content-Type: {media_type}'")
        lines.append(f"-d '{json.dumps(_example(content['schema'], document), indent=_INDENT, ensure_ascii=False)}'")
        break
    return " \\\n  ".join(lines)


def _example(schema: Mapping[str, Any], document: Mapping[str, Any]) -> Any:
    """Give a schema's example: its own, else one of its required members."""
    found = _resolve(schema, document)
    if found.get("examples"):
        return found["examples"][0]
    if "const" in found or "enum" in found:
        return found.get("const", found.get("enum", [None])[0])
    if found.get("anyOf"):
        return _example(found["anyOf"][0], document)
    if found.get("type") == "object" or "properties" in found:
        required = found.get("required", ())
        return {name: _example(found["properties"][name], document) for name in required}
    if found.get("type") == "array":
        return [_example(found.get("items", {}), document)]
    return {"string": "…", "integer": 1, "number": 1.0, "boolean": True}.get(str(found.get("type")))
