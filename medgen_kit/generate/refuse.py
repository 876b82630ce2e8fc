"""Refusals: prompts that ask for a real person's likeness or for fake clinical evidence are not made, and the reason is said.

A short list of patterns, not a classifier. It reads English, and only the words of one prompt. It misses what is paraphrased, misspelt, in
another language or spread over several prompts, and most names in lower case; and it may take a thing whose words all begin with capitals
for a person. It does not make output safe: that is what the labels are for (`label`). Extend the list for your own use, with a test for
each line.
"""

import re

LIKENESS = ("it asks for the likeness of a real person, who has not consented and could be harmed by it. Describe the procedure or the "
            "anatomy instead, without a name.")
EVIDENCE = ("it asks for something that could pass as evidence about a real patient, for example in a claim, a record or a court. "
            "Synthetic video is for teaching and research only.")
UNLABELLED = "it asks for output without its label, and every clip says that it is synthetic."

# words that begin the name of a place, a method or a disease; two words with capitals after "video of" are a person's name otherwise
THINGS = ("Da|Circle|Foley|Swan|Kirschner|Fogarty|Billroth|Roux|Whipple|Nissen|Heller|Trendelenburg|Glasgow|Apgar|Doppler|Color|Colour|"
          "Power|Pulsed|Continuous|Tissue|Papanicolaou|Gram|Giemsa|Masson|Prussian|Congo|Cushing|Graves|Crohn|Parkinson|Alzheimer|Hodgkin|"
          "Kaposi|"
          "Marfan|Down|Turner|Ewing|Wilms|Barrett|Meckel|Purkinje|Langerhans|Kupffer|Bowman|Henle|Fallot|Ebstein|Wolff|Brugada|Computed|"
          "Magnetic|Positron|Intensive|Operating|Emergency|Left|Right|Upper|Lower|Patient|Dr|Mr|Mrs|Ms|Prof|A|An|The|This|In|Synthetic|"
          "Anterior|Posterior|Medial|Lateral|Superior|Inferior|Blood|Heart|Brain|Knee|Hip|Chest|Lumbar|Cervical|Thoracic|Human|Deep|Open|"
          "Total|Normal|Acute|Chronic|Red|White|Bone|Skin|Lung|Liver|Kidney|Eye")
# a name of two words has no such word in it
PARTS = (r"\w*(?:tomy|scop(?:ic|y|e)|gra(?:phy|m|phic)|plasty|itis|osis|oma|tion|sion|ular|iac|ing|ment|log(?:y|ic)|ical|enal|ural)|"
         r"surgery|valve|wall|artery|vein|nerve|muscle|bone|joint|spine|pressure|failure|disease|syndrome|cancer|scan|view|room|care|"
         r"hospital|clinic|pulmonary|coronary|cysts?|cells?|carcinoma|heart|fetal|foetal|basal|squamous|tissue|lesion|ulcer|polyp|stone|"
         r"fracture|wound|burn|graft|flap|suture|needle|probe|imaging|ultrasound|doppler|mode|axis|chamber|atrium|ventricle|aort(?:a|ic)|"
         r"mitral|gastric|bowel|colon|uterus|ovar(?:y|ian)|thyroid|prostate|bladder|retina|cornea|eye|ear|tooth|teeth|embryo")
FOLLOWED = (r"(?! (?:disease|syndrome|sign|lesion|tumou?r|sarcoma|lymphoma|cells?|ulcer|fracture|deformity|o?esophagus|diverticulum|nodes?|"
            r"aneurysm|arter(?:y|ies)|ducts?|space|view|robot|catheter|procedure|operation|repair|method|stain|test|score|position|"
            r"manoe?uv(?:er|re)|fib(?:er|re)s?|tube|valve|forceps|retractor|classification|protocol|anastomosis|malformation|palsy))")
WORD = rf"(?!(?i:{PARTS})\b)[A-Z][a-z'\u00c0-\u024f]+\b"
NAME = rf"(?-i:(?!(?:{THINGS})\b){WORD}(?:[ -](?:[A-Z]\. |van |de |von |der |bin )*{WORD})+)"        # capitals as written
PERSON = NAME + FOLLOWED
PICTURE = (r"(?:x-? ?rays?|(?:ct|mri|pet)(?: scans?)?|scans?|ultrasounds?|sonograms?|echocardiograms?|endoscopy|mammograms?|radiographs?|"
           r"biops(?:y|ies)|lab(?:oratory)? results?|ecgs?|ekgs?|medical (?:records?|reports?|images?|videos?|evidence|certificates?)|"
           r"pathology|diagnos[ie]s|injur(?:y|ies)|fractures?)")
TITLE = r"(?:president|prime minister|senator|chancellor|governor|king|queen|prince(?:ss)?|pope|mayor)"
RULES = (                                           # (pattern, reason, what it is for); capitals count in names only
    (r"\bdeep-? ?fakes?\b", LIKENESS, "a deepfake is a likeness by definition"),
    (rf"\b(?:face|likeness|voice|portrait|impersonation|impersonating) of (?:a |the )?(?:real |famous |{PERSON})", LIKENESS,
     "the face of a named or real person"),
    (rf"\b(?:look|looks|looking|resembles|resembling|sounds) (?:exactly |just )?(?:like )?{PERSON}", LIKENESS, "looks like <Name Surname>"),
    (rf"\b(?:dr|prof|mr|mrs|ms|doctor|professor|nurse|surgeon|actor|actress|singer|politician|footballer|athlete|celebrity)\.? {PERSON}",
     LIKENESS, "a title or profession with first name and surname"),
    (rf"\b{TITLE} (?:of (?:the )?)?(?:{PERSON}|(?-i:{WORD})\b)", LIKENESS, "politicians and royalty by title and name"),
    (r"\b(?:barack obama|donald trump|joe biden|vladimir putin|angela merkel|emmanuel macron|xi jinping|elon musk|taylor swift|tom cruise|"
     r"tom hanks|brad pitt|angelina jolie|anthony fauci|bill gates|michael jackson|albert einstein|marie curie|steve jobs)\b", LIKENESS,
     "people whom prompts name most often, in any writing"),
    (r"\b(?:famous|real|well-known) (?:actor|actress|singer|politician|celebrity|president|footballer|youtuber)\b", LIKENESS,
     "a famous person without a name"),
    (rf"\b(?:video|footage|film|clip|picture|image|scene) of {PERSON}", LIKENESS, "video of <Name Surname>"),
    (rf"\bin the style of (?:dr\.? |prof\.? )?{PERSON}", LIKENESS, "in the style of a named person"),
    (rf"\b(?:fak(?:e|ed|ing)|forged?|forging|fabricat(?:e|ed|ing)|counterfeit|falsif(?:y|ied)|doctored|bogus)"
     rf" (?:\w+[ -]){{0,4}}?{PICTURE}\b", EVIDENCE, "a fake scan, a forged record"),
    (r"\b(?:insurance|compensation|disability|benefits?|malpractice) (?:\w+ )?(?:claims?|fraud|lawsuit|payout)\b", EVIDENCE,
     "for an insurance claim"),
    (r"\b(?:as|for|like) (?:\w+ )?(?:proof|an alibi|evidence(?! of))\b", EVIDENCE, "as proof, as evidence"),
    (r"\bin court\b|\bto (?:show|convince|fool|deceive|trick) (?:the |my |a |an |our )?(?:judge|jury|insurer|insurance|employer|boss|"
     r"school|police|court|radiologist|patients?)\b", EVIDENCE, "in court; to show the judge; to fool the insurer"),
    (r"\b(?:prov(?:e|es|ing)|pretend(?:ing)?) (?:that )?(?:i|he|she|they|we|you|my \w+)\b", EVIDENCE, "to prove that he has"),
    (r"\bsick (?:leave|note)\b|\bfit note\b", EVIDENCE, "to obtain something with it"),
    (rf"\bpatient {PERSON}", EVIDENCE, "patient <Name Surname>"),
    (rf"\b{PICTURE} (?:of|from|belonging to|for) {PERSON}", EVIDENCE, "scan of <Name Surname>"),
    (r"\b(?:real|actual|identifiable|named) patient's", EVIDENCE, "a real patient's scan"),
    (r"\b(?:patient'?s? name|date of birth|hospital (?:number|logo)|signature)\b.{0,40}\b(?:burn(?:ed|t) in|stamped|overlaid|written|"
     r"visible|in the corner)", EVIDENCE, "an identity in the picture"),
    (r"\b(?:remov(?:e|ed|ing)|hid(?:e|den|ing)|eras(?:e|ed|ing)|crop(?:ped)? out|delete) (?:the |any |a |its )?(?:\w+ ){0,2}?watermarks?\b",
     UNLABELLED, "take the mark away"),
    (r"\b(?:remov(?:e|ed|ing)|without|hid(?:e|den|ing)|no|eras(?:e|ed|ing)|crop(?:ped)? out|delete) (?:the |any |a |its )?(?:\w+ ){0,2}?"
     r"(?:synthetic (?:mark|label|sign|text)s?|ai labels?|disclaimers?)\b", UNLABELLED, "without the label"),
    (r"\b(?:indistinguishable from|pass(?:es|ing)? (?:off )?(?:as|for)) (?:a |an )?(?:real|genuine|authentic)\b", EVIDENCE,
     "meant to pass as real"),
)
COMPILED = [(re.compile(pattern, re.IGNORECASE), reason) for pattern, reason, _ in RULES]


def refusal(prompt):
    """None, or one sentence: why this prompt is not made.

    prompt: one text. The sentence names the words that were found, so that a wrong refusal can be seen and reworded.
    """
    text = " ".join(str(prompt).replace("\u2019", "'").split())
    for pattern, reason in COMPILED:
        if found := pattern.search(text):
            return f"not made, because of '{found.group().strip()}': {reason}"
    return None
