"""Words in one form: tokens of a text, lower case, American spelling, singular. Phrases and captions go through the same function."""

import re
from functools import lru_cache

TOKEN = re.compile(r"[A-Za-z0-9]+(?:&[A-Za-z0-9]+)?|[.;:!?,()]")
SKIPPED = frozenset(("a", "an", "the", "s"))             # articles, and the s of "patient's"

SPELLING = tuple((re.compile(pattern), to) for pattern, to in (
    (r"haem", "hem"), (r"aemi", "emi"), (r"oedem", "edem"), (r"oesoph", "esoph"), (r"^foet", "fet"), (r"tumour", "tumor"),
    (r"colour", "color"), (r"paed", "ped"), (r"diarrhoea", "diarrhea"), (r"anaesth", "anesth"), (r"caec", "cec"),
    (r"fibre", "fiber"), (r"metre", "meter"), (r"centre", "center"), (r"^grey", "gray"), (r"leuc", "leuk"),
    (r"sulph", "sulf"), (r"orthopaed", "orthoped"), (r"isation", "ization"), (r"gynaec", "gynec"),
    (r"faec", "fec"), (r"mould", "mold"), (r"labelled", "labeled"), (r"catheteris", "catheteriz"),
    (r"visualis", "visualiz"), (r"ae(?=$)", "a")))
SPELT_OTHERWISE = re.compile("|".join(pattern.pattern for pattern, _ in SPELLING))         # one look spares most words the list
PLURALS = {
    "feet": "foot", "teeth": "tooth", "mitoses": "mitosis", "metastases": "metastasis", "stenoses": "stenosis",
    "thromboses": "thrombosis", "diagnoses": "diagnosis", "prostheses": "prosthesis", "bronchi": "bronchus",
    "thrombi": "thrombus", "emboli": "embolus", "nuclei": "nucleus", "calculi": "calculus", "fundi": "fundus",
    "diverticula": "diverticulum", "septa": "septum", "ostia": "ostium", "atria": "atrium", "viruses": "virus", "fungi": "fungus",
    "bacteria": "bacterium", "adenomata": "adenoma", "carcinomata": "carcinoma", "lumina": "lumen", "foramina": "foramen",
    "testes": "testis", "biopsies": "biopsy", "uteri": "uterus", "menisci": "meniscus", "ganglia": "ganglion", "hila": "hilum",
    "indices": "index", "apices": "apex", "viscera": "viscus", "lenses": "lens"}


@lru_cache(maxsize=50_000)
def canonical(word):
    """One word in its common form: "Oedemas" and "edema" are both "edema". Lower case, American, singular."""
    word = word.lower()
    if word in PLURALS:
        return PLURALS[word]
    if SPELT_OTHERWISE.search(word):
        for pattern, to in SPELLING:
            word = pattern.sub(to, word)
    if len(word) < 4 or word.endswith(("ss", "us", "is")) or not word.endswith("s"):
        return word
    if word.endswith("ies"):
        return word[:-3] + "y"
    return word[:-2] if word.endswith(("xes", "ches", "shes", "sses")) else word[:-1]


def tokens(text):
    """(forms, starts, ends, articles): the canonical words and marks of a text with their places in it.

    Articles are left out, so that "lobe of the lung" is "lobe of lung"; `articles` holds the numbers of words that had one before them.
    """
    forms, starts, ends, articles = [], [], [], set()
    for found in TOKEN.finditer(text):
        form = canonical(found[0])
        if form in SKIPPED:
            articles.add(len(forms))
        else:
            forms.append(form)
            starts.append(found.start())
            ends.append(found.end())
    return forms, starts, ends, articles


def phrase(text):
    """A phrase as a tuple of canonical words, without marks: "Lobes of the lung" -> ("lobe", "of", "lung")."""
    return tuple(form for form in tokens(text)[0] if form[0].isalnum())
