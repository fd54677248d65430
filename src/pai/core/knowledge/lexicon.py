"""Words of offices, clinics and contracts that mean nearly the same, English and German.

One line is one meaning; a word may stand in several. An embedding of single words cannot do this: the starter model holds "lease" and
"contract" nearer to each other than "admission" and "arrival", and it knows no German. The list is general on purpose and holds no
drug, firm or person: PAI reads what stands there and adds no knowledge of its own.
"""

from __future__ import annotations

MEANINGS = """
allergy intolerance hypersensitivity tolerate allergic | allergie allergien allergisch unverträglichkeit vertragen verträgt
medicine medication drug medicament prescription remedy tablet | medikament medikamente medikation arznei arzneimittel
take prescribe receive swallow | nehmen nimmt einnehmen erhält bekommt verordnet
dose dosage dosing strength | dosis dosen dosierung
disease illness diagnosis condition disorder sickness | krankheit erkrankung diagnose
symptom complaint | beschwerden beschwerde
surgery operation operate procedure | operation operiert eingriff
doctor physician consultant specialist | arzt ärztin ärzte
nurse | pfleger krankenschwester pflegekraft
hospital clinic ward infirmary practice | krankenhaus klinik station praxis
admit admission arrive arrival came come hospitalise | aufnahme aufgenommen eingeliefert
discharge leave release dismiss | entlassung entlassen
treat treatment therapy | behandlung behandelt therapie
check checkup control examination examine inspection inspect follow review | untersuchung kontrolle untersucht prüfung
test blood laboratory lab measurement measure | labor messung test
weight weigh heavy | gewicht wiegt wog schwer
height tall size | größe groß
age old | alter alt
temperature warm hot cold fever degree | temperatur fieber grad
pressure hypertension | blutdruck druck
pulse heartbeat | puls
rash itching | ausschlag
vaccine vaccination vaccinate inoculation jab immunisation | impfstoff impfung impf geimpft
smoke smoking cigarette tobacco | rauchen raucht geraucht
alcohol drink | alkohol trinkt
drive driving car | fahren fährt auto
stitch suture | faden fäden naht
dressing bandage | verband
pain ache hurt sore painkiller analgesic | schmerz schmerzen schmerzmittel
born birth birthday birthdate | geboren geburt geburtsdatum
die death dead decease | gestorben tod verstorben
occupation job profession work living | beruf arbeit arbeitet beschäftigt
appointment visit date meeting consultation slot booking | termin termine besuch
meeting session conference assembly | sitzung besprechung treffen
meet gather | trifft treffen
attend present participate participant attendee attendance | anwesend teilnehmer teilgenommen
absent excuse | entschuldigt abwesend fehlt
minute minutes protocol record | protokoll
decision decide resolve resolution agree | beschluss beschlüsse entscheidung beschlossen
task duty obligation assignment responsibility responsible todo action | aufgabe aufgaben pflicht pflichten zuständig verantwortlich
deadline due until latest | frist fällig
cost price fee charge pay payment expense amount rate tariff eur euro worth | preis preise kosten kostet gebühr betrag beträgt bezahlt zahlt
rent rental lease letting | miete mieten vermietung pacht
deposit bail | kaution
invoice bill | rechnung
refund reimburse repay compensate cover | erstattet erstattung ersetzt übernimmt
discount deduct deduction rebate reduce reduction lower decrease cut | rabatt gesenkt senkung ermäßigung
increase raise rise higher | erhöht erhöhung steigerung
interest | zinsen verzugszinsen
penalty fine sanction | strafe vertragsstrafe
late delay overdue arrears | verspätet verzug verspätung
unpaid owe owed outstanding unsettled open arrears | offen offene ausstehend unbezahlt schuldet
tax vat | steuer mehrwertsteuer
insurance insurer insure | versicherung versichert
budget fund | budget etat
salary wage income earn | gehalt lohn verdient
contract agreement | vertrag verträge vereinbarung
lease tenancy | mietvertrag
start begin commence commencement beginning | beginn beginnt anfang startet
end expire expiry terminate termination finish cease stop | ende endet läuft ausläuft
cancel cancellation terminate termination notice withdraw | kündigung kündigen kündigt kündigungsfrist
stop discontinue quit abandon cease | abgesetzt aufgehört beendet
extend extension prolong renew renewal | verlängert verlängerung
period duration term length last long | dauer dauert laufzeit zeitraum
liability liable | haftung haftet
sign signature | unterschrift unterschrieben unterzeichnet
law legislation legal | recht gesetz
court jurisdiction | gericht gerichtsstand
party partner | partei partner
confidential confidentiality secret secrecy | vertraulich geheim
buy purchase acquire procure order | kauft kaufen bestellt bestellen beschafft
sell sale | verkauft verkauf
order request | bestellung
supplier supply vendor provider deliver | lieferant lieferanten
deliver delivery bring supply ship | lieferung liefert geliefert bringt
collect collection pickup fetch pick | abholung abgeholt holt
waste rubbish garbage trash refuse disposal | abfall müll entsorgung
discard dispose throw thrown destroy | entsorgt weggeworfen vernichtet
laundry linen washing wash | wäsche wäscherei waschen
clean cleaning cleaner | reinigung reinigt putzt
repair fix mend restore maintenance | reparatur repariert instandsetzung
seal close shut | abgedichtet dicht
broken break burst defect defective damage fault | schaden defekt kaputt geplatzt platzt beschädigt
leak leakage | leck undicht
pipe tube | rohr leitung
water | wasser
fire burn | feuer brand
plumber fitter installer | installateur klempner
expert surveyor assessor appraiser | gutachter sachverständiger
dry drying | trocknung trocknen trocken
enter access admittance entry | betreten zutritt zugang
allow permit may permission allowed | darf erlaubt erlaubnis dürfen
forbid forbidden prohibit ban | verboten untersagt
room office chamber | raum zimmer büro
archive storage | archiv lager
building house premises | gebäude haus
roof | dach
door gate | tür türen
key | schlüssel
floor storey level | stock stockwerk etage
fridge refrigerator freezer | kühlschrank
alarm siren | alarm alarmanlage
machine device appliance equipment | maschine gerät geräte
car vehicle | auto fahrzeug
parking park | parkplatz
telephone phone call reach mobile number hotline | telefon telefonnummer anruf erreichbar
email mail | mail
address street residence | adresse anschrift straße
letter | brief schreiben
contact | ansprechpartner kontakt
manager director head boss chief leader supervisor | leiter leiterin chef chefin geschäftsführer
employee staff personnel worker colleague | mitarbeiter angestellte personal
company firm business enterprise | firma unternehmen
customer client | kunde kunden
patient | patient patientin
sister brother sibling family relative | schwester bruder familie
class school pupil student | klasse schule schüler
child children son daughter | kind kinder sohn tochter
live reside dwell | wohnt wohnen lebt
caretaker janitor | hausmeister
landlord lessor | vermieter
tenant lessee | mieter
substitute deputy replacement stand | vertretung vertreter
holiday vacation absence leave | urlaub ferien
opening open | öffnungszeiten öffnet geöffnet
closing close closed | geschlossen schließt
submit hand file claim | einreichen eingereicht abgeben
reason cause why purpose indication | grund ursache zweck
receipt voucher | beleg quittung
journey trip travel | reise fahrt
hotel accommodation lodging | hotel unterkunft
bus coach | bus
train railway | zug bahn
ticket fare | fahrkarte ticket
meal food lunch dinner breakfast | essen mahlzeit
transfer move relocate | verlegt umzug umgezogen
keep store retain retention preserve | aufbewahrt aufbewahrung gespeichert
delete erase remove | gelöscht löschen entfernt
send forward | gesendet geschickt
write draft compose | schreibt verfasst
check verify | prüft geprüft
discuss discussion talk | besprochen
week weekly | woche wochen wöchentlich
day daily | tag tage täglich
month monthly | monat monate monatlich
year yearly annual annually | jahr jahre jährlich
hour hourly | stunde stunden
today | heute
total altogether sum | insgesamt gesamt summe
january | januar
february | februar
march | märz
june | juni
july | juli
october | oktober
december | dezember
monday mondays | montag montags
tuesday tuesdays | dienstag dienstags
wednesday wednesdays | mittwoch mittwochs
thursday thursdays | donnerstag donnerstags
friday fridays | freitag freitags
saturday saturdays | samstag samstags
sunday sundays | sonntag sonntags
percent percentage share | prozent anteil
piece item article product | stück artikel
quantity number count | menge anzahl zahl
name called | name heißt
status state | stand zustand
colour color | farbe
wheelchair | rollstuhl
blood | blut blutgruppe
group type | gruppe
"""
