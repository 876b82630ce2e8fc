"""What a video-language model is asked, in our words. Two passes as in the paper (section 3): detailed first, then brief."""

import re

RULES = ("Describe only what can be seen in the frames. Do not name people, places or institutions, do not state a diagnosis, do not "
         "give doses or numbers that are not visible, and do not read out text.")


def detailed_prompt(facts):
    """The first question: 8 frames in order and what the uploader wrote, for a description of 120 to 220 words."""
    lines = [f"These are frames of one {facts.seconds:g} second video clip ({facts.category}), in order of time.",
             "Write one paragraph of 120 to 220 words in plain English: the scene, body part, instruments, what happens from first to last "
             "frame, the camera, the colours and the style.", RULES]
    for name, text in (("title", facts.title), ("description", facts.description), ("spoken words", facts.transcript)):
        if text:
            lines.append(f"The uploader's {name} (may be wrong; the frames decide): {text[:600]}")
    return "\n".join(lines)


def brief_prompt(detailed):
    """The second question: the detailed caption alone, for one sentence of at most 30 words."""
    return ("Shorten this description of a video to one sentence of at most 30 words. Keep what is seen, the body part, the side and the "
            f"movement. Add nothing.\n\n{detailed}")


def clean(reply):
    """A model's reply as plain running text: no markdown, no list marks, single spaces."""
    text = re.sub(r"[*#`_>]+", "", reply)
    text = re.sub(r"(?m)^\s*(?:[-•]|\d+[.)])\s+", "", text)
    text = re.sub(r"^(?:sure|certainly|of course|here is[^:]*)[^:\n]*:\s*", "", text.strip(), flags=re.I)
    return re.sub(r"\s+", " ", text).strip()
