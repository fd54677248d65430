"""The visitor set, world 1: a surgery and a home-care service. All persons, firms, places and facts are fictional."""

from __future__ import annotations

PYM: list[tuple[str, object]] = [
    ("h1", "Birchgate Surgery"),
    ("p", "2 Chandler Street, Eastfold. To: Lantern Home Care, 7 May 2031"),
    ("p", "Re: Mr Walter Pym, born 12 March 1949, 4 Cooper Row"),
    ("p", "Dear colleagues,"),
    (
        "p",
        "I saw Mr Pym in the surgery on 6 May. He has type 2 diabetes and high blood pressure, and his left hip is worn out. "
        "BP was 148/86, weight 91 kg, HbA1c 58 mmol/mol. Please remind him that the blood test is to be repeated in three months.",
    ),
    (
        "p",
        "Mr Pym is allergic to penicillin. He came out in a rash all over after one dose in 2019.",
    ),
    ("h2", "Present medication"),
    ("item", "Metformin 500 mg, one tablet morning and evening, with food"),
    ("item", "Ramipril 5 mg, one in the morning"),
    ("item", "Paracetamol 1 g, up to four times a day if the hip hurts"),
    (
        "p",
        "We stopped the ibuprofen because of his kidneys. Please do not buy any for him over the counter.",
    ),
    ("h2", "At home"),
    (
        "p",
        "He lives alone. His daughter Hester has a key and comes on Sundays; her number is 0555 2107. "
        "He walks with a stick. The stairs to the bedroom are getting too much for him, so a stair lift has been applied for.",
    ),
    ("p", "His next appointment with me is on Monday 9 June at 10:20."),
    ("p", "Kind regards, Dr Amara Oduya"),
]

QUILL: list[tuple[str, object]] = [
    ("Title", "Birchgate Surgery"),
    ("Normal", "To Lantern Home Care, 9 May 2031"),
    ("Normal", "Re: Mrs Dorothea Quill, born 30 November 1941, 17 Tanner's Yard"),
    (
        "Normal",
        "I visited Mrs Quill at home on 8 May. She had a fall in the bathroom on 2 May; nothing was broken. Her blood pressure was 122/70 "
        "and she weighs 54 kg. She does not tolerate codeine. It makes her sick. Plasters also bring her out in blisters, so please fix "
        "dressings with a bandage.",
    ),
    ("Heading2", "Medication"),
    (
        "table",
        [
            ("Drug", "Strength", "When"),
            ("Bisoprolol", "2.5 mg", "1 in the morning"),
            ("Apixaban", "5 mg", "1 morning, 1 evening"),
            ("Furosemide", "40 mg", "1 in the morning"),
            ("Vitamin D", "1000 units", "1 on Saturdays"),
        ],
    ),
    (
        "Normal",
        "Apixaban thins the blood. After any knock to the head she therefore has to be seen in hospital on the same day.",
    ),
    ("Heading2", "Leg ulcer"),
    (
        "Normal",
        "The ulcer on the left shin is healing. The dressing is changed twice a week. Our nurse Petra Sallow does it on Tuesdays, your "
        "people on Fridays.",
    ),
    ("Heading2", "Other"),
    (
        "Normal",
        "Mrs Quill is hard of hearing on the right, so speak to her from the left. Next of kin is her nephew Julian Quill, 0555 2144. She "
        "had her flu jab in October 2030. I shall see her again on 16 June at 11:40.",
    ),
    ("Normal", "Dr Lewin Hartsook"),
]

MAIL = """From: Petra Sallow (Birchgate)
To: office, Lantern
Date: Wed 14 May 2031 16:52
Subject: two of yours - Ines + Tobias

Hi all,

sorry for the rush, quick update on the two I saw this week.

INES ARKWELL (dob 5.8.1955)
Inhalers changed. Blue one (salbutamol): 2 puffs only when she needs it. Brown one (beclometasone): 2 puffs twice a day, every day.
She has to rinse her mouth after the brown one. No known allergies. Weight 68 kg, peak flow 310.
She gave up smoking in January - please praise her!
Mrs Tolley in flat 3 has the spare key. Next review with me: 23 June, 9:00.

TOBIAS FENN (dob 19.1.1938)
I changed his catheter on 12 May. The next change is due in twelve weeks, so put 4 August in the book.
He can't have latex, he swells up. Use the nitrile gloves!
Sleeping tablets (zopiclone) are stopped since he was so dizzy in the mornings. BP 135/78.
He should drink about 1.5 litres a day. Constance, his wife, keeps the fluid chart. You get her on 0555 2190.

PS: key safe code for Ines is new. Ring me for it, I won't put it in a mail.

Petra
"""

NOTICEBOARD = """LANTERN HOME CARE - NOTICEBOARD

ROTA week 21
early 6:30-14:00, late 14:00-21:00

Mon 19 May   early Bettina   late Samir
Tue 20 May   early Lorna     late Kofi
Wed 21 May   early Bettina   late Lorna
Thu 22 May   early Samir     late Kofi
Fri 23 May   early Lorna     late Bettina
Sat 24 May   early Kofi      late Samir
Sun 25 May   early Samir     late Lorna

Nights on call all week: Mrs Gantry
Bettina is on leave 26 May to 6 June.
Kofi takes over her round.
Swaps only with Mrs Gantry's OK, by Thursday noon.

PHONES

Birchgate reception        0555 2000
Dr Oduya, direct           0555 2011
Dr Hartsook, direct        0555 2012
Petra Sallow, nurse        0555 2015
Lantern office             0555 2050
Mrs Gantry (manager), mob  0555 2051
Bettina Krohl              0555 2061
Samir Haddow               0555 2062
Lorna Vance                0555 2063
Kofi Pell                  no mobile just now, leave word at the office
Millbank Pharmacy          0555 2077 (shuts 18:30, Sat 13:00)
Out-of-hours doctor        0555 2099

VAN

Keys are in the cupboard behind the door.
The white van is at the garage on 28 May for its inspection.
Please fill up when below a quarter. Fuel card is in the glove box.
"""

MEDICATION: dict[str, list[tuple[object, ...]]] = {
    "Medication": [
        ("Client", "Drug", "Strength", "Morning", "Noon", "Evening", "Prescribed by"),
        ("Walter Pym", "Metformin", "500 mg", 1, 0, 1, "Dr Oduya"),
        ("Walter Pym", "Ramipril", "5 mg", 1, 0, 0, "Dr Oduya"),
        ("Dorothea Quill", "Bisoprolol", "2.5 mg", 1, 0, 0, "Dr Hartsook"),
        ("Dorothea Quill", "Apixaban", "5 mg", 1, 0, 1, "Dr Hartsook"),
        ("Dorothea Quill", "Furosemide", "40 mg", 1, 0, 0, "Dr Hartsook"),
        ("Tobias Fenn", "Tamsulosin", "400 mcg", 1, 0, 0, "Dr Hartsook"),
        ("Tobias Fenn", "Ramipril", "2.5 mg", 1, 0, 0, "Dr Hartsook"),
        ("Marisol Dray", "Levothyroxine", "75 mcg", 1, 0, 0, "Dr Oduya"),
        ("Marisol Dray", "Amlodipine", "10 mg", 0, 0, 1, "Dr Oduya"),
    ],
    "Clients": [
        ("Client", "Address", "Visits per week", "Hours per week", "Main carer", "With us since"),
        ("Walter Pym", "4 Cooper Row", 7, 5.25, "Samir Haddow", "2029-10-01"),
        ("Dorothea Quill", "17 Tanner's Yard", 14, 9.5, "Lorna Vance", "2028-02-15"),
        ("Ines Arkwell", "1 Weir House, flat 6", 3, 3.0, "Bettina Krohl", "2031-01-20"),
        ("Tobias Fenn", "29 Saddler Way", 14, 12.0, "Kofi Pell", "2030-06-03"),
        ("Marisol Dray", "8 Lamplight Court", 5, 4.5, "Lorna Vance", "2030-11-11"),
    ],
}

HANDBOOK = """# Lantern Home Care: handbook for clients

## What our services cost (from 1 January 2031)

| Service | Mon-Fri GBP | Sat/Sun GBP |
|---|---|---|
| Personal care, 30 min | 18.50 | 24.00 |
| Personal care, 60 min | 33.00 | 43.00 |
| Medication prompt | 9.00 | 12.00 |
| Shopping trip | 15.00 | not offered |
| Night sitting, 22:00-6:00 | 140.00 | 175.00 |

Mileage is charged at 45p. The first three miles of a day are free.

## Bills

You get the bill on the 5th of the month. Please pay by transfer or direct debit. Our carers must not take cash.

## If you don't need us

Visits called off less than 24 hours ahead are charged in full. This does not apply if you have been taken to hospital. In that case there
is no charge at all.

## Keys

We keep keys in a numbered bag in the office safe. No name or address is written on them.

## Presents

A box of chocolates is fine. Carers may not accept anything worth more than 10 pounds, and never money.

## If you are not happy with us

Talk to your carer first if you can. If that doesn't help, write to Mrs Gantry. She lets you know within three working days that she has
your letter. A full reply follows within 20 working days.

If the reply does not satisfy you, you can turn to the county care ombudsman. You have twelve months for this. It costs nothing.

Complaints about a doctor or the surgery's staff are dealt with by Mr Edwin Slate, the practice manager. Letters without a name are read,
but we can't answer them.
"""

SUPPLIES: list[tuple[str, ...]] = [
    ("order", "date", "item", "quantity", "unit", "supplier", "price GBP", "status"),
    ("S-301", "2031-04-28", "Nitrile gloves M", "20", "boxes", "Medisund", "118.00", "delivered"),
    ("S-302", "2031-04-30", "Incontinence pads L", "12", "packs", "Carewell Trading", "96.60", "delivered"),
    ("S-303", "2031-05-06", "Foam dressings 10x10", "8", "packs", "Medisund", "142.40", "part delivered"),
    ("S-304", "2031-05-12", "Nitrile gloves L", "10", "boxes", "Brightmoor Supplies", "61.50", "ordered"),
    ("S-305", "2031-05-13", "Blood pressure cuff", "2", "pieces", "Brightmoor Supplies", "74.00", "cancelled"),
    ("S-306", "2031-05-16", "Hand gel 500 ml", "24", "bottles", "Carewell Trading", "69.60", "ordered"),
    ("S-307", "2031-05-19", "Catheter bags 2 l", "30", "pieces", "Medisund", "87.00", "ordered"),
]
