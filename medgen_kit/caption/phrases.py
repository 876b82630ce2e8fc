"""The phrases that give an error away: what the checks of `slips.py` search for in a caption."""

import re

BOILERPLATE = re.compile(
    r"\b(the|this|these) (image|images|frame|frames) (show|depict|illustrate|reveal|appear|suggest|convey|capture)s?\b|\b(video )?frame \d"
    r"|\bas an ai\b|\bi (can|cannot|can't|am|see|think)\b|\bwe (can|see)\b|\bi'm\b|\bsorry\b|\bmy apologies\b|\bin this video\b"
    r"|\b(un|not )able to\b|^here is\b|\bhere(?: is|'s) (a|the) (description|caption|summary)\b|\bsure[,!]|\blanguage model\b"
    r"|\blet me know\b|\bfor me to (say|tell|judge)\b|\b(provided|given) (image|frame|picture|clip)s?\b|\bin the images\b"
    r"|\bbased on the (image|frame|picture)s?\b|\bin the (first|second|third|last|final) frame\b|\b(sequence|series) of (frames|images)\b"
    r"|\b(as|throughout|across|between|in) the frames\b|\bscene captured\b|\b(imagery|visuals) (suggest|convey|show|depict)s?\b"
    r"|\b(important|worth) (to note|noting)\b|\bplease (consult|note)\b|\bunfortunately\b"
    r"|\bno (further|additional) (information|details?)\b|\b(text|video)-based (assistant|model)\b|\bglimpse (of|into)\b", re.I)
ILL = (r"(?:disease|illness|cancer|tumou?r|infection|disorder|syndrome|malignancy|carcinoma|melanoma|sepsis|stroke|ischa?emia|infarction"
       r"|failure)")
DIAGNOSIS = re.compile(
    rf"\bdiagnos\w+|\b(?:the|this) patient (?:has|had|shows) (?:\w+ ){{0,4}}?{ILL}\b|\bpatient (?:suffers|is suffering|is ill|will)\b"
    rf"|\bprognosis\b|\boutlook is\b|\bconfirms? (?:the|a) (?:\w+ )?{ILL}\b"
    r"|\b(?:must|should) be (?:treated|operated|removed|resected|given)\b"
    r"|\b(?:treatment|surgery|therapy|an operation) is (?:needed|recommended|necessary|required|indicated)\b"
    rf"|\b(?:is|are) (?:malignant|cancerous)\b|\bmalignant (?:process|{ILL})\b|\bhas cancer\b|\b(?:he|she|patient) will recover\b"
    rf"|\b(?:compatible|consistent) with (?:\w+ ){{0,3}}?{ILL}\b|\btextbook (?:example|case)\b|\bhas spread to\b|\b(?:chemo|radio)therapy\b"
    r"|\bneeds (?:an?|urgent) (?:\w+ )?(?:operation|transplant|surgery|biopsy|treatment)\b", re.I)
MONTH = r"(?:January|February|March|April|May|June|July|August|September|October|November|December)"
CAPITAL = r"[A-Z][a-zà-ÿ]+"
TITLE = r"(?:Drs?|Mr|Mrs|Ms|Prof|Professor|Doctor|Nurse|Surgeon|Sister)"
JOB = r"(?:named|called|patient|surgeon|nurse|doctor|physician|operator|presenter|lecturer|technician|student|professor)"
# given names that are no other word
GIVEN = """Aaron Adam Ahmed Alan Albert Alejandro Alexander Alice Ali Amanda Amy Ana Andrea Andrew Angela Anita Anna Anne Anthony Antonio
Arthur Barbara Benjamin Brian Carlos Carol Caroline Catherine Charles Charlotte Chen Chris Christian Christina Christopher Claire
Clara Daniel David Deborah Diana Diego Donald Edward Elena Elizabeth Emily Emma Eric Erik Eva Fatima Fernando Francesco Francis
Gabriel George Giovanni Hannah Hans Harold Heather Helen Henry Ibrahim Ingrid Isabel Ivan Jacob James Jane Janet Jason Javier
Jennifer Jessica Johan Johann John Jonathan Jorge Jose Joseph Joshua Juan Judith Julia Julie Karen Karl Katherine Kathleen Keith
Kenneth Kevin Kumar Larry Laura Lisa Louis Louise Lucas Luis Luisa Maria Marie Marina Mario Martha Martin Mary Matthew Melissa
Michael Michelle Miguel Mohammed Monica Nancy Natalie Nicholas Nicole Olga Olivia Oscar Pamela Patricia Patrick Paul Paula Pedro
Peter Philip Priya Rachel Rafael Ralph Raymond Rebecca Richard Robert Roberto Roger Ronald Ruth Samuel Sandra Sarah Scott Sergei
Sharon Simon Sofia Sophie Stefan Stephanie Stephen Steven Susan Teresa Thomas Timothy Tom Vincent Walter Wei William Yuki""".split()
PERSON = re.compile(
    rf"\b{TITLE}\.? {CAPITAL}|\b{JOB},? (?:is )?{CAPITAL} {CAPITAL}"
    rf"|\b(?:{'|'.join(GIVEN)})\b(?! (?:Hopkins|splint|test|sign|clamp|forceps|retractor|needle|catheter))"
    r"|\bMRN\b|\bDOB\b|\b(?i:date of birth|accession (?:no|number)|(?:patient|record|hospital|case) (?:id|no\.?|number))\b"
    rf"|\b\d{{1,2}}[./-]\d{{1,2}}[./-]\d{{2,4}}\b|\b(?:19|20)\d\d-\d\d-\d\d\b"
    rf"|\b\d{{1,2}}(?:st|nd|rd|th)?(?: of)? {MONTH}\b|\b{MONTH} \d{{1,2}}(?:st|nd|rd|th)?\b")
QUOTES = re.compile(
    r"\"([^\"]{2,80})\"|“([^“”]{2,80})”|(?<!\w)[‘']([^‘’'\"]{3,80})[’'](?!\w)"
    r"|\b(?:reading|reads|labell?ed|marked|says|saying|titled|headed) ([A-Z]{2,}(?: [A-Z0-9]+)+|[A-Z]{4,})\b"
    r"|\b(?:sign|label|text|caption|subtitle|screen|poster|banner)s? (?:say|read|state)s?: ([^.;\"]{3,60})")
SHOWS = r"(?:video|clip|footage|recording|film|scene|shot|picture|image|sequence|camera|perspective|viewer)"
TURNS = r"(?:cuts|jumps|switches|changes|shifts|transitions|dissolves|fades|moves on|is (?:then )?(?:taken|shown|led))"
CUT = re.compile(
    rf"\b{SHOWS}\b(?: \w+ly)?(?: then| now| next)?(?: \w+ly)? {TURNS} (?:to|into) (?!black\b|white\b)|\bviewer is (?:then )?shown\b"
    r"|\bwe are (?:then )?(?:taken|shown|led)\b|\b(?:title|end) card (?:follows|appears)\b|\bseries of shots\b"
    r"|\bnext, an? (?:close-up|shot|view)\b|\bit (?:then |now |next |suddenly )?cuts to (?:a|an|another|the)\b[^.;]{0,30}\b"
    r"(?:view|shot|scene|close-up|angle|face|image|slide|diagram)\b|\b(?:the|a) (?:next|new|second|third|following|final) (?:scene|shot)\b"
    r"|\banother (?:scene|shot)\b|\bscene (?:changes|shifts|switches)\b|\bchange of scene\b"
    r"|\bafter (?:a|the) cut,? the (?:view|scene|picture|camera|video)\b"
    r"|\bjump cut\b|\bmontage\b|\bsplit[- ]screen\b|(?:^|[.;] )cut to\b"
    r"|\b(?:film|video|clip|recording|footage) continues (?:in|with) (?:a|an|another)\b", re.I)
NOT = re.compile(r"\b(?:no|not|nor|never|neither|without|any)\b[^.;]{0,25}$", re.I)
EYE = r"(?:camera|lens|view|viewpoint|shot|footage|the frame|framing|perspective)\b(?: itself| then| now| also| again| \w+ly){0,3}"
WAY = r"(?:\w+ly |further |to the |towards the |a little )*"
GOES = r"(?:pans|panned|panning|sweeps|glides|moves|travels|tracks|swings|turns|shifts|slides|drifts|follows)"
MOVES = (  # (measured camera, how a caption says it)
    ("pan", re.compile(rf"\b{EYE} {GOES} (?:the \w+ )?{WAY}(left|right)|\bpan(?:s|ned|ning)? {WAY}(left|right)"
                       r"|\b(left|right)ward pan\b", re.I)),
    ("tilt", re.compile(rf"\b(?:tilts|tilting|tilt|tilted) {WAY}(up|down)|\b{EYE} {GOES} {WAY}(up|down)(?:wards?)?\b",
                        re.I)),
    ("zoom", re.compile(rf"\bzoom(?:s|ed|ing)? {WAY}(in|out)\b|\bpush(?:es)?[- ](in)\b|\bpulls? back (out)?\b", re.I)))
STATIC = re.compile(
    r"\b(?:static|stationary|fixed|locked[- ]off|motionless) (?:shot|camera|view|frame|viewpoint)\b"
    r"|\b(?:camera|shot|lens|viewpoint|framing)\b (?:itself )?(?:is|stays|stands|remains|keeps|rests) (?:\w+ly )?"
    r"(?:static|stationary|fixed|still|motionless|locked off|unmoved|unchanged)\b|\bcamera (?:does not|doesn't|never) (?:move|leave)s?\b"
    r"|\bfrom a tripod without\b", re.I)
OPPOSITE = {"left": "right", "right": "left", "up": "down", "down": "up", "in": "out", "out": "in"}
DISEASE = re.compile(
    r"\b(\w{3,}itis|\w{3,}carcinoma|carcinoma|cancer|\w{2,}sarcoma|lymphoma|melanoma|glioma|tumou?rs?|pneumonia|sepsis|infarct\w*"
    r"|embolism|thrombosis|tuberculosis|cirrhosis|fibrosis|necrosis|sclerosis|scoliosis|aneurysm|stenosis|narrowed|collapsed|malignan\w+"
    r"|(?:heart|renal|liver) failure|metastas\w+|infection|enlarged|worn|kinked|measles|gangrene|diabetes|malaria|asthma|epilepsy|dementia"
    r"|influenza|covid\w*|ischa?emia|gout)\b", re.I)
