from __future__ import annotations

import pytest

from pai.core.knowledge.kinds import Wanted, holds
from pai.core.knowledge.likeness import FAMILY, MEANING, SAME, compound, likeness
from pai.core.knowledge.question import is_german, parts, small_names, understand
from pai.core.knowledge.wording import Order
from pai.core.knowledge.words import content_words
from pai.foundation.errors import Invalid


def test_questions_are_taken_apart() -> None:
    asked = understand("Which blood group does Amara Okafor have?")
    assert asked.names == (("amara", "okafor"),)
    assert asked.focus == {"blood", "group"}
    assert understand("How many beds are there?").wanted is Wanted.NUMBER
    assert understand("When did it end?").wanted is Wanted.TIME
    assert understand("Who signed?").wanted is Wanted.PERSON
    assert understand("Why was it stopped?").wanted is Wanted.REASON


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("What is Mr. Lund allergic to?", {"lund"}),
        ("What does Dr Ruth Adeyemi say about Brightwater?", {"ruth", "adeyemi", "brightwater"}),
        ("When is Ines Carvalho's appointment?", {"ine", "carvalho"}),
        ("What was the HbA1c on Monday in March?", set()),
        ("Wann kommt Frau Lund?", {"lund"}),
        ("Wie hoch sind die Kosten der Reparatur?", set()),
    ],
)
def test_whom_a_question_names(text: str, names: set[str]) -> None:
    assert understand(text).name_stems == names


def test_small_letters_are_names_when_the_documents_use_them_so() -> None:
    proper = small_names(
        "what is lund allergic to", ["We met Mr Lund, who is well.", "The allergic rash of Lund is gone."]
    )
    assert understand("what is lund allergic to", proper).name_stems == {"lund"}
    assert not small_names("when does the laundry come", ["We pay Seafoam Laundry by the kilogram."])


@pytest.mark.parametrize(
    ("text", "measure"),
    [
        ("How heavy was he?", "weight"),
        ("What dose of ramipril does he take?", "dose"),
        ("How much does the repair cost?", "price"),
        ("What is the phone number of the ward?", "phone"),
        ("How many days are left?", "duration"),
        ("How many doses are left?", ""),
        ("Wie lange dauert es?", "duration"),
    ],
)
def test_what_is_measured(text: str, measure: str) -> None:
    asked = understand(text)
    assert (asked.wanted, asked.measure) == (Wanted.NUMBER, measure)


@pytest.mark.parametrize(
    ("measure", "text", "held"),
    [
        ("weight", "On arrival he weighed 94.2 kg.", True),
        ("weight", "date: 2031-06-05; time: 09:30", False),
        ("price", "Price EUR: 89.00", True),
        ("price", "Payment terms: 30 days", False),
        ("phone", "Call 0555 0176 at any time.", True),
        ("phone", "She comes on 2031-06-05.", False),
    ],
)
def test_a_measure_is_told_by_its_unit(measure: str, text: str, held: bool) -> None:
    assert holds(Wanted.NUMBER, measure, frozenset(), text) is held


def test_lists_and_orders_are_noticed() -> None:
    assert understand("Which medicines does she take?").several
    assert understand("What are the duties of Seafoam?").several
    assert understand("What does Chiara Rossi have to do?").several
    assert not understand("Which article number does the bed have?").several
    assert not understand("What is the status of the invoice?").several
    assert understand("When is the next appointment?").order is Order.NEXT
    assert understand("Which is the cheapest?").order is Order.LEAST


def test_two_questions_in_one() -> None:
    first, second = parts("Who collects the waste and when does the contract end?")
    assert (first.wanted, second.wanted) == (Wanted.PERSON, Wanted.TIME)
    assert second.topics == ()
    first, second = parts("What dose of bisoprolol does Mr. Lund take and why?")
    assert second.wanted is Wanted.REASON
    assert (second.names, second.topics) == (first.names, ("bisoprolol",))
    assert len(parts("Which day and which room was it?")) == 2
    assert len(parts("How much do bread and butter cost?")) == 1


@pytest.mark.parametrize(
    ("one", "other", "least"),
    [
        ("stopped", "stops", SAME),
        ("allergic", "allergy", FAMILY),
        ("collection", "collected", FAMILY),
        ("medicine", "drugs", MEANING),
        ("admitted", "arrival", MEANING),
        ("allergisch", "allergy", MEANING),
        ("mietvertrag", "lease", MEANING),
    ],
)
def test_words_that_say_the_same(one: str, other: str, least: float) -> None:
    assert likeness(one, other) >= least


@pytest.mark.parametrize(
    ("one", "other"), [("lease", "contract"), ("insulin", "metformin"), ("part", "party"), ("pain", "paint")]
)
def test_words_that_do_not(one: str, other: str) -> None:
    assert likeness(one, other) == 0.0


def test_german_is_read_with_its_compounds() -> None:
    assert is_german("Wann endet der Vertrag?")
    assert not is_german("When was the contract made?")
    assert compound("impfdosen") == ("impf", "dosen")
    asked = understand("Wie viele Impfdosen wurden entsorgt?")
    assert asked.predicates == ("impf", "dosen", "entsorgt")
    assert content_words("Impfdosen") == {"impfdosen"}


def test_many_questions_at_once_are_refused() -> None:
    one = "where is the key of room 3"
    assert len(parts(" and ".join([one] * 4))) == 4
    with pytest.raises(Invalid, match="5 questions"):
        parts(" and ".join([one] * 5))
