"""The words of the fictional sample documents."""

from __future__ import annotations

FICTIONAL = "This document is fictional: every person, organisation and figure in it is invented."

LETTERS = [
    (
        "letter-okafor.docx", "Clinic letter: Amara Okafor",
        [("Patient", "Amara Okafor"), ("Born", "4 May 1971"), ("Patient number", "LH-20417"), ("Written by", "Dr Samuel Reyes, diabetology")],
        [
            ("Diagnosis", ["Type 2 diabetes mellitus, known since 2024. Mild background retinopathy of the left eye."]),
            ("Allergies", ["Ms Okafor is allergic to penicillin, which caused a rash in 2009. No other allergies are known."]),
            ("Findings", [
                "At the visit on 11 March 2031 her weight was 83 kg and her blood pressure was 131/78 mmHg.",
                "The HbA1c was 7.9 %, up from 7.2 % in September. Kidney function is normal with an eGFR of 88.",
            ]),
            ("Medication", [
                "She continues metformin 1000 mg twice a day with meals.",
                "Empagliflozin 10 mg once a day in the morning was started because the HbA1c had risen.",
                "Gliclazide was stopped after two episodes of low blood sugar.",
            ]),
            ("Plan", [
                "She will keep a blood sugar diary and send it to the diabetes nurse, Paula Hendricks, every two weeks.",
                "The next appointment is on 12 June 2031 at 09:30. The eye clinic will see her once a year.",
            ]),
        ],
    ),
    (
        "letter-brandt.pdf", "Discharge letter: Jonas Brandt",
        [("Patient", "Jonas Brandt"), ("Born", "19 November 1988"), ("Patient number", "LH-20988"), ("Written by", "Dr Helena Voss, orthopaedic surgery")],
        [
            ("Operation", [
                "Mr Brandt had an arthroscopy of the right knee on 3 March 2031. A torn medial meniscus was trimmed and a loose body "
                "was taken out. The operation lasted 48 minutes under spinal anaesthesia and had no complications.",
            ]),
            ("Course", [
                "He walked with crutches on the first day and went home on 5 March 2031. Pain was controlled with ibuprofen 400 mg three "
                "times a day.",
            ]),
            ("---", []),
            ("Advice after discharge", [
                "Enoxaparin 40 mg is to be injected under the skin once a day for 10 days to prevent thrombosis.",
                "The stitches should be removed after 12 days by the family doctor, Dr Miriam Castell.",
                "He may put full weight on the leg after two weeks and may drive a car again after four weeks. Football should wait for "
                "three months.",
                "Physiotherapy was prescribed for eight sessions. He should come back at once in case of fever, swelling of the calf or "
                "wound discharge.",
            ]),
        ],
    ),
    (
        "letter-lindqvist.docx", "Cardiology letter: Erik Lindqvist",
        [("Patient", "Erik Lindqvist"), ("Born", "30 July 1956"), ("Patient number", "LH-19802"), ("Written by", "Dr Noor Haddad, cardiology")],
        [
            ("Reason for the visit", ["Mr Lindqvist was referred because of shortness of breath when climbing stairs since January."]),
            ("Examinations", [
                "The blood pressure was 148/92 mmHg and the pulse was 72 per minute and regular.",
                "The echocardiogram showed a left ventricular ejection fraction of 55 % and a mildly stiff mitral valve.",
                "The exercise test was stopped at 125 watts because of tired legs. There were no signs of narrowed coronary arteries.",
            ]),
            ("Assessment", ["The complaints are explained by high blood pressure that is not well controlled and by lack of training."]),
            ("Treatment", [
                "Ramipril was raised from 5 mg to 10 mg once a day. Atorvastatin 20 mg in the evening stays as it is.",
                "He should measure his blood pressure at home every morning and walk for 30 minutes on five days a week.",
                "A control visit with a 24-hour blood pressure recording is planned for 2 September 2031.",
            ]),
        ],
    ),
]  # fmt: skip

SILVA_LETTER = f"""# Neurology letter: Teresa Silva

*{FICTIONAL}*

| Patient | Born | Patient number | Written by |
|---|---|---|---|
| Teresa Silva | 22 February 1994 | LH-21133 | Dr Oskar Lehmann, neurology |

## History

Ms Silva has had migraine with aura since she was nineteen. In the last three months she had six attacks a month, each lasting
about a day. Red wine and lack of sleep bring attacks on. She works as a violin teacher.

## Treatment so far

- Topiramate was stopped because of tingling in both hands.
- Sumatriptan 50 mg helps within an hour when it is taken early.

## Plan

Propranolol 40 mg twice a day is started to prevent attacks. She keeps a headache diary in which she writes down each attack and
each tablet. An MRI of the head was normal in 2029 and need not be repeated. She will be seen again in three months.
"""

CONTRACT = [
    ("1 Parties", [
        "This contract is made between Lindenhof Clinic (the Client) and Brightwater Facility Services (the Contractor). The Client is "
        "represented by its managing director, Katarina Holm. The Contractor is represented by Desmond Achterberg.",
    ]),
    ("2 Services", [
        "The Contractor cleans all rooms of the main building on every working day between 18:00 and 22:00. Operating theatres are "
        "cleaned and disinfected twice a day by specially trained staff. Windows are cleaned four times a year.",
    ]),
    ("3 Term and termination", [
        "The contract begins on 1 April 2031 and runs for 24 months. It is extended by 12 months at a time unless one party gives "
        "written notice 90 days before it ends. Either party may terminate at once for good cause.",
    ]),
    ("4 Price and payment", [
        "The Client pays a fixed fee of 4,850 euros a month, plus value added tax. Invoices are payable within 30 days. If a payment is "
        "late, interest of 6 % a year is due.",
    ]),
    ("---", []),
    ("5 Quality and penalties", [
        "The parties inspect the building together once a quarter. If fewer than 95 % of the inspected rooms are accepted, the monthly "
        "fee is reduced by 8 % for that quarter.",
    ]),
    ("6 Liability and insurance", [
        "The liability of the Contractor is limited to 250,000 euros for each damage event, except for intent and gross negligence. The "
        "Contractor keeps a liability insurance of at least two million euros and shows proof of it every January.",
    ]),
    ("7 Confidentiality", [
        "Staff of the Contractor must not read, copy or photograph documents of the Client. The duty of confidentiality lasts for five "
        "years after the contract has ended. Each breach costs a penalty of 10,000 euros.",
    ]),
    ("8 Governing law", ["The contract is governed by the law of Denmark. The place of jurisdiction is Aarhus."]),
]  # fmt: skip

INVOICES = [
    ("INV-3101", "Brightwater Facility Services", "Cleaning April 2031", 4850.00, "2031-05-02", "2031-06-01", "paid"),
    ("INV-3102", "Norvik Medical Supply", "Surgical gloves, 400 boxes", 3120.50, "2031-05-04", "2031-06-03", "open"),
    ("INV-3103", "Hollander Imaging", "MRI service contract, second quarter", 12900.00, "2031-05-06", "2031-05-20", "overdue"),
    ("INV-3104", "Quayside Catering", "Patient meals April 2031", 8764.20, "2031-05-07", "2031-06-06", "open"),
    ("INV-3105", "Norvik Medical Supply", "Infusion pumps, 6 pieces", 9450.00, "2031-05-11", "2031-06-10", "paid"),
    ("INV-3106", "Petrel Energy", "Electricity April 2031", 6311.75, "2031-05-12", "2031-05-26", "open"),
    ("INV-3107", "Aster Software", "Licence of the appointment system, one year", 5400.00, "2031-05-13", "2031-06-12", "disputed"),
    ("INV-3108", "Hollander Imaging", "Repair of the X-ray table", 1875.00, "2031-05-18", "2031-06-01", "open"),
]  # fmt: skip

SUPPLIERS = [
    ("Brightwater Facility Services", "Desmond Achterberg", "Aarhus", "30 days"),
    ("Norvik Medical Supply", "Ylva Sandmo", "Bergen", "30 days"),
    ("Hollander Imaging", "Pieter Hollander", "Utrecht", "14 days"),
    ("Quayside Catering", "Rosa Marchetti", "Aarhus", "30 days"),
    ("Petrel Energy", "Finn Østergaard", "Esbjerg", "14 days"),
    ("Aster Software", "Mei-Lin Prasad", "Malmö", "30 days"),
]

PAYMENTS = [
    ("P-501", "Amara Okafor", "Diabetes training course", "180.00", "2031-03-14", "card", "fictional sample"),
    ("P-502", "Jonas Brandt", "Single room, two nights", "310.00", "2031-03-05", "bank transfer", "fictional sample"),
    ("P-503", "Teresa Silva", "Travel certificate", "25.00", "2031-04-02", "cash", "fictional sample"),
    ("P-504", "Erik Lindqvist", "Home blood pressure monitor", "74.90", "2031-04-22", "card", "fictional sample"),
    ("P-505", "Jonas Brandt", "Crutches, deposit", "40.00", "2031-03-05", "cash", "fictional sample"),
]

RETENTION_POLICY = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Data retention and protection policy</title></head><body>
<h1>Data retention and protection policy</h1>
<p><em>{FICTIONAL}</em></p>
<h2>Retention periods</h2>
<table>
<tr><th>Kind of data</th><th>Kept for</th><th>Responsible</th></tr>
<tr><td>Patient records</td><td>10 years after the last visit</td><td>Medical archive</td></tr>
<tr><td>X-ray pictures</td><td>30 years</td><td>Radiology</td></tr>
<tr><td>Video recordings of the entrance</td><td>72 hours</td><td>Security desk</td></tr>
<tr><td>Applications of candidates who were not hired</td><td>6 months</td><td>Personnel office</td></tr>
<tr><td>Invoices and accounts</td><td>7 years</td><td>Finance</td></tr>
</table>
<h2>Incidents</h2>
<p>Whoever notices a loss of personal data tells the data protection officer, Ingrid Falk, within four hours. She decides whether the
authority has to be told, which must happen within 72 hours of becoming aware of the breach.</p>
<h2>Access requests</h2>
<p>Patients receive a copy of their data free of charge within one month. Requests are answered by the medical archive, after the
identity of the person has been checked with an official document.</p>
<h2>Passwords and devices</h2>
<p>Laptops are encrypted and locked after five minutes without use. Private telephones must not be used to photograph patients. USB
sticks are allowed only when the information technology team has issued them.</p>
</body></html>
"""

VISITOR_POLICY = f"""# Visitors, keys and emergencies

*{FICTIONAL}*

## Visiting hours

Visitors are welcome from 14:00 to 19:00 every day. In intensive care only two visitors at a time may enter, for 20 minutes at most.
Children under twelve need the consent of the ward sister.

## Keys and badges

Badges are issued at the front desk by Gregor Simms. A lost badge must be reported on the same day and costs 15 euros. Contractors
wear a yellow badge, students a green one.

## Fire

The assembly point is the car park behind the pharmacy. The fire alarm is tested on the first Tuesday of each month at 10:00. Lifts
must not be used during an alarm.
"""
