"""Specifications written by hand, as the architect would give them."""

from __future__ import annotations

from shared.software.specification import (
    CapacityRule,
    Case,
    Computation,
    Condition,
    Derivation,
    Entity,
    Example,
    FieldSpec,
    FieldType,
    Kind,
    Operator,
    Parameter,
    QuotaRule,
    Relation,
    Specification,
    StateMachine,
    Transition,
    UniqueRule,
    View,
)

T = FieldType
OPEN = (Condition(field="status", operator=Operator.EQ, value="open"),)


def lending_library() -> Specification:
    return Specification(
        name="lending_library",
        title="Lending library",
        kind=Kind.API,
        request="An API for a lending library: members have a unique email and a name, books have an ISBN that is "
        "unique, a title and a number of copies. A member can borrow at most 3 books at a time, and a loan is due "
        "after 14 days.",
        entities=(
            Entity(
                name="member",
                plural="members",
                label="name",
                fields=(FieldSpec(name="email", type=T.EMAIL, unique=True), FieldSpec(name="name", type=T.STRING)),
            ),
            Entity(
                name="book",
                plural="books",
                label="title",
                fields=(
                    FieldSpec(name="isbn", type=T.STRING, unique=True),
                    FieldSpec(name="title", type=T.STRING),
                    FieldSpec(name="copies", type=T.INTEGER, minimum=0),
                ),
            ),
            Entity(
                name="loan",
                plural="loans",
                fields=(
                    FieldSpec(name="member", type=T.REFERENCE, target="member"),
                    FieldSpec(name="book", type=T.REFERENCE, target="book"),
                    FieldSpec(name="status", type=T.ENUM, values=("open", "returned"), managed=True),
                    FieldSpec(name="due_on", type=T.DATE, managed=True),
                    FieldSpec(name="returned_at", type=T.DATETIME, managed=True, required=False),
                ),
                derivations=(Derivation(field="due_on", days=14),),
                machine=StateMachine(
                    field="status",
                    initial="open",
                    states=("open", "returned"),
                    transitions=(
                        Transition(name="return", sources=("open",), target="returned", stamps="returned_at"),
                    ),
                ),
            ),
        ),
        rules=(
            UniqueRule(
                name="member_email_unique", entity="member", message="Another member has this email.", fields=("email",)
            ),
            UniqueRule(name="book_isbn_unique", entity="book", message="Another book has this ISBN.", fields=("isbn",)),
            QuotaRule(
                name="loans_per_member",
                entity="loan",
                message="A member can borrow at most 3 books at a time.",
                reference="member",
                limit=3,
                when=OPEN,
            ),
            CapacityRule(
                name="copies_of_book",
                entity="loan",
                message="All copies of this book are lent.",
                reference="book",
                limit_field="copies",
                when=OPEN,
            ),
        ),
        views=(
            View(
                name="overdue",
                entity="loan",
                when=(*OPEN, Condition(field="due_on", operator=Operator.LT, other="today")),
                sort="due_on",
                description="open loans whose due date has passed",
            ),
        ),
    )


def calculator_service() -> Specification:
    """A service that keeps nothing."""
    return Specification(
        name="calculator",
        title="Calculator",
        kind=Kind.API,
        request="A service that computes the BMI and counts words.",
        computations=(
            Computation(
                name="bmi",
                parameters=(Parameter(name="weight", type=T.NUMBER), Parameter(name="height", type=T.NUMBER)),
                returns=T.NUMBER,
                cases=(Case(expression="weight / height ** 2"),),
                refuses=(Case(when="height <= 0", expression="The height must be greater than zero."),),
            ),
            Computation(
                name="count_words",
                parameters=(Parameter(name="text", type=T.TEXT),),
                returns=T.INTEGER,
                algorithm="count_words",
                examples=(Example(arguments={"text": "one two"}, result=2),),
            ),
        ),
    )


def music_collection() -> Specification:
    """A many-to-many relation, optional references, every type of field."""
    return Specification(
        name="music",
        title="Music collection",
        kind=Kind.API,
        request="An API for a music collection.",
        entities=(
            Entity(
                name="label",
                plural="labels",
                fields=(
                    FieldSpec(name="name", type=T.STRING, unique=True, min_length=2, max_length=40),
                    FieldSpec(name="site", type=T.URL, required=False),
                    FieldSpec(name="active", type=T.BOOLEAN, default=True),
                ),
            ),
            Entity(
                name="song",
                plural="songs",
                fields=(
                    FieldSpec(name="title", type=T.STRING),
                    FieldSpec(name="label", type=T.REFERENCE, target="label", required=False),
                    FieldSpec(name="seconds", type=T.INTEGER, minimum=1, maximum=36000),
                    FieldSpec(name="rating", type=T.NUMBER, minimum=0, maximum=5, required=False),
                    FieldSpec(name="price", type=T.DECIMAL, minimum=0, default="0.99"),
                    FieldSpec(name="released", type=T.DATE, required=False),
                    FieldSpec(name="played_at", type=T.DATETIME, required=False),
                    FieldSpec(name="wakes_at", type=T.TIME, required=False),
                    FieldSpec(name="code", type=T.UUID, unique=True, immutable=True),
                    FieldSpec(name="lyrics", type=T.TEXT, required=False),
                    FieldSpec(name="isrc", type=T.STRING, pattern=r"^[A-Z]{2}-[A-Z0-9]{3}-\d{2}-\d{5}$", unique=True),
                    FieldSpec(name="genre", type=T.ENUM, values=("rock", "jazz", "folk"), default="rock"),
                ),
            ),
            Entity(name="playlist", plural="playlists", fields=(FieldSpec(name="name", type=T.STRING),)),
        ),
        relations=(Relation(name="playlist_songs", left="playlist", right="song"),),
        views=(View(name="top", entity="song", sort="rating", descending=True, limit=3),),
    )


SAMPLES = (lending_library, calculator_service, music_collection)
