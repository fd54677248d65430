"""The texts of the office set. All persons, firms, places and facts are fictional."""

from __future__ import annotations

SOLBERG: list[tuple[str, object]] = [
    ("Title", "St. Brigid Hospital"),
    ("Normal", "48 Harbour Road, Wexmoor WX2 6LD"),
    ("Normal", "Date: 12 May 2031"),
    ("Normal", "To: Dr. Anneke de Wit, Family Practice Wexmoor"),
    ("Normal", "Re: Mr. Henrik Solberg, born 3 February 1955, patient number SB-71844"),
    ("Normal", "Dear Dr. de Wit,"),
    (
        "Normal",
        "We report on Mr. Solberg, who was treated on our cardiology ward from 4 May to 11 May 2031. He came to us with heart "
        "failure and water in both legs. On arrival he weighed 94.2 kg and his blood pressure was 168/95 mmHg.",
    ),
    (
        "Normal",
        "He has known allergies to sulfonamides and to adhesive plaster. He stopped smoking in 2019 and drinks no alcohol.",
    ),
    ("page", ""),
    ("Heading2", "Medicines when leaving hospital"),
    (
        "table",
        [
            ("Medicine", "Dose", "How to take", "Reason"),
            ("Furosemide", "40 mg", "in the morning", "water in the legs"),
            ("Bisoprolol", "2.5 mg", "in the morning", "heart rate"),
            ("Apixaban", "5 mg", "morning and evening", "atrial fibrillation"),
            ("Metformin", "500 mg", "with dinner", "diabetes"),
        ],
    ),
    ("Heading2", "Tests"),
    (
        "Normal",
        "The ultrasound of the heart on 6 May showed an ejection fraction of 38 percent. Potassium was 4.4 mmol/L. NT-proBNP fell "
        "from 5,210 to 1,870 pg/mL.",
    ),
    ("Heading2", "What comes next"),
    (
        "Normal",
        "He is to be weighed every morning; please call the ward if he gains more than 2 kg in three days. A follow-up visit is "
        "arranged for 16 June 2031 at 11:20 in the heart failure clinic with Dr. Paul Obi. Driving is allowed again from "
        "25 May 2031.",
    ),
    ("page", ""),
    ("Heading2", "Contact"),
    ("Normal", "The ward can be reached on 0555 0176 at any time. The discharge nurse is Ms. Lena Fiorello."),
    ("Normal", "With kind regards,"),
    ("Normal", "Dr. Ruth Adeyemi, Consultant Cardiologist"),
]

REPORT: list[tuple[str, object]] = [
    ("h1", "Outpatient report"),
    (
        "form",
        [
            ("Patient:", "Noor Aziz"),
            ("Born:", "21 August 1988"),
            ("Patient number:", "SB-72310"),
            ("Date of visit:", "8 May 2031"),
            ("Doctor:", "Dr. Paul Obi"),
        ],
    ),
    ("h2", "Diagnosis"),
    ("p", "Overactive thyroid (Graves' disease), known since 2029."),
    ("h2", "History"),
    (
        "p",
        "Ms. Aziz is allergic to codeine, which made her vomit in 2024. She works as a bus driver and lives with her sister.",
    ),
    ("h2", "Current medicines"),
    ("item", "Carbimazole 10 mg once a day"),
    ("item", "Propranolol 20 mg three times a day"),
    ("item", "Vitamin D 1,000 units once a week"),
    ("h2", "Findings"),
    ("p", "Her resting pulse was 104 per minute. TSH was below 0.01 mU/L. There was no swelling of the neck."),
    ("h2", "Plan"),
    (
        "p",
        "The dose of carbimazole is raised to 15 mg. Blood is taken again in four weeks. If the values have not settled by "
        "September, radioiodine will be discussed with her.",
    ),
]

CONTRACT: list[tuple[str, object]] = [
    ("h1", "Laundry services contract"),
    ("p", 'between St. Brigid Hospital ("the Hospital") and Seafoam Laundry Ltd. ("Seafoam")'),
    ("h2", "1. Subject"),
    ("p", "Seafoam washes, irons and delivers the bed linen and work clothes of the Hospital."),
    ("h2", "2. Delivery"),
    (
        "p",
        "Clean linen is delivered on Mondays and Thursdays before 6:30. Dirty linen is picked up at the same time.",
    ),
    ("h2", "3. Price"),
    (
        "p",
        "The Hospital pays 1.15 euros per kilogram, value added tax not included. Invoices are payable within 21 days. Late "
        "payment bears interest of 6 percent a year.",
    ),
    ("h2", "4. Term and termination"),
    (
        "p",
        "The contract begins on 1 July 2031 and runs for three years. It ends on 30 June 2034 unless it is extended in writing. "
        "Either party may terminate it with four months' notice.",
    ),
    ("h2", "5. Liability"),
    ("p", "For lost pieces Seafoam refunds the current value, at most 18,000 euros a year."),
    ("h2", "6. Duties of Seafoam"),
    ("item", "wash at 60 degrees or more"),
    ("item", "mark every piece with a chip"),
    ("item", "report losses within two days"),
    ("item", "insure the linen against fire"),
    ("h2", "7. Contacts"),
    ("p", "The contact of the Hospital is Chiara Rossi. The contact of Seafoam is Bruno Keller."),
]

PRICES: dict[str, list[tuple[object, ...]]] = {
    "Prices": [
        ("Article", "Description", "Unit", "Price EUR", "Valid from"),
        ("A-101", "Compression stockings", "pair", 38.50, "2031-01-01"),
        ("A-102", "Walking frame", "piece", 89.00, "2031-01-01"),
        ("A-103", "Shower chair", "piece", 64.90, "2031-03-15"),
        ("A-104", "Bed rail", "piece", 112.00, "2031-01-01"),
        ("A-105", "Blood pressure monitor", "piece", 47.25, "2031-02-01"),
    ],
    "Rental": [
        ("Item", "Per week EUR", "Deposit EUR"),
        ("Wheelchair", 14.00, 60.00),
        ("Hospital bed", 32.00, 150.00),
        ("Infusion stand", 6.50, 20.00),
    ],
}

APPOINTMENTS: list[tuple[str, ...]] = [
    ("name", "date", "time", "room", "with", "reason"),
    ("Noor Aziz", "2031-06-05", "09:30", "1.04", "Dr. Paul Obi", "thyroid blood test"),
    ("Gustav Lund", "2031-05-27", "15:10", "1.07", "Dr. Ruth Adeyemi", "pacemaker check"),
    ("Olga Brandvik", "2031-05-06", "10:00", "2.02", "Nurse Lena Fiorello", "removal of stitches"),
    ("Henrik Solberg", "2031-06-16", "11:20", "1.04", "Dr. Paul Obi", "heart failure clinic"),
    ("Ines Carvalho", "2031-05-22", "08:45", "2.02", "Nurse Lena Fiorello", "change of dressing"),
    ("Malik Reid", "2031-06-24", "13:00", "1.07", "Dr. Ruth Adeyemi", "stress test"),
]

MINUTES = """# Minutes of the team meeting, 22 April 2031

Present: Lena Fiorello, Tomasz Bielak, Chiara Rossi, Dr. Ruth Adeyemi. Excused: Dr. Paul Obi.

## Medicine fridge

On 17 April the fridge in room 2.14 stood at 11 degrees for five hours. Fourteen doses of measles vaccine had to be thrown away. The
cause was a door that had not been shut.

## Decisions

- Tomasz Bielak buys a thermometer with an alarm for at most 220 euros by 9 May 2031.
- Chiara Rossi writes a checklist for closing the ward at night.
- The coffee machine is moved to the second floor.

## Tasks

| Task | Who | Until |
|---|---|---|
| Renew the fire extinguishers | Lena Fiorello | 30 June 2031 |
| Order new scales | Tomasz Bielak | 15 May 2031 |
| Translate the patient leaflet into Polish | Chiara Rossi | 1 July 2031 |

## Next meeting

The team meets again on 20 May 2031 at 14:00 in the library. Dr. Adeyemi brings the numbers of the first quarter.
"""

BRIEF = """Hausverwaltung Birkenhof GmbH
Lindenallee 7, 20999 Nordhagen

Nordhagen, den 2. Mai 2031

An: Frau Chiara Rossi

Betreff: Wasserschaden im Archivraum

Sehr geehrte Frau Rossi,

am 28. April 2031 ist im Archivraum ein Rohr geplatzt. Der Installateur Jens Tamm hat das Leck am 29. April abgedichtet. Die
Trocknung dauert voraussichtlich drei Wochen. Der Raum darf bis zum 23. Mai 2031 nicht betreten werden.

Die Kosten der Reparatur betragen 2.340 Euro. Die Versicherung Nordlicht übernimmt davon 1.900 Euro. Die Miete wird für Mai um 15
Prozent gesenkt.

Am 26. Mai um 9 Uhr kommt ein Gutachter. Bitte halten Sie den Schlüssel bereit.

Mit freundlichen Grüßen
Ulrike Sander
"""

EXPENSES = """<!doctype html>
<html lang="en"><head><title>Expenses policy</title></head><body>
<h1>Expenses policy</h1>
<h2>What is refunded</h2>
<p>Train tickets are refunded in second class. Taxis are paid after 22:00 only. Hotel rooms are refunded up to 140 euros a night.
Alcohol is not refunded.</p>
<h2>What to hand in with a claim</h2>
<ul><li>the receipt</li><li>the reason of the journey</li><li>the names of guests</li></ul>
<h2>Deadline</h2>
<p>Claims are handed in within 60 days of the journey. The head of department approves them.</p>
</body></html>
"""
