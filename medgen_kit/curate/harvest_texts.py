"""The texts of harvest: keyword dictionary (medical concepts minus their everyday use), text classifier, examples with known truth.

A title is found by three kinds of word. Strong: "laparoscopy" is medical wherever it stands. Body: "heart" needs a word of setting
("patient", "disease") beside it. Everyday phrases ("heart shaped", "operating system") are taken out before anything is counted.
"""

import random
import re
import unicodedata
from collections import Counter
from functools import lru_cache
from pathlib import Path

import numpy as np

from .. import knowledge
from ..errors import KitError
from ..knowledge import stop, words
from ..machine import device

LONGEST = 5000            # characters of a text that are read; YouTube allows 5,000 in a description
SURROGATE = re.compile("[\ud800-\udfff]")                  # halves of letters, which no file can hold
LINK = re.compile(r"https?://\S+")
WORD = re.compile(r"[a-z0-9]+(?:&[a-z0-9]+)?")
PLAIN = str.maketrans({chr(code): " " for code in range(128) if not chr(code).isalnum() and chr(code) != "&"})
ENDING = re.compile(r"(?:.*(?:cardi|neur|ur|onc|radi|path|dermat|gynec|hemat|nephr|ophthalm|anesthesi|enter)ologist|"
                    r".{2,}(?:ectomy|oscopy|ostomy|otomy|oplasty|centesis|megaly|orrhaphy|itis|emia|opathy|plegia|algia|opexy)|"
                    r".{3,}(?:cillin|mycin|floxacin|prazole|sartan|dipine|olol|tidine|statin|pril|glutide|thiazide|tinib|zumab|ximab))$")
NO_ENDING = frozenset("""academia bohemia premia dichotomy anatomy nostalgia spectroscopy horoscopy microscopy empathy sympathy telepathy
psychopathy sociopathy homeopathy""".split())

# words of the knowledge module that alone say nothing about medicine: they need a word of setting beside them
BODY = """abdomen abdominal airway aphakia appendix arterial aspiration atrophy axilla axial belly bile bladder bleed bleeding blood bone
bony bowel brain breast buttock calyx capillary carina carpus cartilage cataract cell cheek chest cingulum clot colon colonic
consolidation coronal cough cta ct cyanosis cytoplasm diaphragm dilatation dissection dizziness ear echo effusion extremity eye eyeball
eyelash eyelid fatigue fat fever finger flank flatline foot forcep forearm fornix fracture fractured glenoid grasper gullet gut hand head
headache heart hip hypertrophic hypertrophied hypertrophy insula insular iris kidney knee leg ligament limb lip liver lobe lung meniscus
microscope microscopic microscopy mouth murmur muscle muscular myopia nasal nausea neck necrosis needle nerve neuron neurone nipple nodule
nose nucleus obstruction orbit orbital ovary pacemaker pallor parenchyma pelvis penis perforated perforation perineal placenta polyp prk
radius rash regurgitation rib sagittal scalp scar scarred scarring sclera shoulder skin skull spine spleen stomach stretcher stroke
suction suctioning swelling syringe talus tarsus tendon thigh thumb toe tongue tooth tortuosity tremor tummy urine uvula vagina vein
vertex vitreous windpipe womb arm ankle wrist elbow jaw throat sinus pulse back nail hair breathing heartbeat aneurysm hormone ulcer"""
SETTING = """surgery surgeon surgical patient doctor physician nurse nursing hospital clinic clinical medical medicine disease disorder
syndrome symptom diagnosis diagnostic diagnose diagnosed treatment therapy anatomy physiology pathology infection infected vaccine drug
dose injury emergency ambulance chronic acute pregnancy pregnant newborn infant pediatric cancer virus bacteria immune transplant
prognosis medication illness paramedic donor implant health healthcare complication remission relapse prescription prescribed registrar
disability rehabilitation pain human organ beat"""
# phrases of the knowledge module that are no keywords at all
NEVER = """camera|pointer|laser pointer|scissor|collimator|genetic sample|waste material|symptom has changed|room walking surface|
tubular density|smoke plume|clip was placed|clip was applied|detachable balloon|stiffle|pineal|failed attempted procedure|vascular coiling|
pepper protocol|scope|screw|snare|smoke|treadmill|transducer|mass|t1|spect|unenhanced|fluorescence|fluorescent|bos|sus|dark theme|
light theme|black background|white background|dark background|light background|3d mode|2d mode|phase contrast|guide wire|digital imager|
measuring ruler|external camera|id plate|identification plate|table device|arm ergometer|bicycle ergometer|bottle device|bullet device|
few neighbour|crowded neighbour|dense field|sparse field|dense culture|sparse culture|densely populated|sparsely populated|densely packed|
densely crowded|occupational requirement|foreign body|foreign material|with contrast|without contrast|after contrast|non contrast|
contrast agent|core sampling|retracted|withdrawal|entry|introduction|axis bone|evaluation procedure|block sectioning|placing restraint|
methylene blue|gentian violet|potassium hydroxide|indigo carmine|field stain|silver stain|rose bengal|saffron stain|light microscopy|
smear sample|staining method|broad ligament|body cavity|lower leg|face bone|heart attack|broken bone|fast pulse|slow pulse|dry eye|
gray matter|body fluid|normal contraction|patient photography|ramp protocol|exercise challenge|device removal|plain film|x ray|laser spot|
morphologically abnormal"""
# what a medical video says beside SNOMED CT: specialities, skills, teaching, abbreviations
STRONG = """cardiology|neurology|nephrology|radiology|urology|oncology|hematology|dermatology|gastroenterology|endocrinology|pulmonology|
rheumatology|ophthalmology|otolaryngology|gynecology|obstetric|neonatology|anesthesiology|anesthesia|anesthetic|anesthetist|
pathophysiology|pharmacology|immunology|cytology|orthopedic|neurosurgery|neurosurgeon|cardiothoracic|intubation|intubate|cannula|
cannulation|diabetes|diabetic|insulin|chemo|radiotherapy|dialysis|transfusion|vaccination|immunization|antibiotic|stethoscope|auscultation|
palpation|physical examination|usmle|mbbs|nclex|osce|icu|cpr|acls|cabg|tavi|tavr|ercp|pocus|turp|ivf|ecmo|copd|gerd|covid|coronavirus|
malaria|dengue|tuberculosis|hiv|measles|multiple sclerosis|alzheimer|dementia|schizophrenia|heart rate|heart valve|heart disease|
blood pressure|blood sugar|blood test|blood cell|immune system|nervous system|digestive system|spinal|operating room|operating theater|
first aid|case report|clinical case|wound care|wound healing|root canal|dental implant|tooth extraction|c section|cesarean|childbirth|
physiotherapy|physical therapy|action potential|medical imaging|medical student|medical school|clinical trial|clinical examination|
intensive care|emergency department|emergency room|chest x ray|dental x ray|kidney stone|chest pain|back pain|knee pain|stomach ache|
sore throat|cholesterol|electrolyte|sclerosis|scoliosis|sciatica|osteoporosis|autism|bipolar disorder|epileptic|seizure|stroke patient|
brain stem|heart muscle|eye surgery|plastic surgeon|tonsil|adenoid|varicose|hemorrhoid|fistula|incision|endotracheal|laryngoscope|
tourniquet|iv line|iv drip|intravenous|arthroscopic|robotic surgery|histologic|biopsied|carcinogenic|benign|malignant|malignancy|
metastatic|perioperative|preoperative|postoperative|intraoperative|resection|anastomosis|ligation|embolization|circumcision|epidural|
neonatal|preterm|eclampsia|preeclampsia|menopause|endometriosis|hypothyroidism|hyperthyroidism|goiter|gout|rabies|tetanus|cholera|pathogen|
antibody|antigen|lymphocyte|platelet|hemoglobin|ventilator|nebulizer|inhaler|prosthetic|orthotic|amputee|amputation|concussion|whiplash|
hypothermia|anaphylaxis|allergy|allergic reaction|narcolepsy|sleep apnea|migraine|vertigo|tinnitus|glaucoma|macular|strabismus|audiology|
paralysis|palsy|neuropathic|myelin|triage|differential diagnosis|fetal|fetus|midwife|surgical instrument|organ donor|crohn|parkinson|lupus|
sickle cell|caesarean|bowel obstruction|whipple procedure|rotator cuff|pet ct|pet scan|down syndrome|muscular dystrophy|huntington|
celiac disease|irritable bowel|acid reflux|heartburn|ptsd|adhd|obsessive compulsive|eating disorder|chickenpox|shingles|smallpox|ebola|
influenza|pneumococcal|meningococcal|lyme disease|chlamydia|gonorrhea|syphilis|herpes|candidiasis|scabies|ringworm|impetigo|acne|vitiligo|
alopecia|infertility|pcos|fibroid|miscarriage|placenta previa|breastfeeding|contraception|apgar|hemophilia|dvt|varicocele|
kidney transplant|liver transplant|bypass surgery|brain surgery|spine surgery|knee replacement|joint replacement|knee surgery|
cataract surgery|bunion|carpal tunnel|ankle sprain|acl tear|acl reconstruction|meniscus tear|slipped disc|herniated|bone graft|skin graft|
wound dressing|suturing|sterile field|blood draw|blood gas|blood group|lumbar puncture|chest tube|chest compression|nasogastric|foley|
central line|arterial line|airway management|nerve block|advanced life support|basic life support|glasgow coma|otoscope|ophthalmoscope|
slit lamp|white blood cell|red blood cell|nephron|alveoli|alveolus|synapse|neurotransmitter|hemostasis|coagulation|cytokine|immunotherapy|
palliative|hospice|dentistry|orthodontic|tooth decay|endodontic|periodontal|wisdom tooth|optometry|podiatry|pharmacist|antiseptic|
anticoagulant|antidepressant|antipsychotic|opioid|steroid injection|chemotherapeutic|paracetamol|acetaminophen|ibuprofen|aspirin|metformin|
morphine|fentanyl|ketamine|propofol|epinephrine|atropine|digoxin|heparin|warfarin|furosemide|prednisone|prednisolone|dexamethasone|
levothyroxine|ssri|ssris|tramadol|gabapentin|salbutamol|naloxone"""
EVERYDAY = """heart shaped|heart of gold|heart break|broken heart|operating system|kidney bean|brain teaser|brain game|brain dump|
brain rot|surgical strike|surgical precision|head shoulder|doctor who|doctor strange|spin doctor|car doctor|phone doctor|nurse shark|
surgeon simulator|surgeon fish|theme hospital|two point hospital|trauma center|gray anatomy|skin pack|weapon skin|gun skin|rare skin|
new skin|eye shadow|eye liner|eye contact|bone broth|rib eye|back rib|short rib|chicken breast|turkey breast|chicken liver|liver pate|
beef tongue|blood orange|blood moon|bad blood|blood diamond|cell phone|fuel cell|solar cell|battery cell|nerve wracking|two stroke|
four stroke|brush stroke|key stroke|breast stroke|back stroke|stroke play|computer virus|virus removal|virus scan|anti virus|muscle car|
muscle memory|fever dream|cabin fever|gold fever|night fever|echo dot|echo show|amazon echo|ultrasound cleaner|ultrasound cleaning|
metal fatigue|fracture mechanics|plant disease|plant pathology|plant cell|crop disease|leaf disease|tree surgery|tree surgeon|
wood treatment|water treatment|heat treatment|retina display|red eye|evil eye|black eye|bird eye|private eye|medical advice|not a doctor|
consult your doctor|consult your physician|talk to your doctor|ask your doctor|medical disclaimer|medical drama|hospital drama|fat loss|
belly fat|operation game|surgery game|doctor game|hospital game|hospital playset|plague inc|patient zero|drug dealer|drug cartel|
spinal tap|anatomy drawing|figure anatomy|anatomy for artist|patient trading|pipe organ|church organ|main artery|arterial road|head gasket|
obd diagnostic|diagnostic scanner|car diagnostic|diagnostic tool|battery health|health bar|health potion|emergency landing|emergency brake|
emergency kit"""


def as_text(value):
    """A value as text: "" for nothing, 7 for 7.0, the parts of a list joined, of a file or channel object its path or name."""
    if isinstance(value, dict):
        value = next((value[key] for key in ("path", "name", "title", "videoId", "id") if value.get(key)), "")
    if isinstance(value, list | tuple | np.ndarray):
        return ", ".join(filter(None, map(as_text, value)))
    if not isinstance(value, str):
        nothing = value is None or str(value) in ("nan", "<NA>", "NaT")
        value = "" if nothing else str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
    return value.strip() if value.isascii() else SURROGATE.sub("\ufffd", value).strip()


def fold(text):
    """Text in lower case without links, with plain letters: accents, full-width and "mathematical" letters become a to z."""
    text = LINK.sub(" ", text[:LONGEST])
    if text.isascii():
        return text.lower()
    return "".join(c for c in unicodedata.normalize("NFKD", text.lower()) if not unicodedata.combining(c)).lower()


class Dictionary(dict):
    """word -> its common form (a cache that fills itself). `.trie` of phrases, each ending with its kind: "strong", "body", "setting" or
    "" (taken out, never counted). `.strong`, `.body`, `.setting`: the rarest word of each such phrase.
    """

    def __init__(self):
        super().__init__()
        self.phrases = dict(_phrases())
        self.strong, self.body, self.setting, self.trie = set(), set(), set(), {}
        common = set(map(words.canonical, f"{BODY} {SETTING} {TOPICS} {WARD}".split()))
        for phrase, kind in self.phrases.items():
            node = self.trie
            for word in phrase:
                node = node.setdefault(word, {})
            node[""] = kind
            if kind:
                getattr(self, kind).add(max(phrase, key=lambda word: (word not in common, len(word))))

    def __missing__(self, word):
        form = words.canonical(word)
        if len(self) > 500_000:                                # words of 25 million titles would not fit for ever
            self.clear()
        if ENDING.match(form) and form not in NO_ENDING and "" not in self.trie.setdefault(form, {}):
            self.trie[form][""] = "strong"                      # "pyeloplasty" is in no list and medical all the same
            self.strong.add(form)
        self[word] = form
        return form

    def look(self, text):
        """[(phrase, kind)] of a text in order, longest first, everyday phrases taken out; [] at once where no two words could matter."""
        text = fold(text)
        forms = [self[word] for word in (text.translate(PLAIN).split() if text.isascii() else WORD.findall(text))]
        if self.strong.isdisjoint(forms) and (self.setting.isdisjoint(forms) or self.body.isdisjoint(forms)):
            return []
        forms = [form for form in forms if form not in words.SKIPPED]
        found, i = [], 0
        while i < len(forms):
            node, length, kind, j = self.trie, 1, "", i
            while j < len(forms) and (node := node.get(forms[j])) is not None:
                j += 1
                if "" in node:
                    length, kind = j - i, node[""]
            if kind:
                found.append((" ".join(forms[i:i + length]), kind))
            i += length
        return found


def _split(text):
    return [part for part in (words.phrase(p) for p in text.replace("\n", " ").split("|")) if part]


def _phrases():
    """(phrase, kind) pairs; later ones overrule earlier ones."""
    body, setting = ({words.canonical(w) for w in text.split()} for text in (BODY, SETTING))
    small = set("of in with without and to from by on at for non post pre structure device region".split())
    for phrase, (concept, *_) in knowledge.concepts()[1].items():
        pet = concept and concept.axis == "organism" and len(phrase) == 1 and not phrase[0].startswith("staphy")      # cat, dog, rat
        if concept is None or pet or concept.axis == "motion":
            yield phrase, ""
        else:
            weak = all(w in body or w in small or len(w) < 2 or stop.is_plain((w,)) for w in phrase)
            yield phrase, "body" if weak else "strong"
    yield from (((word,), "body") for word in body)
    yield from (((word,), "setting") for word in setting)
    for text, kind in ((NEVER, ""), (STRONG, "strong"), (EVERYDAY, "")):
        yield from ((phrase, kind) for phrase in _split(text))


@lru_cache(maxsize=1)
def dictionary():
    return Dictionary()


def keyword_hits(texts):
    """Keywords of each text: list of tuples of phrases in their common form ("kidney stone"), each once, in order of appearance.

    A text has hits when it holds a strong phrase, or a word of the body and a word of setting; then all of them are given. Else ().
    English only; a text of another script has none.
    """
    look, out = dictionary().look, []
    for text in _list(texts):
        found = look(text)
        kinds = {kind for _, kind in found}
        out.append(tuple(dict.fromkeys(p for p, _ in found)) if "strong" in kinds or {"body", "setting"} <= kinds else ())
    return out


class TextTest:
    """Is this title and description medical? `TextTest().fit(texts, labels)`, then `test(texts)` -> probability float [N], 0 to 1.

    backend: "tfidf" (words, pairs of words and pieces of 3 to 4 letters) or "embedding:FOLDER", a text encoder of transformers in a local
    folder, used as the paper's arctic-embed-m is: vector of the first token (CLS), unit length. Logistic regression on either.
    prefix: put before every text for an encoder. tokens: more of a text is cut off. batch: texts at a time.
    """

    def __init__(self, backend="tfidf", prefix="", tokens=256, batch=64):
        kind, _, folder = backend.partition(":")
        if kind not in ("tfidf", "embedding") or (kind == "embedding") != bool(folder):
            raise KitError(f"there is no text classifier '{backend}'. Choose 'tfidf' or 'embedding:FOLDER' with a folder of weights.")
        self.backend, self.model = backend, None
        self.encoder = Encoder(folder, prefix, tokens, batch) if folder else None

    def fit(self, texts, labels):
        """Learn from texts and as many labels (True = medical). Returns self. KitError when they do not fit or one kind is missing."""
        from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline, make_union

        texts, labels = _list(texts), np.asarray(list(labels))
        if len(texts) != len(labels) or not {0, 1} >= set(labels.tolist()):
            raise KitError(f"{len(texts)} texts and {len(labels)} labels were given; every text needs one label, True or False.")
        if len(set(labels.tolist())) < 2:
            raise KitError("the text classifier needs examples of both kinds, medical and not medical.")
        judge = LogisticRegression(C=1.0, max_iter=2000, class_weight="balanced")
        share = {"sublinear_tf": True, "preprocessor": fold, "dtype": np.float32}
        pieces = make_union(TfidfVectorizer(ngram_range=(1, 2), **share), TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 4), **share),
                            CountVectorizer(analyzer=_kinds, dtype=np.float32))
        self.model = judge if self.encoder else make_pipeline(pieces, judge)
        self.model.fit(self.encoder(texts) if self.encoder else texts, labels.astype(bool))
        return self

    def __call__(self, texts):
        """Probability float64 [N] that each text is medical."""
        texts = _list(texts)
        if self.model is None:
            raise KitError("the text classifier has learned nothing yet: call fit(texts, labels) first.")
        if not texts:
            return np.zeros(0)
        return self.model.predict_proba(self.encoder(texts) if self.encoder else texts)[:, 1].astype(float)


class Encoder:
    """Texts -> unit vectors float32 [N, D] by a text encoder of transformers in a local folder (vector of the first token)."""

    def __init__(self, folder, prefix="", tokens=256, batch=64):
        try:
            if not (Path(folder) / "config.json").is_file():
                raise OSError("there is no config.json in this folder.")
            from transformers import AutoModel, AutoTokenizer

            self.tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            self.model = AutoModel.from_pretrained(folder, local_files_only=True).eval().to(device())
        except (OSError, ValueError, KeyError, ImportError) as error:
            raise KitError(f"'{folder}' could not be loaded as a text encoder: {str(error).splitlines()[0]} Give a folder that "
                           "save_pretrained wrote.") from error
        places = getattr(self.model.config, "max_position_embeddings", None) or tokens
        self.prefix, self.tokens, self.batch = prefix, min(tokens, places), batch

    def __call__(self, texts):
        import torch

        out = []
        for at in range(0, len(texts), self.batch):
            inputs = self.tokenizer([self.prefix + text[:LONGEST] for text in texts[at:at + self.batch]], padding=True, truncation=True,
                                    max_length=self.tokens, return_tensors="pt").to(self.model.device)
            with torch.no_grad():
                first = self.model(**inputs).last_hidden_state[:, 0]
            out.append(torch.nn.functional.normalize(first.float(), dim=1).cpu().numpy())
        return np.concatenate(out)


def _kinds(text):
    """Kinds of keyword in a text and how many, so that a medical word never seen in training still says something."""
    found = Counter(kind for _, kind in dictionary().look(text))
    return [f"{kind} {min(count, 3)}" for kind, count in found.items()] or ["none"]


def _list(texts):
    if isinstance(texts, str):
        raise KitError("a list of texts is needed, not one text. Write [text].")
    return [as_text(text) for text in texts]


# words of other subjects, one a line, and of medical videos: training examples are also made of such words around a keyword
TOPICS = """
song album lyrics guitar piano cover remix concert live band singer rap beat chords karaoke playlist vinyl drummer acoustic festival dance
game gameplay walkthrough speedrun minecraft roblox fortnite mod boss level server quest loot console roleplay stream esports skin patch
movie trailer film scene actor review series season episode horror comedy netflix anime cosplay cartoon ending theory reaction soundtrack
recipe cooking bake oven sauce dinner vegan grill pasta cake bread chocolate kitchen restaurant taste street food coffee beer chef spicy
car engine brakes motorcycle drive race turbo garage mechanic tires oil truck restore detailing track lap exhaust gearbox test road
football match goal league coach basketball cricket tennis training skate surf marathon final highlights player season olympics team boxing
travel hotel flight beach city tour train hiking camping island vlog budget backpack museum mountain winter airport village trip sunset
phone laptop unboxing camera app software windows linux python code server database tutorial keyboard drone robot setup excel gadget website
diy wood paint craft knitting crochet sewing lego origami print keychain garden plants tomato furniture build workshop glue miniature draw
cat dog puppy horse fish bird aquarium wildlife shark snake farm tractor hunting fishing lake forest weather storm ocean reptile
money stocks crypto bitcoin trading invest market business startup marketing tax salary house rent sale price shop podcast interview
news election president war police court protest strike history empire king ancient physics algebra grammar philosophy religion sermon
prank challenge funny fails asmr makeup fashion outfit haul nails wedding family kids toys story birthday halloween costume magic workout"""
WARD = """patient case technique procedure findings causes symptoms treatment diagnosis management explained lecture residents exam students
clinic hospital doctor nurse surgeon recovery ward consultant guideline evidence trial review complications pitfalls prognosis scan image
view report pathology histology microscope dose mechanism body signs risk test question emergency theatre rounds rehabilitation awareness"""


# hard titles: medical without the usual words, and words of medicine without medicine
TRAIN = """
HARD MEDICAL: What happens when you stop breathing at night|A night shift on the ward|He swallowed a coin: what we did next|
Push hard, push fast: counting compressions|What the anaesthetist does while you sleep|I could not feel the left side of my face|
Why your ears pop and when to worry|POCUS: lung sliding or not?|TAVI through the groin|Reading the blood gas in 3 steps|
Scoping a bleeding ulcer at 3 am|Our triplets in the incubator, day 40|Donning and doffing PPE|Off-pump CABG x3, skin to skin|
My first year without a drink: what my liver looks like|How scars form|#medtwitter case: swollen leg after a flight|Stages of labour|
The lens comes out through 2 mm|How bones knit together;
HARD OTHER: Heart shaped cake with strawberries|Install a second operating system|Kidney beans chili, slow cooker|
Brain teaser: only 1% can solve it|Army carries out surgical strike|Surgeon Simulator VR funny moments|Grey's Anatomy saddest scenes|
Open heart (official lyric video)|Gaming laptop surgery: thermal paste|SQL injection explained|Bone broth in the pressure cooker|
Nurse shark feeding|Doctor Who ranking every season|Two stroke engine rebuild|Virus removal Windows 11|Bleeding brakes at home alone|
Skin showcase: rarest Fortnite skins|Tomato leaf disease and how to spray|Theme Hospital speedrun|10 min abs workout|
Eye makeup tutorial: smokey|Patient trading: wait for your setup|Plumber vs. blocked artery of the house|Cell phone repair: broken screen|
Stitch pattern for beginners, crochet|Ribs on the smoker|Diagnosing a misfire with an OBD scanner|Breaststroke technique drills|
Anatomy drawing for artists|Saturday Night Fever dance|Emergency landing caught on camera|Fracture mechanics lecture 2|
Pressure washing a driveway|Vein of gold found in the creek|{keyword} (official music video)|Playing {topic} until I get {keyword}|
LEGO {keyword} machine build|Pencil drawing of a realistic {keyword}|{keyword}, the band, live at the festival|Movie trailer: The {keyword}|
{topic} hospital mod: {keyword} fail|Epilepsy warning! {topic} visualizer|My {topic} needs a {keyword}|{keyword} coin to the moon? crypto;
ABOUT MEDICAL: In this lecture we go through causes, diagnosis and management.|
Recorded in our operating theatre with consent of the patient.|For doctors, nurses and students in their clinical years.|
Department of Surgery, University Hospital.|For education only, no medical advice.|Timestamps 0:00 history 2:10 examination 5:40 imaging|
#medicine #doctor #hospital;
ABOUT OTHER: Like and subscribe for more!|Follow me on Instagram. Business mail in the about tab.|
New video every Friday, join the Discord.|Links to all the gear below (affiliate).|Consult your doctor before starting any workout.|
Music: epidemic sound|#shorts #viral #fyp;
CHANNEL MEDICAL: Surgery Atlas|MedLectures|Nurse Ana|Heart Centre TV|Radiology Rounds;
CHANNEL OTHER: Cook&Co|PixelPlays|GarageDays|Wanderlust|ToneTube;
CHANNEL MIXED: City University|Channel 9 News;"""


@lru_cache(maxsize=4)
def _blocks(written):
    """{heading: entries} of a text "heading: entry|entry;", with the words that training titles are made of."""
    blocks = (block.split(": ", 1) for block in re.split(r";\s*", written.replace("|\n", "|")) if block.strip())
    keywords = sorted(" ".join(phrase) for phrase, kind in dictionary().phrases.items() if kind == "strong" and len(phrase) < 4)
    topics = [line.split() for line in TOPICS.strip().splitlines()]
    return {"keyword": keywords, "topic": sum(topics, []), "topics": topics, "ward": WARD.split()} | {
        name.strip(): entries.split("|") for name, entries in blocks}


def example_texts(count, seed=0, written=TRAIN):
    """`count` made-up videos with known truth: DataFrame video_id, title, description, channel, medical (bool), hard (bool).

    Medical titles are words of medical videos around a keyword, others are words of another subject; 30 % of both are hard. 40 % are
    medical, one in ten stands in a channel of mixed content. written: other titles, descriptions and channels, written like TRAIN; the
    tests hold back such a text, which shares no title with TRAIN. All is made up by us: a figure on it shows that the code works, not
    how often it is right on the videos of a real site.
    """
    import pandas as pd

    rng, half, rows = random.Random(seed), _blocks(written), []
    for number in range(count):
        medical, hard = rng.random() < 0.4, rng.random() < 0.3
        kind, other = ("MEDICAL", "OTHER") if medical else ("OTHER", "MEDICAL")
        title = _title(rng, half, kind, hard)
        title = rng.choice((title, title, title[0].upper() + title[1:], title.upper(), f"{title} [{rng.choice(('HD', '4K', '2024'))}]"))
        about = rng.sample(half[f"ABOUT {kind}"], rng.choice((0, 0, 1, 1, 2)))
        about += [rng.choice(half[f"ABOUT {other}"])] if rng.random() < 0.1 else []
        about += [f"https://example.org/{rng.randrange(10**6)}"] if rng.random() < 0.3 else []
        channel = rng.choice(half["CHANNEL MIXED" if rng.random() < 0.1 else f"CHANNEL {kind}"])
        rows.append((f"example{seed:02d}{number:06d}", title, "\n".join(about), channel, medical, hard))
    return pd.DataFrame(rows, columns=["video_id", "title", "description", "channel", "medical", "hard"])


def _title(rng, half, kind, hard):
    if kind in half or (hard and rng.random() < 0.6):
        return re.sub(r"{(\w+)}", lambda slot: rng.choice(half[slot[1]]), rng.choice(half[f"HARD {kind}" if hard else kind]))
    around = rng.sample(half["ward"], rng.randint(0, 4)) if kind == "MEDICAL" else rng.sample(rng.choice(half["topics"]), rng.randint(1, 4))
    title = around + rng.sample(half["keyword"], int(hard or kind == "MEDICAL"))
    return " ".join(rng.sample(title, len(title)))


@lru_cache(maxsize=2)
def taught(backend="tfidf", prefix=""):
    """The TextTest that learned from 3,000 examples (some seconds; once a process)."""
    examples = example_texts(3000)
    return TextTest(backend, prefix).fit(examples["title"] + "\n" + examples["description"], examples["medical"])
