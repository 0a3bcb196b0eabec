"""Recognises what is asked for but not built: signing in, sending messages, taking payments, pages.

Other languages' wishes.

The reason is a sentence for the customer. A clause that only mentions such a thing in passing ("members have an
email") is none of these.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from functions.neuron.reading.clauses import Clause
    from functions.neuron.reading.tokens import Token

_ACTORS: Final = (
    r"(?:creator|author|owner|writer|reporter|assignee|organi[sz]er|host|sender|seller|uploader|manager|admin|"
    r"administrator|moderator)s?"
)
_WHO: Final = "Who may do what is not checked: the software has no notion of who is calling."
_TOPICS: Final[tuple[tuple[str, str], ...]] = (
    (
        r"\b(?:log(?:s|ged)?[ -]?in|login|sign(?:s|ed)?[ -]in|log ?out|authenticat\w+|oauth2?|jwt|"
        r"single sign.on|sso|two.factor|2fa|usernames? and passwords?|password reset|hash(?:es|"
        r"ed)? passwords?)\b",
        "Signing in is not built: the software trusts whoever can reach it.",
    ),
    (
        r"\b(?:authori[sz]ation|role.based|access control|permissions? (?:system|model)|only (?:admins?|"
        r"administrators?|managers?|librarians?|staff|owners?|moderators?) (?:can|may)|(?:admins?|"
        r"administrators?) only|"
        r"only (?:be )?(?:\w+ )?by (?:its|their|his|her|the) (?:own )?(?:" + _ACTORS + r"))\b",
        _WHO,
    ),
    (
        r"\b(?:(?:send|sends|sent|sending|receive|receives|gets?|email|emails|e-mail|e-mails) (?:an? |the |"
        r"them |out |him |her |us )?(?:\w+ )?(?:e-?mails?|sms|text messages?|notifications?|reminders?|"
        r"push notifications?|newsletter|alerts?)|notif(?:y|ies|ied)|is emailed|are emailed|is reminded|"
        r"are reminded|e-?mails? (?:the|a|them|him|her|customers?|users?|members?))\b",
        "Sending messages is not built: the software has no way out to mail or messaging services.",
    ),
    (
        r"\b(?:credit cards?|stripe|paypal|payment (?:gateway|provider|processing)|online payments?|"
        r"pay (?:online|by card|with (?:a )?card)|checkout with)\b",
        "Taking payments is not built: no payment provider is connected.",
    ),
    (
        r"\b(?:web ?page|web ui|user interface|dashboard|front.?end|react|vue|angular|html|mobile app|android|"
        r"ios app|gui|graphical|css|dark mode|buttons?)\b",
        "Pages are not built yet; the software offers the same over HTTP.",
    ),
    (
        r"\b(?:upload\w*|attachments?|attach files?|image processing|thumbnails?)\b",
        "Keeping uploaded files is not built; a link to a file can be kept instead.",
    ),
    (
        r"\b(?:real.?time|websockets?|web sockets?|live updates?|push updates|graphql|grpc|webhooks?|"
        r"message queue|kafka|rabbitmq)\b",
        "This way of talking to the software is not built; it answers requests over HTTP.",
    ),
    (
        r"\b(?:docker compose|kubernetes|deploy(?:ed|ment)? (?:to|on|with)|ci/cd|aws|azure|gcp|heroku|"
        r"scal(?:e|es|able|ability) to)\b",
        "Deployment is not part of the project; it comes with a Dockerfile.",
    ),
    (
        r"\bexit(?:s|ed|ing)? (?:with )?(?:an? |the )?(?:exit |non-?zero |error )?(?:code|status)\b|"
        r"\bexit(?:s|ing)? with \d",
        "Exit codes are fixed: 0 when it is done, whatever the answer, 1 when refused, 2 when used wrongly.",
    ),
    (
        r"\b(?:machine learning|ai.powered|artificial intelligence|recommendation engine|chatgpt|llm|"
        r"natural language|recommendations? (?:engine|system)|recommends?)\b",
        "This needs a model or a judgement that the software does not have.",
    ),
    (
        r"\b(?:audit (?:log|trail)|multi.?tenan\w+|internationali[sz]ation|localis\w+|localiz\w+|multilingual)\b",
        "This is not built.",
    ),
    (
        r"\b(?:import|export)(?:s|ed|ing)? (?:\w+ ){0,4}(?:csv|excel|pdf|xml|spreadsheets?|json)\b|\b(?:as|to|"
        r"from|in) (?:a )?(?:csv|excel|pdf|xlsx)\b|\bpdf\b",
        "Reading and writing files of this format is not built.",
    ),
    (
        r"\b(?:concurren(?:t|cy) users?|response times?|milliseconds|per second|uptime|high availability|"
        r"high performance|high.load|fast response)\b",
        "HAL9 does not measure or promise this.",
    ),
    (
        r"\b(?:rate.?limit\w*|throttl\w*|gdpr|encrypt(?:s|ed|ion)? at rest|ssl|https only|tls)\b",
        "This is not built into the project; put it in front of the service.",
    ),
    (
        r"\b(?:is|are|be|stored|kept|saved) encrypted\b",
        "What is kept is not encrypted.",
    ),
    (
        r"\b(?:every (?:night|morning|hour|monday|week|day at)|nightly|cron|scheduled job|background job|"
        r"automatically (?:cancel|close|delete|expire|archive)\w*)\b",
        "Nothing runs by the clock in the software: it acts when it is called.",
    ),
)
_COMPILED: Final = tuple((re.compile(pattern, re.IGNORECASE), reason) for pattern, reason in _TOPICS)


def reason(clause: Clause, request: str) -> str | None:
    """Give why a clause is not done when it asks for something that HAL9 does not build; None otherwise."""
    text = request[clause.start : clause.end]
    return next((why for pattern, why in _COMPILED if pattern.search(text)), None)


_ONLY: Final = re.compile(
    rf"\bonly (?:its|their|his|her|the) (?:own )?{_ACTORS}(?= (?:can|may|is|are)\b)", re.IGNORECASE
)


def actor(clause: Clause, request: str) -> tuple[tuple[Token, ...], str]:
    """Give the words that say who alone may do what else is built, "only its creator", and why they are not done."""
    found = _ONLY.match(request, clause.start)
    return (tuple(t for t in clause.tokens if t.end <= found.end()), _WHO) if found is not None else ((), "")
