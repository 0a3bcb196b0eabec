"""Specifications written by hand, as the architect would give them."""

from __future__ import annotations

from shared.software.algorithms import CATALOGUE
from shared.software.specification import (
    AggregateRule,
    CapacityRule,
    Case,
    CommandLine,
    Computation,
    ComputedRule,
    Condition,
    Derivation,
    EffectRule,
    Endpoint,
    Entity,
    Example,
    FieldSpec,
    FieldType,
    Kind,
    LibraryFace,
    NoOverlapRule,
    OperationKind,
    Operator,
    OrderedRule,
    Parameter,
    QuotaRule,
    RangeRule,
    ReferencedRule,
    Relation,
    Report,
    Specification,
    StateMachine,
    Structure,
    Transition,
    TransitionRule,
    UniqueRule,
    View,
)
from shared.software.structures import STRUCTURES

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


def stock_keeping(kind: Kind = Kind.API) -> Specification:
    """Orders that take from a stock, cost what their products cost, and give back what is cancelled."""
    taking = {"entity": "purchase", "reference": "product", "field": "stock", "amount": "quantity"}
    return Specification(
        name="stock_keeping",
        title="Stock keeping",
        kind=kind,
        request="Purchases take from the stock.",
        library=LibraryFace(package="stock_keeping", stores=("product", "cart", "purchase", "account", "booking"))
        if kind is Kind.LIBRARY
        else None,
        entities=(
            Entity(
                name="product",
                plural="products",
                label="name",
                fields=(
                    FieldSpec(name="name", type=T.STRING, unique=True),
                    FieldSpec(name="price", type=T.DECIMAL, minimum=0, exclusive_minimum=True),
                    FieldSpec(name="stock", type=T.INTEGER, minimum=0),
                ),
            ),
            Entity(
                name="cart",
                plural="carts",
                fields=(
                    FieldSpec(name="customer", type=T.STRING),
                    FieldSpec(name="total", type=T.DECIMAL, managed=True, required=False),
                    FieldSpec(name="gross", type=T.DECIMAL, managed=True, required=False),
                ),
            ),
            Entity(
                name="purchase",
                plural="purchases",
                fields=(
                    FieldSpec(name="cart", type=T.REFERENCE, target="cart"),
                    FieldSpec(name="product", type=T.REFERENCE, target="product"),
                    FieldSpec(name="quantity", type=T.INTEGER, minimum=1),
                    FieldSpec(name="cost", type=T.DECIMAL, managed=True, required=False),
                    FieldSpec(name="status", type=T.ENUM, values=("open", "shipped", "cancelled"), managed=True),
                ),
                machine=StateMachine(
                    field="status",
                    initial="open",
                    states=("open", "shipped", "cancelled"),
                    transitions=(
                        Transition(name="ship", sources=("open",), target="shipped"),
                        Transition(name="cancel", sources=("open",), target="cancelled"),
                    ),
                ),
            ),
            Entity(
                name="account",
                plural="accounts",
                label="name",
                fields=(
                    FieldSpec(name="name", type=T.STRING),
                    FieldSpec(name="balance", type=T.DECIMAL, minimum=0, default="0"),
                ),
            ),
            Entity(
                name="booking",
                plural="bookings",
                fields=(
                    FieldSpec(name="account", type=T.REFERENCE, target="account"),
                    FieldSpec(name="type", type=T.ENUM, values=("deposit", "withdrawal")),
                    FieldSpec(name="amount", type=T.DECIMAL, minimum=0, exclusive_minimum=True),
                    FieldSpec(name="booked_on", type=T.DATE, required=False),
                    FieldSpec(name="seen_at", type=T.DATETIME, required=False),
                ),
                derivations=(Derivation(field="booked_on"), Derivation(field="seen_at")),
            ),
        ),
        rules=(
            EffectRule(
                **taking, name="purchase_takes_stock", message="There is not enough stock.", action="create",
                direction="decrease",
            ),
            EffectRule(
                **taking, name="cancel_gives_back", message="It goes back.", action="cancel", direction="increase"
            ),
            ComputedRule(
                name="purchase_cost", entity="purchase", message="What it costs.", field="cost",
                expression="quantity * product.price",
            ),
            AggregateRule(
                name="cart_total", entity="cart", message="", field="total", of="purchase", reference="cart",
                function="sum", expression="quantity * product.price",
            ),
            ComputedRule(
                name="cart_gross", entity="cart", message="With the tax.", field="gross", expression="total * 1.19"
            ),
            EffectRule(
                name="deposits_add", entity="booking", message="A deposit adds.", action="create",
                reference="account", field="balance", direction="increase", amount="amount",
                when=(Condition(field="type", operator=Operator.EQ, value="deposit"),),
            ),
            EffectRule(
                name="withdrawals_take", entity="booking", message="There is not enough money.", action="create",
                reference="account", field="balance", direction="decrease", amount="amount",
                when=(Condition(field="type", operator=Operator.EQ, value="withdrawal"),),
            ),
        ),
        endpoints=(
            *_crud("product"), *_crud("cart"), *_crud("purchase"), *_crud("account"), *_crud("booking"),
            *(
                Endpoint(
                    method="POST", path=f"/purchases/{{id}}/{name}", operation=OperationKind.TRANSITION,
                    entity="purchase", target=name,
                )
                for name in ("ship", "cancel")
            ),
        )
        if kind is Kind.API
        else (),
    )  # fmt: skip


def _crud(entity: str) -> list[Endpoint]:
    path, one = f"/{entity}s", f"/{entity}s/{{id}}"
    offered = (
        ("POST", path, OperationKind.CREATE),
        ("GET", path, OperationKind.LIST),
        ("GET", one, OperationKind.READ),
        ("PUT", one, OperationKind.UPDATE),
        ("PATCH", one, OperationKind.UPDATE),
        ("DELETE", one, OperationKind.DELETE),
    )
    return [Endpoint(method=m, path=p, operation=o, entity=entity) for m, p, o in offered]


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


def repair_shop(kind: Kind = Kind.API) -> Specification:
    """Every kind of rule, once or more."""
    active = Condition(field="customer.active", operator=Operator.EQ, value=True)
    return Specification(
        name="repair_shop",
        title="Repair shop",
        kind=kind,
        request="Software for a repair shop.",
        entities=(
            Entity(
                name="customer",
                plural="customers",
                label="name",
                fields=(
                    FieldSpec(name="name", type=T.STRING, max_length=80),
                    FieldSpec(name="email", type=T.EMAIL, required=False),
                    FieldSpec(name="active", type=T.BOOLEAN, default=True),
                    FieldSpec(name="credit", type=T.DECIMAL, minimum=0, default="1000.00"),
                    FieldSpec(name="spent", type=T.DECIMAL, managed=True),
                    FieldSpec(name="order_count", type=T.INTEGER, managed=True),
                    FieldSpec(name="last_price", type=T.DECIMAL, managed=True, required=False),
                ),
            ),
            Entity(
                name="bench",
                plural="benches",
                fields=(
                    FieldSpec(name="code", type=T.STRING, pattern=r"^B-\d{3}$", unique=True, immutable=True),
                    FieldSpec(name="max_weight", type=T.INTEGER, minimum=1),
                    FieldSpec(
                        name="volts",
                        type=T.INTEGER,
                        values=("12", "24", "230"),
                        minimum=12,
                        maximum=230,
                        required=False,
                    ),
                    FieldSpec(name="slots", type=T.INTEGER, minimum=0, maximum=20),
                ),
            ),
            Entity(
                name="order",
                plural="orders",
                fields=(
                    FieldSpec(name="customer", type=T.REFERENCE, target="customer", immutable=True),
                    FieldSpec(name="bench", type=T.REFERENCE, target="bench", required=False),
                    FieldSpec(name="title", type=T.STRING),
                    FieldSpec(name="weight", type=T.INTEGER, minimum=1),
                    FieldSpec(name="hours", type=T.INTEGER, minimum=1, default=1),
                    FieldSpec(name="price", type=T.DECIMAL, minimum=0),
                    FieldSpec(name="urgent", type=T.BOOLEAN, default=False),
                    FieldSpec(name="starts_at", type=T.DATETIME),
                    FieldSpec(name="ends_at", type=T.DATETIME),
                    FieldSpec(name="bought_on", type=T.DATE, required=False),
                    FieldSpec(name="state", type=T.ENUM, values=("draft", "open", "done", "paid"), managed=True),
                    FieldSpec(name="done_on", type=T.DATE, managed=True, required=False),
                    FieldSpec(name="offer_ends_at", type=T.DATETIME, managed=True),
                    FieldSpec(name="warranty_until", type=T.DATE, managed=True),
                ),
                derivations=(
                    Derivation(field="offer_ends_at", days=1, hours=6),
                    Derivation(field="warranty_until", base="ends_at", days=90),
                ),
                machine=StateMachine(
                    field="state",
                    initial="draft",
                    states=("draft", "open", "done", "paid"),
                    transitions=(
                        Transition(name="open", sources=("draft",), target="open"),
                        Transition(name="finish", sources=("open",), target="done", stamps="done_on"),
                        Transition(name="pay", sources=("open", "done"), target="paid"),
                    ),
                ),
            ),
        ),
        rules=(
            UniqueRule(
                name="one_urgent_per_customer",
                entity="order",
                message="A customer has at most one urgent draft of a title.",
                fields=("customer", "title"),
                when=(
                    Condition(field="urgent", operator=Operator.EQ, value=True),
                    Condition(field="state", operator=Operator.EQ, value="draft"),
                ),
            ),
            OrderedRule(
                name="order_times",
                entity="order",
                message="An order ends after it starts.",
                before="starts_at",
                after="ends_at",
            ),
            RangeRule(
                name="bought_before",
                entity="order",
                message="It was bought in the past.",
                field="bought_on",
                operator=Operator.LE,
                value="today",
            ),
            RangeRule(
                name="bench_carries",
                entity="order",
                message="The bench does not carry that weight.",
                field="weight",
                operator=Operator.LE,
                other="bench.max_weight",
            ),
            NoOverlapRule(
                name="bench_is_free",
                entity="order",
                message="Another order has the bench at that time.",
                start="starts_at",
                end="ends_at",
                per=("bench",),
                when=(Condition(field="state", operator=Operator.NE, value="paid"),),
            ),
            QuotaRule(
                name="open_orders",
                entity="order",
                message="A customer has at most 2 open orders.",
                reference="customer",
                limit=2,
                when=(Condition(field="state", operator=Operator.EQ, value="open"),),
            ),
            QuotaRule(
                name="orders_a_day",
                entity="order",
                message="A customer places at most 4 orders a day.",
                reference="customer",
                limit=4,
                period="day",
            ),
            QuotaRule(
                name="hours_in_all",
                entity="order",
                message="All drafts together take at most 100 hours.",
                reference=None,
                limit=100,
                weight_field="hours",
                when=(Condition(field="state", operator=Operator.EQ, value="draft"),),
            ),
            CapacityRule(
                name="slots_of_bench",
                entity="order",
                message="The bench has no slot left.",
                reference="bench",
                limit_field="slots",
                when=(Condition(field="state", operator=Operator.IN, value=("draft", "open")),),
            ),
            TransitionRule(
                name="active_customers",
                entity="order",
                message="Only active customers place orders.",
                action="create",
                requires=(active,),
            ),
            TransitionRule(
                name="paid_is_kept",
                entity="order",
                message="A paid order stays.",
                action="delete",
                requires=(Condition(field="state", operator=Operator.NE, value="paid"),),
            ),
            TransitionRule(
                name="only_drafts_change",
                entity="order",
                message="Only drafts are changed.",
                action="update",
                requires=(Condition(field="state", operator=Operator.IN, value=("draft", "open")),),
            ),
            TransitionRule(
                name="heavy_is_checked",
                entity="order",
                message="Heavy orders are not opened.",
                action="open",
                requires=(Condition(field="weight", operator=Operator.LT, value=500),),
            ),
            AggregateRule(
                name="spent_of_customer",
                entity="customer",
                message="A customer spends at most 5000.",
                field="spent",
                of="order",
                reference="customer",
                function="sum",
                expression="price * hours + 1.5",
                limit=5000,
            ),
            AggregateRule(
                name="orders_of_customer",
                entity="customer",
                message="",
                field="order_count",
                of="order",
                reference="customer",
                function="count",
            ),
            AggregateRule(
                name="last_price_of_customer",
                entity="customer",
                message="",
                field="last_price",
                of="order",
                reference="customer",
                function="maximum",
                expression="price",
            ),
            ReferencedRule(
                name="customer_with_drafts",
                entity="customer",
                message="A customer with drafts stays.",
                of="order",
                reference="customer",
                when=(Condition(field="state", operator=Operator.EQ, value="draft"),),
            ),
        ),
        views=(
            View(
                name="late",
                entity="order",
                when=(
                    Condition(field="state", operator=Operator.EQ, value="draft"),
                    Condition(field="offer_ends_at", operator=Operator.LT, other="now"),
                ),
                sort="price",
                descending=True,
            ),
            View(name="of_active", entity="order", when=(active,), limit=5),
        ),
        reports=(
            Report(name="orders_by_state", entity="order", by="state", function="count"),
            Report(name="total_price_by_state", entity="order", by="state", function="sum", of="price"),
            Report(
                name="average_weight_by_month",
                entity="order",
                by="starts_at",
                period="month",
                function="average",
                of="weight",
                when=(Condition(field="urgent", operator=Operator.EQ, value=True),),
            ),
            Report(name="highest_credit_by_active", entity="customer", by="active", function="maximum", of="credit"),
            Report(
                name="orders_by_bought_on",
                entity="order",
                by="bought_on",
                period="day",
                function="count",
                when=(Condition(field="offer_ends_at", operator=Operator.GT, other="now"),),
            ),
        ),
        command_line=CommandLine(program="repairs", commands=()) if kind is Kind.COMMAND_LINE else None,
    )


def repair_program() -> Specification:
    """The same on the command line."""
    return repair_shop(Kind.COMMAND_LINE)


def repair_library() -> Specification:
    """The same as a library."""
    return repair_shop(Kind.LIBRARY)


def awkward_names() -> Specification:
    """Names that Python, SQL, FastAPI or the templates keep for themselves, and texts with quotes in them."""
    references = ("table", "class", "series", "property")
    return Specification(
        name="calendar",
        title='It\'s a "calendar"',
        kind=Kind.API,
        request="An API.",
        entities=(
            Entity(
                name="table",
                plural="tables",
                fields=(
                    FieldSpec(name="from", type=T.STRING),
                    FieldSpec(name="date", type=T.DATE, required=False),
                    FieldSpec(name="until", type=T.DATE),
                ),
            ),
            Entity(name="class", plural="classes", fields=(FieldSpec(name="copy", type=T.INTEGER, unique=True),)),
            Entity(name="series", plural="series", fields=(FieldSpec(name="limit", type=T.DATE, required=False),)),
            Entity(
                name="property",
                plural="properties",
                fields=(
                    FieldSpec(name="order", type=T.ENUM, values=("it's", 'so "to" say'), description='"Quoted".'),
                    FieldSpec(name="a_name_that_goes_on_and_on_and_on_until_its_line_is_full", type=T.DECIMAL),
                ),
            ),
            Entity(
                name="rule",
                plural="rules",
                fields=tuple(FieldSpec(name=name, type=T.REFERENCE, target=name) for name in references),
            ),
        ),
        rules=(
            QuotaRule(
                name="rules_of_class",
                entity="rule",
                message='A "class" can\'t have more than 2 rules at any given time, whatever else may be the case.',
                reference="class",
                also=("table",),
                limit=2,
            ),
        ),
    )


def data_structures() -> Specification:
    """A library of every data structure of the catalogue, with some functions beside them."""
    return Specification(
        name="toolbox",
        title="Data structures",
        kind=Kind.LIBRARY,
        request="Every data structure.",
        computations=tuple(_by_algorithm(name) for name in ("binary_search", "merge_sort", "round_half_even")),
        structures=tuple(Structure(name=name) for name in STRUCTURES),
        library=LibraryFace(package="toolbox", structures=tuple(STRUCTURES)),
    )


def _by_algorithm(name: str) -> Computation:
    known = CATALOGUE[name]
    return Computation(
        name=name,
        parameters=known.parameters,
        returns=known.returns,
        items=known.items,
        algorithm=name,
        examples=known.examples,
    )


SAMPLES = (
    lending_library,
    calculator_service,
    music_collection,
    repair_shop,
    repair_program,
    repair_library,
    awkward_names,
    data_structures,
)
