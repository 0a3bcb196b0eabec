"""What everybody expects of common things when a request only names them: a task has a title and is done or not.

Used for nothing that the request describes itself. `keeps` gives what software keeps that is named after something else
(a blog keeps posts). Promises: fields with types of their own; nothing that could refuse what people usually enter.
"""

from __future__ import annotations

from typing import Final

from functions.neuron.reading import morphology
from functions.neuron.reading.draft import DraftEntity, DraftField
from shared.software.specification import FieldType

_TASK: Final = ("title", "description?", "due_date?", "done=")
_FIELDS: Final[dict[str, tuple[str, ...]]] = {
    "todo": _TASK,
    "task": _TASK,
    "to_do": _TASK,
    "note": ("title", "body"),
    "contact": ("name", "email?", "phone?"),
    "bookmark": ("title", "url"),
    "expense": ("description", "amount", "date"),
    "recipe": ("title", "ingredients:text", "instructions"),
    "post": ("title", "body"),
    "article": ("title", "body"),
    "book": ("title", "author"),
    "movie": ("title", "year?"),
    "film": ("title", "year?"),
    "song": ("title", "artist"),
    "quote": ("text", "author"),
    "event": ("title", "date"),
    "flashcard": ("question", "answer"),
    "reminder": ("title", "due_date"),
    "entry": ("title", "body"),
    "message": ("text",),
    "shopping_item": ("name", "quantity?", "done="),
    "habit": ("name", "description?"),
}
_KEPT: Final = {
    "blog": "post",
    "diary": "entry",
    "journal": "entry",
    "address_book": "contact",
    "contact_book": "contact",
    "contact_list": "contact",
    "phone_book": "contact",
    "cookbook": "recipe",
    "shopping": "shopping_item",
    "grocery": "shopping_item",
    "calendar": "event",
    "agenda": "event",
    "todos": "todo",
    "reading": "book",
    "watch": "film",
    "play": "song",
    "wish": "wish",
    "packing": "item",
    "bucket": "goal",
    "phone": "contact",
    "mailing": "contact",
    "guest": "guest",
}


def keeps(name: str) -> str:
    """Give what software of that name keeps; the name itself when it is the thing."""
    if name in _KEPT:
        return _KEPT[name]
    head, _, last = name.rpartition("_")
    return _KEPT.get(head, morphology.singular(head)) if head and last in _LISTS else morphology.singular(name)


_LISTS: Final = frozenset({"list", "log", "collection", "catalogue", "catalog", "register", "inventory"})


def presume(entity: DraftEntity) -> None:
    """Give an entity of which the request says nothing the fields that such things usually have, and say so."""
    entity.fields = fields(entity.name)
    held = [field.replace("_", " ") for field in entity.fields]
    listed = f"{', '.join(held[:-1])} and {held[-1]}" if len(held) > 1 else held[0]
    named = entity.name.replace("_", " ")
    entity.description = f"The request does not say what every {named} holds; it was given {listed}."


def fields(name: str) -> dict[str, DraftField]:
    """Give the fields that a thing of that name usually has; a name when nothing is known of it."""
    known = _FIELDS.get(name) or _FIELDS.get(name.split("_")[-1]) or ("name",)
    return {field.name: field for field in map(_field, known)}


def _field(text: str) -> DraftField:
    name = morphology.name(text.rstrip("?=").partition(":")[0])
    if text.endswith("="):
        return DraftField(name, FieldType.BOOLEAN, default=False)
    kind = FieldType.TEXT if text.endswith(":text") else None
    return DraftField(name, kind, required=False if text.endswith("?") else None)
