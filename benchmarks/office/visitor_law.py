"""The visitor set, world 2: a small law office and a landlord. All persons, firms, places and facts are fictional."""

from __future__ import annotations

LEASE: list[tuple[str, object]] = [
    ("h1", "Lease"),
    (
        "p",
        "between Mr Cyrus Blackmoor, 3 Pinnacle Road, Wendham (landlord) and Miss Odette Farrow (tenant).",
    ),
    ("h2", "1. The flat"),
    (
        "p",
        "Let is flat 2 at 11 Harrow Lane, first floor, 58 square metres, with a cellar room. A parking space is not part of the lease.",
    ),
    ("p", "The following stays in the flat and belongs to the landlord:"),
    ("item", "fitted kitchen with oven"),
    ("item", "fridge"),
    ("item", "blinds in the bedroom"),
    ("h2", "2. Term"),
    (
        "p",
        "The tenancy starts on 1 September 2029. It has no fixed end. The tenant may give notice of three months to the end of a month. "
        "For the landlord it is six months.",
    ),
    ("h2", "3. Rent"),
    (
        "p",
        "The rent is EUR 780 a month. On top of that come EUR 145 as an advance on the service charges. Both are due by the third working "
        "day of the month. The advance is settled once a year, by 31 October at the latest.",
    ),
    ("h2", "4. Deposit"),
    (
        "p",
        "The tenant pays a deposit of EUR 2,340. She may do so in three equal instalments. It is given back six months after moving out at "
        "the latest.",
    ),
    ("h2", "5. Use"),
    (
        "p",
        "Cats and small animals are allowed. For a dog the landlord has to agree in writing beforehand. Subletting is forbidden. Laundry "
        "is dried in the attic, not in the flat. Quiet hours are 13:00 to 15:00 and 22:00 to 7:00.",
    ),
    ("h2", "6. Repairs"),
    (
        "p",
        "Defects are to be reported without delay. Small repairs up to EUR 90 each are paid by the tenant, but no more than EUR 250 in a "
        "year. Everything else is up to the landlord.",
    ),
    ("h2", "7. Keys handed over"),
    ("item", "2 x front door"),
    ("item", "1 x cellar"),
    ("item", "1 x letter box"),
]

REMINDERS: list[tuple[str, object]] = [
    ("Title", "Harrow Lane Properties"),
    ("Normal", "Mr Rufus Teague, flat 5, 11 Harrow Lane"),
    ("Normal", "12 May 2031"),
    ("Heading2", "First reminder"),
    (
        "Normal",
        "Dear Mr Teague, we have not received your rent for April. It is EUR 640. It may simply have slipped your mind. Please transfer it "
        "by 26 May. There is no charge for this letter.",
    ),
    ("Normal", "Selwyn Moor, accounts"),
    ("page", ""),
    ("Title", "Harrow Lane Properties"),
    ("Normal", "Ms Lavinia Crewe, flat 7, 11 Harrow Lane"),
    ("Normal", "13 May 2031"),
    ("Heading2", "Second reminder"),
    (
        "Normal",
        "Dear Ms Crewe, your rent for March and for April is still outstanding. With the reminder fee of EUR 7.50 you owe us EUR 1,427.50. "
        "The last day for payment is 23 May. If nothing has arrived by then, we shall end the tenancy without further warning.",
    ),
    (
        "Normal",
        "If you can't pay all at once, ring me on 0555 3120. We can agree on instalments, but not below EUR 200 a month.",
    ),
    ("Normal", "Selwyn Moor, accounts"),
]

MAHNUNG = """Kessler Dachbau GmbH
Am Ziegelhof 8, 30998 Wendheim

An Harrow Lane Properties

Wendheim, den 15. Mai 2031

2. Mahnung - Rechnung 2031-118 vom 3. März 2031

Sehr geehrte Damen und Herren,

für die Reparatur des Daches haben wir Ihnen 1.864,20 EUR berechnet. Am 10. März ging eine Anzahlung von 500,00 EUR ein. Der Rest ist
trotz unserer Mahnung vom 22. April noch offen.

Rest der Rechnung      1.364,20 EUR
Verzugszinsen              9,35 EUR
Mahngebühr                12,00 EUR
Zu zahlen              1.385,55 EUR

Bitte überweisen Sie den Betrag bis zum 30. Mai 2031. Danach geben wir die Sache an ein Inkassobüro.

Fragen beantwortet Frau Heike Lorenz unter 0555 3377. Die Buchhaltung ist montags bis donnerstags von 8 bis 12 Uhr besetzt.

Mit freundlichen Grüßen
Bernd Kessler
"""

FEES: list[tuple[str, object]] = [
    ("h1", "Vergütungsvereinbarung"),
    ("p", "zwischen der Kanzlei Tarn & Ashdown und Herrn Gregor Halden, Lindenweg 14, 30997 Wendheim."),
    ("h2", "Worum es geht"),
    (
        "p",
        "Die Kanzlei vertritt Herrn Halden im Streit mit seinem Nachbarn um die Grundstücksgrenze. "
        "Die Sache bearbeitet Rechtsanwältin Miriam Tarn.",
    ),
    ("h2", "Vergütung"),
    ("item", "Rechtsanwältin: 210 EUR je Stunde"),
    ("item", "Assistenz: 85 EUR je Stunde"),
    ("item", "Fahrtzeit: die Hälfte des Stundensatzes"),
    (
        "p",
        "Alle Beträge verstehen sich zuzüglich Umsatzsteuer. Abgerechnet wird im Takt von sechs Minuten. Sind 20 Stunden erreicht, fragt "
        "die Kanzlei, bevor sie weiterarbeitet.",
    ),
    ("h2", "Auslagen"),
    ("p", "Für Porto und Telefon fallen pauschal 20 EUR an. Fahrten mit dem Auto kosten 0,42 EUR je Kilometer."),
    ("h2", "Zahlung"),
    (
        "p",
        "Herr Halden zahlt einen Vorschuss von 1.500 EUR. Dieser ist bis zum 15. Juni 2031 fällig. Rechnungen kommen monatlich und sind "
        "binnen 21 Tagen zu begleichen.",
    ),
    ("h2", "Ende des Mandats"),
    (
        "p",
        "Herr Halden kann jederzeit kündigen. Die Kanzlei muss eine Frist von 14 Tagen einhalten. Die Akten werden danach sechs Jahre "
        "aufbewahrt.",
    ),
]

INVOICES: dict[str, list[tuple[object, ...]]] = {
    "Invoices": [
        ("Invoice", "Date", "Client", "Matter", "Amount EUR", "Paid EUR", "Status"),
        ("T-41", "2031-03-04", "Gregor Halden", "boundary", 1260.00, 1260.00, "paid"),
        ("T-42", "2031-03-11", "Yvette Sorrow", "inheritance", 890.00, 0.00, "unpaid"),
        ("T-43", "2031-03-20", "Blackmoor Holdings", "lease review", 2150.00, 1000.00, "part-paid"),
        ("T-44", "2031-04-02", "Nils Amberg", "traffic fine", 310.00, 310.00, "paid"),
        ("T-45", "2031-04-15", "Yvette Sorrow", "tax notice", 445.00, 445.00, "paid"),
        ("T-46", "2031-04-28", "Petronella Wick", "divorce", 1780.00, 600.00, "part-paid"),
        ("T-47", "2031-05-06", "Nils Amberg", "dismissal", 525.00, 0.00, "unpaid"),
        ("T-48", "2031-05-12", "Old Ropery Cafe", "trade mark", 960.00, 0.00, "unpaid"),
    ],
    "Contacts": [
        ("Client", "Contact person", "Phone", "Lawyer", "Client since"),
        ("Gregor Halden", "himself", "0555 3401", "Miriam Tarn", 2030),
        ("Yvette Sorrow", "herself", "0555 3402", "Joel Ashdown", 2027),
        ("Blackmoor Holdings", "Cyrus Blackmoor", "0555 3403", "Joel Ashdown", 2022),
        ("Nils Amberg", "himself", "0555 3404", "Miriam Tarn", 2031),
        ("Petronella Wick", "her sister Agnes", "0555 3405", "Femi Lisle", 2031),
        ("Old Ropery Cafe", "Bruno Castellane", "0555 3406", "Femi Lisle", 2029),
    ],
}

DEADLINES = """DEADLINES 2031 - keep up to date!!

26 May    Halden      reply to the court (boundary)            MT
28 May    Wick        statement of income to be filed           FL
2 June    Sorrow      objection to tax notice - LAST DAY        JA
5 June    Amberg      hearing labour court, room 14, 9:30       MT
12 June   Old Ropery  opposition, trade mark                    FL
30 June   Blackmoor   comment on service charges                JA

Every deadline also goes in 7 days earlier as a warning.
Whoever takes one over puts initials behind it.
Court post: Tilda opens it before 9 and stamps it.
She then lays it in the tray of the lawyer in charge.

MT = Miriam Tarn, JA = Joel Ashdown, FL = Femi Lisle
"""

MINUTES = """<!doctype html><html><head><title>Office meeting</title></head><body>
<h1>Office meeting, Tarn &amp; Ashdown, 7 May 2031</h1>
<p>Present: Miriam Tarn, Joel Ashdown, Femi Lisle, Tilda Brandreth (minutes). Excused: Selwyn Moor, who is on holiday.</p>
<h2>1 Telephones</h2>
<p>The old system keeps dropping calls. We buy the Corvox system for 3,900 euros. Femi places the order by the end of May.</p>
<h2>2 Opening hours</h2>
<p>From July the office is closed on Friday afternoons. Tilda changes the sign and the website.</p>
<h2>3 Trainee</h2>
<p>Two people have applied. No decision yet; it is on the list for next time.</p>
<h2>4 Roof at 11 Harrow Lane</h2>
<p>Two offers came in for the back of the roof. Kessler wants 7,400 euros. Danby &amp; Son would do it for 6,850 euros but cannot start
before August. We recommend Danby to Mr Blackmoor.</p>
<h2>5 To do</h2>
<ul><li>Joel: write to Mr Blackmoor about the roof</li><li>Miriam: renew the liability insurance before 15 June</li>
<li>Tilda: order toner and stamps</li></ul>
<p>Next meeting: 4 June, 8:30, in the library. Biscuits: Joel.</p>
</body></html>
"""
