"""The texts of the later set. All persons, firms, places and facts are fictional."""

from __future__ import annotations

EMPLOYMENT: list[tuple[str, object]] = [
    ("h1", "Employment contract"),
    ("p", 'Between Meridian Tools Ltd ("the Employer") and Ms Anna Petrov ("the Employee").'),
    ("h2", "1 Position"),
    (
        "p",
        "The Employee is engaged as a quality inspector in the Bristow plant. She reports to Marcus Odell, head of production.",
    ),
    ("h2", "2 Working time"),
    (
        "p",
        "The weekly working time is 38 hours. Work begins at 7:15. Overtime is made up for by time off within three months.",
    ),
    ("h2", "3 Remuneration"),
    (
        "p",
        "The Employee receives a gross salary of 3,420 euros a month, transferred on the last working day. "
        "A bonus of 900 euros is paid in November.",
    ),
    ("h2", "4 Leave"),
    ("p", "She is entitled to 29 days of leave a year. Leave has to be requested four weeks ahead."),
    ("h2", "5 Probation and notice"),
    (
        "p",
        "The first six months are a probation period. "
        "After that the contract may be terminated with a notice of two months to the end of a quarter.",
    ),
    ("h2", "6 What the Employer provides"),
    ("item", "safety shoes"),
    ("item", "a locker with a key"),
    ("item", "a monthly bus pass"),
    ("h2", "7 Secrecy"),
    ("p", "Drawings of customers must not leave the plant. A breach costs a contractual penalty of 5,000 euros."),
]

GARAGE: list[tuple[str, object]] = [
    ("Title", "Garage Hollis & Daughters"),
    ("Normal", "7 Mill Street, Eastmere"),
    ("Normal", "Invoice 2031-771 of 3 June 2031"),
    ("Normal", "To: Mr. Peter Nakamura, 19 Fern Close, Eastmere"),
    ("Normal", "Vehicle: Orion Estate, registration EM 55 KLT, 84,210 km"),
    ("Heading2", "Work and parts"),
    (
        "table",
        [
            ("Position", "Hours", "Amount EUR"),
            ("Change of brake pads", "1.5", "186.40"),
            ("Oil and filter", "0.5", "98.00"),
            ("New battery", "0.4", "154.90"),
            ("Air conditioning check", "0.8", "72.00"),
        ],
    ),
    (
        "Normal",
        "The total comes to 511.30 EUR and is due within 14 days. If you pay by card on collection, we deduct two percent.",
    ),
    ("Heading2", "Notes"),
    (
        "Normal",
        "The rear tyres have 2.1 mm of tread left and should be replaced before winter. The next inspection falls in March 2032. We give a "
        "guarantee of two years on the battery.",
    ),
    ("Normal", "Your mechanic was Ms. Ivana Horvat, phone 0555 0133."),
]

EQUIPMENT: dict[str, list[tuple[object, ...]]] = {
    "Laptops": [
        ("Tag", "User", "Model", "Bought", "Price EUR", "Location"),
        ("LT-01", "Sofia Marten", "Corvid 14", "2029-03-11", 1180.00, "Office 3"),
        ("LT-02", "Kwame Boateng", "Corvid 14", "2030-09-02", 1240.00, "Office 5"),
        ("LT-03", "Elin Sand", "Falcon 16", "2031-01-20", 1690.00, "Home office"),
    ],
    "Phones": [
        ("Tag", "User", "Number"),
        ("PH-11", "Sofia Marten", "0555 0181"),
        ("PH-12", "Elin Sand", "0555 0184"),
    ],
}

COURSES: list[tuple[str, ...]] = [
    ("course", "starts", "trainer", "seats", "fee EUR"),
    ("First aid", "2031-09-04", "Ruben Falk", "12", "85.00"),
    ("Forklift licence", "2031-06-30", "Greta Lindholm", "6", "420.00"),
    ("Fire safety", "2031-07-15", "Ruben Falk", "20", "60.00"),
    ("Spreadsheet basics", "2031-05-02", "Mina Castro", "10", "140.00"),
]

TRIP = """# Class trip of 6b to Lake Sorrel

Dear parents,

our class travels to Lake Sorrel from 16 to 19 June 2031. The coach leaves on Monday at 8:10 from the school yard and is back on Thursday
at about 16:30. Each child pays 168 euros; please transfer the money by 2 June.

## Please pack

- rain jacket
- swimming things
- a torch
- lunch for the first day

## Rules

Mobile phones stay at home. Pocket money is limited to 25 euros. Children who need medicine hand it to Mrs. Okeke on the first morning.

## Contact

Head teacher: Mr. Dario Pinto. In an emergency you reach Mrs. Okeke on 0555 0199.
"""

ARZTBRIEF = """Praxis Dr. Sabine Kroll
Am Markt 3, 30999 Talheim

Talheim, den 14. April 2031

Betreff: Herr Jakob Winter, geboren am 9. Juli 1962

Sehr geehrte Kollegin,

Herr Winter stellte sich wegen Schmerzen im linken Knie vor. Er ist allergisch gegen Ibuprofen. Das Röntgenbild zeigt eine
Arthrose. Er raucht nicht.

Ich habe Paracetamol 500 mg verordnet, bei Bedarf bis zu dreimal täglich. Die nächste Kontrolle ist am 12. Mai 2031 um 10 Uhr. Eine
Operation ist zurzeit nicht nötig.

Mit freundlichen Grüßen
Dr. Sabine Kroll
"""
