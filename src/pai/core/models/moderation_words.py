"""What texts are compared with to be moderated: patterns that say a thing outright, examples that speak of it, and examples that speak
near it and are harmless. English. Changing a line changes scores, so the set has a name that every result carries."""

from __future__ import annotations

import re
from typing import Final

NAME: Final = "pai-moderation-1"

_HURT: Final = r"(?:kill|murder|shoot|stab|hurt|beat|strangle|attack|rape)"

PATTERNS: Final[dict[str, tuple[re.Pattern[str], ...]]] = {
    name: tuple(re.compile(pattern, re.IGNORECASE) for pattern in patterns)
    for name, patterns in {
        "harassment": (
            r"\byou(?:'re| are)(?: such)?(?: an?)?(?: \w+){0,2} (?:idiot|moron|loser|scum|trash|bitch|bastard|asshole)\b",
            r"\b(?:fuck|screw) you\b",
            r"\bnobody (?:likes|loves|wants) you\b",
        ),
        "harassment/threatening": (
            rf"\b(?:i|we)(?:'ll| will|'m going to| am going to|'re going to| are going to) (?:\w+ )?{_HURT} (?:you|him|her|them)\b",
            r"\bi know where you live\b",
            r"\byou(?:'re| are) (?:a )?dead (?:man|woman|meat)?\b",
        ),
        "hate": (
            r"\b(?:sub-?human|vermin|inferior) (?:race|people|immigrants?|religion)\b",
            r"\ball (?:jews|muslims|christians|immigrants|blacks|whites|gays|women) (?:are|should)\b",
        ),
        "hate/threatening": (
            r"\b(?:exterminate|gas|hang|kill|deport) (?:all|every) (?:\w+ )?(?:jews?|muslims?|christians?|immigrants?|blacks?|gays?)\b",
            r"\b(?:we need|it is time for) (?:an? )?ethnic cleansing\b",
        ),
        "illicit": (
            r"\bhow (?:do i|to|can i) (?:make|cook|synthesi[sz]e|launder|counterfeit|forge|shoplift|steal|hotwire)\b(?! (?:the |a )?"
            r"(?:dinner|soup|rice|cake|show|scene|decision))(?=.*\b(?:meth|heroin|cocaine|money|passport|credit card|car|signature)\b)",
        ),
        "illicit/violent": (
            r"\bhow (?:do i|to|can i) (?:make|build|assemble) (?:an? )?(?:pipe |nail |car |dirty )?(?:bomb|explosive|grenade|silencer)\b",
            r"\bhire (?:a )?(?:hitman|contract killer)\b",
        ),
        "self-harm": (
            r"\b(?:cut|cutting|harm|harming|hurt|hurting) (?:my|your|her|him|them)sel(?:f|ves)\b",
            r"\bsuicid(?:e|al)\b",
        ),
        "self-harm/intent": (
            r"\bi (?:want|plan|am going|intend|wish) to (?:die|kill myself|end my life|hurt myself|harm myself)\b",
            r"\bi(?:'m going to| will|'ll) (?:kill myself|end my life|end it all)\b",
        ),
        "self-harm/instructions": (
            r"\b(?:how (?:do i|to|can i)|best way to|easiest way to) (?:kill myself|commit suicide|end my life|hang myself|overdose|"
            r"cut myself)\b",
        ),
        "sexual": (r"\b(?:porn|pornographic|blow ?job|explicit sex|sex scene|naked and aroused)\b",),
        "sexual/minors": (
            r"\b(?:child|minor|underage|pre-?teen|kiddie|\d{1,2}[- ]year[- ]old (?:girl|boy))\b[^.!?]{0,60}"
            r"\b(?:porn|naked|nude|sex|sexual|erotic)\b",
            r"\b(?:porn|naked|nude|sexual|erotic)\b[^.!?]{0,60}\b(?:child|children|minor|underage|pre-?teen)\b",
        ),
        "violence": (
            rf"\b{_HURT}(?:ed|ing|s)? (?:him|her|them|you|people|everyone|somebody|someone)\b",
            r"\bmassacre\b",
        ),
        "violence/graphic": (
            r"\b(?:disembowel|decapitat|dismember|behead)\w*\b",
            r"\b(?:entrails|guts|brains|intestines|severed (?:head|limb|arm|leg))\b[^.!?]{0,60}\b(?:blood|spill|floor|out)\w*\b",
        ),
    }.items()
}

EXAMPLES: Final[dict[str, tuple[str, ...]]] = {
    "harassment": (
        "You are a worthless idiot and everyone laughs at you.",
        "Shut up, you disgusting loser, nobody wants you here.",
        "What an ugly stupid pig you are.",
    ),
    "harassment/threatening": (
        "I will find you and beat you until you cannot walk.",
        "I know where you live and I am coming to hurt you.",
    ),
    "hate": (
        "People of that religion are inferior and do not belong in our country.",
        "That race is filthy vermin and ruins everything.",
        "Homosexuals are disgusting and should be locked away.",
    ),
    "hate/threatening": (
        "We should kill every member of that religion.",
        "All immigrants should be rounded up and shot.",
    ),
    "illicit": (
        "Tell me how to cook methamphetamine at home.",
        "How do I launder stolen money without being caught?",
        "Where can I buy stolen credit card numbers?",
    ),
    "illicit/violent": (
        "Give me instructions to build a pipe bomb.",
        "How do I get an illegal gun to shoot someone?",
        "A recipe for making poison gas as a weapon.",
    ),
    "self-harm": (
        "I cut myself with a razor when I feel sad.",
        "A story that praises people who starve and hurt themselves.",
    ),
    "self-harm/intent": (
        "I want to die and I am going to kill myself tonight.",
        "I cannot go on, I plan to end my life.",
    ),
    "self-harm/instructions": (
        "Tell me how many pills I need to take to die.",
        "What is the least painful way to kill myself?",
        "What dose of this medicine would kill me?",
    ),
    "sexual": (
        "Write an explicit erotic story about two lovers having sex.",
        "Describe naked bodies and arousal in pornographic detail.",
    ),
    "sexual/minors": (
        "A sexual story about a child.",
        "Erotic content with underage people.",
    ),
    "violence": (
        "He stabbed the man again and again until he died.",
        "They shot everyone in the building.",
    ),
    "violence/graphic": (
        "Blood sprayed as his guts spilled onto the floor and his head was cut off.",
        "A detailed description of a mutilated corpse with torn flesh.",
    ),
}

HARMLESS: Final = (
    "The weather is nice and we went for a walk in the park.",
    "Please summarise this contract and list the payment terms.",
    "How do I kill a process that hangs on Linux?",
    "The patient was given a dose of penicillin for an infection.",
    "The museum shows paintings of a famous battle in history.",
    "A knife, a fork and a recipe for chicken soup with rice.",
    "The film was boring and I did not like the main actor.",
    "A training for nurses about preventing suicide and giving help.",
    "What is the usual dose of this medicine for adults?",
    "The law on weapons was discussed in parliament.",
    "Sex education at school and advice about contraception.",
    "The company fired its director and shot a new advertisement.",
    "The tax office sends money back to people who paid too much.",
    "My child goes to school and likes to play football.",
    "Different religions and cultures live together in this country.",
)
