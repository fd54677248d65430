"""The visitor set, world 3: the papers of a family and of its rowing club. All persons, firms, places and facts are fictional."""

from __future__ import annotations

POLICY: list[tuple[str, object]] = [
    ("Title", "Palisade Mutual"),
    ("Normal", "Household contents insurance, policy HP-60-3391"),
    ("Normal", "Policyholder: Clara Merriden, 22 Sluice Gardens, Eastfold"),
    (
        "Normal",
        "The insurance year runs from 1 October to 30 September. The premium is EUR 187.40 a year and is taken from your account on "
        "1 October. You carry the first EUR 150 of every claim yourself.",
    ),
    ("Heading2", "What is insured, and up to what sum"),
    (
        "table",
        [
            ("Item", "Limit EUR"),
            ("Contents of the home in all", "65,000"),
            ("Jewellery and other valuables", "13,000"),
            ("Cash", "1,000"),
            ("Bicycles", "1,200 each"),
            ("Hotel if the home can't be lived in", "80 per day"),
        ],
    ),
    ("Heading2", "Against what"),
    (
        "Normal",
        "We pay for damage by fire, lightning, burglary, storm and burst pipes. Not insured are floods from rivers, broken windows and "
        "things stolen from a car.",
    ),
    (
        "Normal",
        "Bicycles are covered against theft when locked. Between 22:00 and 6:00 they must stand in a locked room unless you are still out "
        "with them.",
    ),
    ("Heading2", "When something has happened"),
    (
        "Normal",
        "Tell us within seven days, on 0555 4100. A burglary has to be reported to the police at once. Keep broken things until we have "
        "seen them.",
    ),
    ("Heading2", "Ending the contract"),
    (
        "Normal",
        "The contract goes on for another year unless one of us ends it. For this we need a letter three months before the insurance year "
        "is over.",
    ),
]

SCHOOL: list[tuple[str, object]] = [
    ("h1", "Alderbrook Primary School"),
    ("p", "Letter to the parents of the fourth forms, 15 May 2031"),
    ("p", "Dear parents,"),
    (
        "p",
        "the summer is near and there is a lot going on. Swimming begins again after the half-term break. Form 4a goes to the pool on "
        "Tuesdays with Mr Lathom. Form 4b has its turn on Thursdays, with Mrs Igwe.",
    ),
    ("p", "For swimming the children need:"),
    ("item", "swimming costume"),
    ("item", "towel"),
    ("item", "bathing cap"),
    ("item", "a snack without nuts"),
    (
        "p",
        "The bus to the pool costs 6.50 euros for the whole term. Please put the money in an envelope and hand it in by 28 May together "
        "with the slip below.",
    ),
    (
        "p",
        "Sports day is on Friday 13 June. We start at 9:00 on the upper field. If it rains we move it to 20 June. "
        "Parents who can help at the stations are asked to tell Mrs Igwe.",
    ),
    (
        "p",
        "On 30 May the school is closed because the staff are on a course. The after-school club is open, but please book a place.",
    ),
    ("p", "We have had head lice in 4b. Please look through your child's hair, whichever form it is in."),
    ("p", "If your child is ill, ring the office before 8:15 on 0555 4230."),
    ("p", "Yours, Philippa Stroud, head teacher"),
]

MEMBERS: list[tuple[str, ...]] = [
    ("name", "office", "joined", "phone", "group", "fee EUR", "fee 2031"),
    ("Abel Thorne", "chair", "2014", "0555 4501", "masters", "120.00", "paid"),
    ("Rosalind Keys", "treasurer", "2019", "0555 4502", "masters", "120.00", "paid"),
    ("Edmund Merriden", "secretary", "2022", "0555 4503", "beginners", "120.00", "paid"),
    ("Ottilie Brand", "", "2026", "0555 4504", "juniors", "48.00", "open"),
    ("Caspar Loom", "deputy chair", "2017", "0555 4505", "masters", "120.00", "open"),
    ("Mira Tolland", "", "2029", "0555 4506", "juniors", "48.00", "paid"),
    ("Hugo Sandys", "", "2030", "", "beginners", "120.00", "open"),
    ("Wilma Prewett", "boat keeper", "2016", "0555 4508", "masters", "0.00", "exempt"),
]

STATUTES: list[tuple[str, object]] = [
    ("h1", "Statutes of the Wherry Rowing Club Eastfold"),
    ("h2", "1 Purpose"),
    ("p", "The club promotes rowing and looks after the boathouse at Sluice Bend. It does not aim to make a profit."),
    ("h2", "2 Joining"),
    (
        "p",
        "Whoever wants to join applies in writing. The board decides. Children under 14 need proof that they can swim 200 metres.",
    ),
    ("h2", "3 Subscriptions"),
    (
        "p",
        "The subscription is 120 euros a year for adults and 48 euros for under-18s. A family pays 210 euros. It falls due on 31 March. "
        "The boat keeper pays nothing.",
    ),
    ("h2", "4 Leaving"),
    (
        "p",
        "Members can leave at the end of a year. The board must have their letter six weeks before. "
        "Whoever has not paid after two reminders can be struck off by the board.",
    ),
    ("h2", "5 Board"),
    ("p", "The board is made up of:"),
    ("item", "chair"),
    ("item", "deputy chair"),
    ("item", "treasurer"),
    ("item", "secretary"),
    ("p", "It is elected for two years. Cheques above 500 euros are signed by two of its members."),
    ("h2", "6 General meeting"),
    (
        "p",
        "It takes place every February. The invitation goes out three weeks ahead. Fifteen members must be there, or nothing can be "
        "decided. Everybody aged 16 or more has a vote.",
    ),
    (
        "p",
        "A simple majority is enough. To change the statutes two thirds of the votes are needed. To wind up the club it takes three "
        "quarters; what is left then goes to the Eastfold children's hospice.",
    ),
]

TRIP = """# Tolvanna in July!!

Who: Clara, Edmund, Pip (8), Gran Nell

## Plan

- Sat 12 July: train from Eastfold 7:48, change at Corrigan Junction, arr. Tolvanna 13:05
- Sun 13: beach, nothing else
- Mon 14: boat to Skerry Island, leaves 10:15 from pier 2 (booked, 4 tickets)
- Tue 15: Gran Nell's birthday, table at the Gilded Crab 19:00
- Wed 16: rain programme or lighthouse
- Thu 17: hired bikes, pick up at Dunlin's before 10
- Sat 19: train home 11:32, back in Eastfold at 16:50

## Where we stay

Pension Marram, 5 Dune Path. Booking code MR7-204. Two rooms with breakfast, 96 euros each per night. Check-in from 15:00, so we leave
the bags at the station first. Mrs Ullin runs it; her number is 0555 4710. We can cancel free of charge until 28 June. After that half the
price is gone.

## Who takes care of what

- Clara: tickets, first-aid kit
- Edmund: water cat and plants with the neighbours (Mr Bassey has the key)
- Pip: own rucksack, binoculars
- Gran Nell: sandwiches for the train

## Packing list Pip

- sun hat
- swimming trunks
- wellies
- hay fever tablets (1 x 5 mg in the evening)
- Mr Rabbit

Gran needs her reading glasses and the blue pill box. She doesn't eat fish - tell the restaurant! Pip gets seasick, so chewing gum for the
boat.
"""

WARRANTY = """HOUSLEY'S ELECTRICAL - GUARANTEE CARD

Appliance: washing machine Purl W7
Serial no. PW7-118-5520
Sold to: E. Merriden
Date of purchase: 14 February 2030
Price: EUR 549.00

We guarantee the machine for 24 months from purchase.
For the motor it is ten years.

Not included:
- door seals and hoses
- damage from hard water
- use in a shop or firm

Keep the receipt. Without it we can do nothing.
Service line 0555 4815, Mon to Fri 9-17.
A visit costs EUR 65 unless it is a case for the guarantee.

Codes on the display
E10  no water - open the tap
E18  pump blocked - clean the filter
E23  door not shut
E40  call service
"""

BILL = """<html><head><title>Electricity bill</title></head><body>
<h1>Brightwater Energy - your electricity bill</h1>
<p>Customer: Clara Merriden, customer no. 770-4412. Meter no. 5 093 118. Bill of 19 May 2031.</p>
<p>Period: 1 May 2030 to 30 April 2031</p>
<table>
<tr><th>Item</th><th>Quantity</th><th>Amount EUR</th></tr>
<tr><td>Meter on 1 May 2030</td><td>41,882 kWh</td><td></td></tr>
<tr><td>Meter on 30 April 2031</td><td>44,610 kWh</td><td></td></tr>
<tr><td>Used, at 31 cents per kWh</td><td>2,728 kWh</td><td>845.68</td></tr>
<tr><td>Basic charge, 11.50 per month</td><td>12 months</td><td>138.00</td></tr>
<tr><td>Total</td><td></td><td>983.68</td></tr>
<tr><td>Your instalments</td><td>12 x 75.00</td><td>-900.00</td></tr>
<tr><td>Still to pay</td><td></td><td>83.68</td></tr>
</table>
<p>We shall collect the remaining sum on 16 June. Your monthly instalment rises to 84 euros. The first one at the new rate is due on
1 July.</p>
<p>You used 212 kWh more than the year before. The price per kWh is fixed until 31 December 2032. You may leave with one month's notice.</p>
<p>Questions? Customer service 0555 4900, faults (day and night) 0555 4911.</p>
</body></html>
"""
