"""The errand set: a bicycle workshop, a choir and a holiday cabin. All persons, firms, places and facts are fictional.

Written after the rules, for what people do rather than look up: what is on a day, what is late or owed, how many, how to, and unless what.
"""

from __future__ import annotations

REPAIRS: dict[str, list[tuple[object, ...]]] = {
    "repairs": [
        ("ticket", "customer", "bicycle", "brought in", "ready by", "price EUR", "state"),
        ("R-410", "Ottilie Marsh", "Gale city bike", "2031-05-12", "2031-05-19", 64.00, "waiting for parts"),
        ("R-411", "Ferdie Quist", "Hopper folding bike", "2031-05-12", "2031-05-21", 38.50, "in work"),
        ("R-412", "Samira Bold", "Gale cargo bike", "2031-05-13", "2031-05-22", 212.00, "in work"),
        ("R-413", "Jens Tarrant", "Kestrel road bike", "2031-05-14", "2031-05-16", 25.00, "collected"),
        ("R-414", "Ottilie Marsh", "Pip children's bike", "2031-05-14", "2031-05-23", 18.00, "in work"),
        ("R-415", "Noor Haldane", "Kestrel gravel bike", "2031-05-14", "2031-05-26", 97.00, "not begun"),
    ],
    "bills": [
        ("number", "customer", "issued", "due", "amount EUR", "status"),
        ("B-71", "Jens Tarrant", "2031-04-16", "2031-04-30", 25.00, "paid"),
        ("B-72", "Harbour School", "2031-04-22", "2031-05-06", 430.00, "open"),
        ("B-73", "Cato Delivery", "2031-05-02", "2031-05-16", 1180.00, "paid"),
        ("B-74", "Larch Nursery", "2031-05-05", "2031-05-19", 96.00, "open"),
        ("B-75", "Cato Delivery", "2031-05-12", "2031-05-26", 640.00, "open"),
        ("B-76", "Harbour School", "2031-05-15", "2031-06-12", 75.00, "open"),
    ],
}

HANDBOOK: list[tuple[str, object]] = [
    ("h1", "Workshop handbook, Spoke & Sprocket"),
    ("h2", "Lending a loan bike"),
    ("p", "Before a loan bike leaves the shop, do the following:"),
    ("item", "Check the brakes and both lights"),
    ("item", "Write the frame number into the loan book"),
    ("item", "Take a deposit of 80 euros, in cash or by card"),
    ("item", "Have the customer sign the yellow slip"),
    (
        "p",
        "A loan bike is free for three days. After that it costs 9 euros a day, unless we are the ones who are late with the repair.",
    ),
    ("h2", "Closing the shop in the evening"),
    ("p", "Whoever leaves last goes through these steps:"),
    ("item", "Unplug all battery chargers"),
    ("item", "Empty the till and put the bag into the safe"),
    ("item", "Lower the shutter at the back"),
    ("item", "Set the alarm with the code of the month"),
    ("h2", "Batteries"),
    (
        "p",
        "A swollen battery goes into the sand bucket in the yard at once. Never charge it again. If it smokes, leave the building and "
        "ring 112.",
    ),
    (
        "p",
        "Used batteries are taken back free of charge, except those of e-scooters. Sanna drives them to the depot on the first Friday of "
        "the month.",
    ),
    ("h2", "Warranty on repairs"),
    (
        "p",
        "We stand in for our repairs for twelve months. This does not hold for brake pads, tyres and chains. The customer has to show the "
        "bill.",
    ),
    ("h2", "Prices"),
    ("p", "A small service costs 49 euros, a large one 95 euros. An hour of other work is 58 euros."),
]

REHEARSALS: list[tuple[str, ...]] = [
    ("date", "time", "place", "what", "led by"),
    ("2031-05-15", "19:30", "Weaver's Hall", "all voices, Hymn to Rain", "Ludo Vane"),
    ("2031-05-22", "19:30", "Weaver's Hall", "all voices, Hymn to Rain", "Ludo Vane"),
    ("2031-05-24", "10:00", "Mill chapel", "altos and basses only", "Petra Osk"),
    ("2031-05-29", "19:30", "Weaver's Hall", "all voices, Three Ferries", "Petra Osk"),
    ("2031-06-05", "18:45", "Mill chapel", "dress rehearsal", "Ludo Vane"),
    ("2031-06-07", "17:00", "Mill chapel", "summer concert", "Ludo Vane"),
]

CHOIR = """# The Fernhill Choir

## Joining

New singers are welcome at any rehearsal. To become a member:

1. Sing with us three times
2. Ask Petra for a hearing of ten minutes
3. Fill in the blue form and hand it to Wanda Illes
4. Pay the fee for the half-year, 36 euros

Students pay half. The fee is not given back when somebody leaves in mid-season, except after a move to another town.

## Being absent

Whoever cannot come writes to Wanda by noon of the day. Whoever misses more than three rehearsals of a programme does not sing in its
concert, unless Ludo agrees.

## Music and clothes

Sheet music stays the choir's. A lost score costs 12 euros. On the stage we wear black with a green scarf. Scarves are lent out by Dell
Amory, who also has the key to the cupboard.

## Committee

Chair is Wanda Illes, wanda@fernhill-choir.example. The treasurer is Dell Amory. Ludo Vane conducts, Petra Osk leads the voices.
"""

CABIN = """Fernhill Cabin - how things work

Arriving
The key hangs in the grey box by the shed. The code of the box is sent to you on the day you arrive. You can come from 15:00 on.
On the day you leave, please be out by 10:30.

Lighting the stove
1. Open the damper at the back all the way.
2. Lay two small logs crosswise and kindling on top.
3. Light the kindling from above.
4. Close the damper by half when the glass is hot.
Never leave the stove burning overnight.

Water
In winter the water is turned off. To turn it on, open the red tap under the sink first and then the blue one in the cellar. Turn both off
again if it freezes below minus five degrees.

Rubbish
The bin is emptied on Wednesdays. Put it on the road on Tuesday evening. Glass goes to the container at the ferry landing.

Internet
The network is called CABIN-GUEST. There is no signal in the bedroom upstairs.

Dogs
One dog is allowed if you told us before. Dogs stay out of the bedrooms.

If something breaks
Ring Marek Thule, 0555 6120. He lives next door and comes within the hour, except on Sundays.
"""

STAYS: list[tuple[str, ...]] = [
    ("guest", "from", "to", "people", "price EUR", "deposit", "remark"),
    ("Orla Denning", "2031-05-02", "2031-05-05", "2", "285.00", "paid", ""),
    ("Family Brook", "2031-05-09", "2031-05-16", "5", "690.00", "paid", "cot"),
    ("Edgar Sill", "2031-05-23", "2031-05-26", "1", "285.00", "not paid", "comes by ferry"),
    ("Mina Castle", "2031-06-06", "2031-06-13", "4", "740.00", "paid", "dog"),
    ("Tom Averill", "2031-06-20", "2031-06-27", "3", "740.00", "not paid", "late arrival, 22:00"),
]

INSURER: list[tuple[str, object]] = [
    ("Title", "Rowan Mutual"),
    ("Normal", "Policy RM-5582 for Fernhill Cabin. Policyholder: Ingrid Falk. Begins 1 March 2031."),
    ("Heading2", "What is insured"),
    (
        "Normal",
        "Insured are fire, storm and burst pipes. Damage by frost is insured only if the water was turned off and the pipes were "
        "emptied. Theft is insured up to 4,000 euros, unless the door was left unlocked.",
    ),
    ("Heading2", "After a damage"),
    (
        "Normal",
        "Tell us of a damage within seven days. Keep what was broken until our assessor has seen it. A theft has to be told to the "
        "police on the same day.",
    ),
    ("Heading2", "Premium"),
    ("Normal", "The premium is 212 euros a year. It is due on 1 March. The excess is 100 euros for each damage."),
]
