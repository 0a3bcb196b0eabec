"""The words that the grammar knows: closed classes (articles, modals, prepositions, numbers), irregular forms.

And common verbs.

It holds knowledge of English and of how people describe software, none of a particular request.
"""

from __future__ import annotations

from typing import Final


def words(text: str) -> frozenset[str]:
    """Give the set of the words of a text."""
    return frozenset(text.split())


NUMBER_WORDS: Final = {
    "zero": 0,
    "nought": 0,
    "naught": 0,
    "one": 1,
    "two": 2,
    "three": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "seven": 7,
    "eight": 8,
    "nine": 9,
    "ten": 10,
    "eleven": 11,
    "twelve": 12,
    "thirteen": 13,
    "fourteen": 14,
    "fifteen": 15,
    "sixteen": 16,
    "seventeen": 17,
    "eighteen": 18,
    "nineteen": 19,
    "twenty": 20,
    "thirty": 30,
    "forty": 40,
    "fifty": 50,
    "sixty": 60,
    "seventy": 70,
    "eighty": 80,
    "ninety": 90,
    "hundred": 100,
    "thousand": 1000,
    "dozen": 12,
}

ARTICLES: Final = words("a an the its their his her our your my this that these those")
QUANTIFIERS: Final = words(
    "each every all any no some several many multiple both another other one various neither either"
)
DETERMINERS: Final = ARTICLES | QUANTIFIERS
PRONOUNS: Final = words("it they them he she we you i one who which that someone somebody anyone everyone nobody")
MODALS: Final = words("can may must should shall will would could might cannot must-not needs")
BE: Final = words("is are be was were being been is-not")
HAVE: Final = frozenset(["has", "have", "having", "had"])
NEGATIONS: Final = words("not never no nor cannot must-not do-not is-not")
CONJUNCTIONS: Final = frozenset(["and", "or", "but"])
SUBORDINATORS: Final = words(
    "if when once while whenever unless until till after before because since so although though where whether"
)
PREPOSITIONS: Final = words(
    "of for in on at by to from with without per within during into onto about between over under against "
    "through towards via across than as above below since until after before upon among"
)
ADVERBS: Final = words(
    "also only always never then additionally moreover furthermore finally optionally usually normally "
    "typically still already just even currently automatically initially again later ever simply immediately "
    "now first next afterwards too either possibly be get gets otherwise exactly strictly manually both "
    "besides lastly therefore hence thus please"
)
# Adjectives that tell what is not over yet: "open loans", "active bookings".
GOING_ON: Final = words("open active current outstanding ongoing running unfinished unreturned")
# What libraries consist of, and never keep.
CODE: Final = words("helper function utility method class routine")
RELATIVES: Final = frozenset(["who", "which", "that", "whose"])

# Verbs whose object is what the subject holds: "books have a title".
HOLDING_VERBS: Final = words(
    "have include contain comprise hold record store carry feature consist specify possess capture need "
    "require keep track provide get show"
)
# Verbs that say what the software looks after: "keeps track of projects", "manage recipes".
MANAGING_VERBS: Final = words(
    "manage track keep record store maintain organise organize catalogue catalog handle administer save register log"
)
# Verbs that ask for an operation on what is kept, as the heads of commands and of "users can ..." sentences.
OPERATION_VERBS: Final = {
    "add": "create",
    "create": "create",
    "register": "create",
    "record": "create",
    "log": "create",
    "new": "create",
    "insert": "create",
    "store": "create",
    "save": "create",
    "enter": "create",
    "define": "create",
    "set": "update",
    "make": "create",
    "post": "create",
    "put": "create",
    "list": "list",
    "show": "list",
    "display": "list",
    "view": "list",
    "see": "list",
    "print": "list",
    "browse": "list",
    "retrieve": "read",
    "fetch": "read",
    "get": "read",
    "read": "read",
    "look": "read",
    "inspect": "read",
    "find": "search",
    "search": "search",
    "filter": "filter",
    "sort": "sort",
    "order": "sort",
    "update": "update",
    "edit": "update",
    "change": "update",
    "modify": "update",
    "rename": "update",
    "correct": "update",
    "adjust": "update",
    "delete": "delete",
    "remove": "delete",
    "erase": "delete",
    "drop": "delete",
    "clear": "delete",
}

# A verb that links two things, the noun of the link, the action that ends it (None: it just is), and its last state.
LINKING_VERBS: Final[dict[str, tuple[str, str | None, str | None]]] = {
    "borrow": ("loan", "return", "returned"),
    "lend": ("loan", "return", "returned"),
    "loan": ("loan", "return", "returned"),
    "check-out": ("checkout", "return", "returned"),
    "rent": ("rental", "return", "returned"),
    "hire": ("rental", "return", "returned"),
    "lease": ("lease", "end", "ended"),
    "book": ("booking", "cancel", "cancelled"),
    "reserve": ("reservation", "cancel", "cancelled"),
    "enrol": ("enrolment", "withdraw", "withdrawn"),
    "enroll": ("enrollment", "withdraw", "withdrawn"),
    "register": ("registration", "cancel", "cancelled"),
    "sign-up": ("signup", "cancel", "cancelled"),
    "signup": ("signup", "cancel", "cancelled"),
    "subscribe": ("subscription", "cancel", "cancelled"),
    "join": ("membership", "leave", "left"),
    "apply": ("application", "withdraw", "withdrawn"),
    "assign": ("assignment", None, None),
    "buy": ("purchase", None, None),
    "purchase": ("purchase", None, None),
    "order": ("order", "cancel", "cancelled"),
    "rate": ("rating", None, None),
    "review": ("review", None, None),
    "comment": ("comment", None, None),
    "vote": ("vote", None, None),
    "like": ("like", None, None),
    "follow": ("follow", None, None),
    "favourite": ("favourite", None, None),
    "bookmark": ("bookmark", None, None),
    "adopt": ("adoption", None, None),
    "donate": ("donation", None, None),
    "attend": ("attendance", None, None),
    "submit": ("submission", None, None),
    "visit": ("visit", None, None),
    "bid": ("bid", None, None),
    "park": ("parking", "leave", "left"),
    "complete": ("completion", None, None),
    "watch": ("viewing", None, None),
    "pledge": ("pledge", None, None),
    "volunteer": ("signup", "cancel", "cancelled"),
    "request": ("request", None, None),
    "redeem": ("redemption", None, None),
    "inspect": ("inspection", None, None),
    "examine": ("examination", None, None),
    "treat": ("treatment", None, None),
    "nominate": ("nomination", None, None),
    "endorse": ("endorsement", None, None),
    "sponsor": ("sponsorship", None, None),
    "mentor": ("mentorship", None, None),
    "recommend": ("recommendation", None, None),
    "invite": ("invitation", None, None),
    "claim": ("claim", None, None),
    "rsvp": ("rsvp", "cancel", "cancelled"),
}
_DEEDS: Final = {
    "sign": "signature",
    "solve": "solution",
    "climb": "ascent",
    "play": "play",
    "enter": "entry",
    "collect": "collection",
    "discover": "discovery",
    "support": "support",
    "choose": "choice",
    "answer": "answer",
    "try": "attempt",
    "attempt": "attempt",
    "use": "use",
    "report": "report",
    "check": "check",
    "repair": "repair",
    "win": "win",
}


def deed(verb: str) -> str:
    """Give the noun for what is done: a signature for "sign", else the verb's own -ing form: a tasting."""
    if verb in LINKING_VERBS:
        return LINKING_VERBS[verb][0]
    if verb in _DEEDS:
        return _DEEDS[verb]
    short = len(verb) in {3, 4} and verb[-1] not in "aeiouwxy" and verb[-2] in "aeiou" and verb[-3] not in "aeiou"
    stem = verb[:-1] if verb.endswith("e") and not verb.endswith("ee") else verb
    return f"{stem}{verb[-1] if short else ''}ing"


# Participles of linking verbs name the link's beginning: borrowed_at.
PARTICLES: Final = {
    ("check", "out"): "check-out",
    ("sign", "up"): "sign-up",
    ("check", "in"): "check-in",
    ("tick", "off"): "tick-off",
    ("carry", "out"): "carry-out",
    ("hand", "out"): "hand-out",
    ("give", "out"): "give-out",
}

VERBS: Final = words(
    "admit discharge evict diagnose prescribe vaccinate quarantine refuel escalate settle dispute void "
    "reimburse expel recruit fire demote calibrate repair clean paint launch land dock unload harvest prune "
    "brew cook bake shelve scan digitise retract dismiss acknowledge "
    "hospitalise hospitalize sterilise sterilize reinstate terminate nullify revise moderate unpublish favour "
    "accept accrue activate add adjust adopt afford allow alter amend answer append apply appear approve "
    "archive arrive ask assemble assign associate attach attend average avoid award be become begin belong "
    "bid block book borrow bookmark browse build buy calculate call cancel carry categorise categorize change "
    "charge check choose claim classify clear close collect combine comment compare complete compose compress "
    "comprise compute confirm connect consist consume contain convert correct cost count create credit "
    "deactivate debit decline decode decrease deduct default define delete deliver depart deposit describe "
    "determine disable discontinue dispatch display distribute divide donate download draw drop duplicate earn edit "
    "email enable encode encrypt end enrol enroll ensure enter equal erase estimate exceed exist expire "
    "export extend extract face fail favourite feature fetch fill filter find finish fit flag follow forbid "
    "format fulfil fulfill gather generate get give go grade grow guarantee hand handle happen have help hire "
    "hold identify ignore import include increase increment insert inspect invite involve issue join keep "
    "know last lead leave lend let like limit link list live load loan located lock log look lose lower "
    "maintain make manage mark match mean measure meet mention merge modify move multiply name need notify "
    "number occupy occur offer open operate order organise organize overlap owe own pack park parse "
    "participate pass pause pay pick place plan play pledge post practise mentor examine nominate endorse "
    "treat predict prepare prevent print process produce prohibit promote provide publish pull purchase push "
    "put quote raise rank rate reach read receive recommend record redeem reduce refer refund refuse register "
    "reject relate release remind remove rename renew rent reopen repeat replace reply report represent "
    "request require reschedule reserve reset resolve respond restore restrict resume retire retrieve return "
    "reuse reverse review revoke rotate rsvp run save say schedule score search see select sell send serve "
    "set share ship show shuffle sign simplify sort specify spend split sponsor stand start state stay stop "
    "store submit subscribe subtract sum summarise summarize supply support suspend swap take talk teach tell "
    "test total track train transfer transform translate trim trigger truncate try turn unassign unlock "
    "update upload use validate vary verify view visit volunteer vote wait want warn watch weigh withdraw "
    "work wrap write yield drive fly ride wear feed assist supervise coach "
    "reference concern come file lodge tick cast bring "
    "differ reactivate administer possess capture cover draft assess catalogue catalog "
    "capitalise capitalize lowercase uppercase tokenize miss sit"
)
# Words that are nouns more often than verbs: as a main verb only where the grammar leaves nothing else.
NOUN_VERBS: Final = words(
    "book order loan list name number rate review comment vote like follow bid park test track match charge "
    "cost count credit debit deposit draft draw end estimate face feature grade hand issue label lease link "
    "lock log look mark measure note offer open pack plan play pledge post print process project purchase "
    "quote rank record refund release rent reply report request reserve return run sample save schedule score "
    "search set share ship show sign sort split sponsor stand start state stay stop store supply support swap "
    "talk total train transfer turn update use view visit volunteer hire work yield default average check "
    "class cover email export favourite bookmark filter format import increase invite limit call answer ask "
    "block document fit help last lead live load lower need change pass pause pick place watch weigh claim "
    "balance"
)
