"""A set of captions in numbers, beside those of the paper where it gives any (section 3: 174 words on average)."""

from collections import Counter
from statistics import mean, median

from .. import knowledge
from .slips import words

PAPER_WORDS = 174                            # mean length of a detailed caption (paper, section 3 and table 1)
ASKED = (120, 220)                           # words that the prompt asks for


def statistics(clips):
    """Figures on the captions of a list of Clips: list of dicts figure, here, paper (None where the paper gives no number).

    Words in detailed and brief captions, share of detailed ones within 120 to 220 words, vocabulary, repeated captions; concepts in all and
    for each clip, share of clips with a concept on each axis. An empty list, or clips without captions, give zeros.
    """
    detailed = [words(clip.detailed_caption) for clip in clips if clip.detailed_caption]
    brief = [words(clip.brief_caption) for clip in clips if clip.brief_caption]
    tags = [knowledge.tags(clip.detailed_caption) for clip in clips if clip.detailed_caption]
    sizes, count = list(map(len, detailed)), max(1, len(detailed))
    texts = Counter(clip.detailed_caption for clip in clips if clip.detailed_caption)
    rows = [("clips", len(clips), None), ("clips with a detailed caption", len(detailed), None),
            ("words in a detailed caption, mean", round(mean(sizes), 1) if sizes else 0, PAPER_WORDS),
            ("words in a detailed caption, median", median(sizes) if sizes else 0, None),
            (f"detailed captions of {ASKED[0]} to {ASKED[1]} words", share(sum(ASKED[0] <= n <= ASKED[1] for n in sizes), count), None),
            ("words in a brief caption, mean", round(mean(map(len, brief)), 1) if brief else 0, None),
            ("different words", len(set().union(*detailed)) if detailed else 0, None),
            ("detailed captions that occur more than once", share(sum(n for n in texts.values() if n > 1), count), None),
            ("different concepts", len({tag for found in tags for tag in bare(found)}), None),
            ("concepts in a detailed caption, mean", round(mean(len(bare(found)) for found in tags), 2) if tags else 0, None)]
    for axis in knowledge.AXES:
        rows.append((f"detailed captions with a concept of {axis}",
                     share(sum(any(tag.startswith(f"{axis}/") for tag in found) for found in tags), count), None))
    return [{"figure": figure, "here": here, "paper": paper} for figure, here, paper in rows]


def bare(tags):
    """Tags without their sides."""
    return {tag.split(":")[0] for tag in tags}


def share(part, whole):
    return round(part / whole, 4)
