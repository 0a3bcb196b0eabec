"""Specifications written by hand, as the architect would give them."""

from __future__ import annotations

from shared.software.specification import (
    CapacityRule,
    Condition,
    Derivation,
    Entity,
    FieldSpec,
    FieldType,
    Kind,
    Operator,
    QuotaRule,
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
