"""What the cards say about where things come from: the facts of data_cards/templates/*.yaml, each with its source, as text.

A fact that nobody looked up is said to be unknown; nothing here fills a gap.
"""

import functools
import re

from medgen_kit.errors import KitError

SECTIONS = {"provenance": "Provenance", "licence": "Licence", "consent": "Consent", "bias": "Known bias", "forbidden": "Forbidden use",
            "contradictions": "Where sources contradict each other"}
OUR_READING = "ours"                                    # the source of what follows from the others
HEADING = "Provenance, licence, consent, known bias, forbidden use"
UNKNOWN = {"provenance": "Not checked here: who filmed it, where and when.",
           "licence": "Not checked here. Without a licence that you have read, all rights are the makers': ask them before you use it.",
           "consent": "Not checked here: whether the people shown, or whose material was learned from, were asked, and for what.",
           "bias": "Not checked here: country, hospital, device, age, sex and skin tone.",
           "contradictions": "None was found. Few sources were read."}
NEVER = ("Diagnosis, treatment, informing a patient, and evidence of any kind.",
         "Identifying a person, a hospital or a surgeon.",
         "Clips that pass for recordings: what is made from it stays marked as synthetic.")


@functools.cache
def read(folder, kind):
    """{"sources": {key: {title, url}}, "cards": {name: facts}} of `kind`.yaml in the folder of templates ("datasets" or "models")."""
    import yaml

    path = folder / f"{kind}.yaml"
    found = yaml.safe_load(path.read_text(encoding="utf-8"))
    for name, card in found["cards"].items():
        for section in ("about", *SECTIONS):
            facts = card.get(section, [])
            for text, source in [] if isinstance(facts, str) else facts:
                for key in as_list(source):
                    if key not in found["sources"]:
                        raise KitError(f"{path}, {name}, {section}: no source is called '{key}' (fact: {text}).")
    return found


class Sources:
    """Numbers the sources of one card in the order in which they are first quoted."""

    def __init__(self, known):
        self.known, self.used = known, []

    def mark(self, keys):
        """ " [1, 3]" for the keys of one fact; what we concluded ourselves is called so. """
        for key in as_list(keys):
            if key not in (*self.used, OUR_READING):
                self.used.append(key)
        return " [" + ", ".join("our reading" if key == OUR_READING else str(self.used.index(key) + 1) for key in as_list(keys)) + "]"

    def text(self):
        """The numbered list of what was quoted."""
        lines = []
        for number, key in enumerate(self.used, 1):
            source = self.known[key]
            lines.append(f"{number}. " + (f"[{source['title']}]({source['url']})" if source["url"] else source["title"]))
        return "\n".join(lines)


def bullets(facts, sources):
    """Facts as a list with the numbers of their sources."""
    return "\n".join(f"- {text}{sources.mark(keys)}" for text, keys in facts)


def rights(card, sources):
    """The section HEADING of a card, with one part for each of SECTIONS, then the sources of the whole card."""
    parts = [f"## {HEADING}"]
    for section, title in SECTIONS.items():
        said = [bullets(card[section], sources)] if card[section] else []
        if section == "forbidden":
            said = ["\n".join([*said, *(f"- {line}" for line in NEVER)])]
        parts += [f"### {title}", *(said or [UNKNOWN[section]])]
    note = "Read as stored copies: look again before you rely on a licence. *Our reading* is what follows from them, or from use."
    return "\n\n".join([*parts, "## Sources", note, sources.text()])


def plain(facts):
    """Facts as sentences without Markdown, for machines."""
    return [re.sub(r"[*`]", "", text) for text, _ in facts]


def fill(text, fields, where):
    """`text` with every {{field}} replaced; KitError for a field that is not there."""
    def value(match):
        if match[1] not in fields:
            raise KitError(f"{where} asks for the field '{match[1]}'. There are: {', '.join(sorted(fields))}.")
        return str(fields[match[1]])
    return re.sub(r"\{\{ *(\w+) *\}\}", value, text)


def filled(card, fields, where):
    """The facts of a card with their fields replaced."""
    return card | {section: [[fill(text, fields, f"{where}, {section}"), keys] for text, keys in card[section]]
                   for section in ("about", *SECTIONS) if isinstance(card.get(section), list)}


def as_list(value):
    return value if isinstance(value, list) else [value]
