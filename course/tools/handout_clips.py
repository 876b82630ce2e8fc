"""Handouts of lessons 00 to 04: games that are played by looking at clips."""

import json

import numpy as np

from course.tools.handout_page import MIXED, SIMULATED, Game, escape, figure, line, lots, table

REAL = "examples_ybr_color.dcm"                # the echocardiogram of lesson 00, shipped with pydicom
CARDS = ("scrolling from head to feet", "scrolling from feet to head")


def real_echo():
    """The real echocardiogram of lesson 00, cut to the fan: uint8 [30, 220, 220, 3]."""
    from pydicom.data import get_testdata_file

    from medgen_kit import sources

    return sources.from_dicom(get_testdata_file(REAL, download=False)).frames[:, 10:230, 50:270]


def modality(clip):
    return clip.factors.get("modality", "")


def facts(factors):
    """The factors of a clip in words."""
    return "; ".join(f"{name.split('.')[-1].replace('_', ' ')}: {value}" for name, value in factors.items()) or "none known"


def motion_of(factors):
    """What moves, by the factors of a clip; "" where no factor is one of motion."""
    from medgen_kit import sources

    return "; ".join(f"{name.split('.')[-1].replace('_', ' ')}: {factors[name]}" for name in sources.MOTION if name in factors)


def one_of_each(clips, rng, count, name=modality):
    """`count` clips in random order, one of every kind before any kind comes twice."""
    waiting = {}
    for clip in rng.sample(clips, len(clips)):
        waiting.setdefault(name(clip), []).append(clip)
    found = []
    while len(found) < count and any(waiting.values()):
        kinds = [kind for kind in waiting if waiting[kind]]
        found += [waiting[kind].pop() for kind in rng.sample(kinds, len(kinds))]
    return rng.sample(found[:count], len(found[:count]))


def lesson_00(run, seed):
    """Real or drawn?: one real clip at the size of the generated ones, and two of those."""
    from medgen_kit import video

    rng = lots(seed, "real or drawn")
    taste = run.folder("taste")
    clips, prompts = np.load(taste / "frames.npz")["frames"], json.loads((taste / "prompts.json").read_text(encoding="utf-8"))
    echo = real_echo()
    small = video.resize(echo[video.sample_indices(len(echo), clips.shape[1])], clips.shape[2:4])
    items = [("real", "the echocardiogram that pydicom ships", small)]
    items += [("generated", prompts[k], clips[k]) for k in rng.sample(range(len(clips)), 2)]
    rng.shuffle(items)
    ask = f"<p>☐ real ☐ drawn. {line('Because', 128)}</p>"
    size = f"{clips.shape[3]} x {clips.shape[2]} pixels"
    task = (f"Three films of a beating heart, each as four frames, time from left to right, all brought to {size}. One comes from a "
            "patient's examination, two were drawn by a program. Vote in pairs, and give a reason that somebody else can see.")
    told = [{"clip": name, "which": kind, "what it is, or what was asked": what}
            for name, (kind, what, _) in zip("ABC", items)]
    said = (f"<p>The real film has {len(echo)} frames of {echo.shape[2]} x {echo.shape[1]} pixels after the cut to the fan; on the sheet "
            "it is made small, since size alone would give it away. Show it as it is when the votes are counted:</p>")
    pictures = "".join(figure(f"Clip {name}", frames, 4, 200, below=ask) for name, (_, _, frames) in zip("ABC", items))
    return [Game("Real or drawn?", task, pictures, table(told) + said + figure("The real film", echo, 6, 200), MIXED)]


def lesson_01(run, seed):
    """Name that clip: twelve clips of the stage sources, real ones among them."""
    import medgen_kit as kit

    rng = lots(seed, "name that clip")
    moving = [clip for clip in kit.read_folder(run.folder("sources")) if clip.camera_motion_type != "still image"]
    scanned = {clip.source: clip for clip in moving if not modality(clip)}              # one clip of each DICOM file
    clips = [*(clip for clip in moving if modality(clip)), *scanned.values()]
    chosen = one_of_each(clips, rng, 12, lambda clip: modality(clip) or clip.source)
    ask = f"{line('what?', 17)}{line('moves?', 15)}"
    pictures = "".join(figure(f"Clip {k}", clip.frames(9), 3, 200, ask=ask) for k, clip in enumerate(chosen, 1))
    task = ("Twelve clips, three frames each, time from left to right. Name how each was taken (ultrasound, CT, endoscope, microscope "
            "...) and what moves. Then compare with your neighbours and count where you disagree.")
    told = [{"clip": k, "what it shows": clip.brief_caption or clip.extra.get("title", ""), "factors": facts(clip.factors),
             "source and licence": f"{clip.source}; {clip.licence}"} for k, clip in enumerate(chosen, 1)]
    return [Game("Name that clip", task, f'<div class="two wide">{pictures}</div>', table(told), MIXED)]


def lesson_03(run, seed):
    """Describe it blind: four clips for the describers; and ten captions of one clip."""
    from medgen_kit import sources
    from medgen_kit.show import strips

    rng = lots(seed, "describe it blind")
    *chosen, other = one_of_each(captioned(run), rng, 5)           # what the class describes is not told by the captions of the other
    halves = "".join(f'<div class="half">{card(k, strips.pick(clip.frames(9), 6))}</div>' for k, clip in enumerate(chosen, 1))
    task = ("Cut the sheet. One student of each group sees a clip and describes it, the others draw it without asking. Then compare: "
            "what was never said?")
    told = "".join(f"<h3>Clip {k}</h3><p>{escape(clip.detailed_caption)}</p><p class='small'>Facts. {escape(facts(clip.factors))}.</p>"
                   for k, clip in enumerate(chosen, 1))
    blind = Game("Describe it blind", task, halves,
                 "<p>Usually missing: what moves, in which direction, and on which side.</p>" + told, SIMULATED)
    captions = [sources.describe(other.factors, np.random.default_rng([seed, k]))[0] for k in range(10)]
    words = [{word.strip(".,:;").lower() for word in text.split()} for text in captions]
    common = sorted(word for word in set().union(*words) if sum(word in one for one in words) >= 7 and len(word) > 2)
    task = ("A program wrote ten captions of the same clip from the same facts. Underline what returns. Is there a mould? Which two "
            "would you keep, and what would you have written?")
    answer = (f"<p>In seven or more of the ten: {escape(', '.join(common) or 'no word of three letters or more')}. Facts. "
              f"{escape(facts(other.factors))}.</p>")
    rows = "".join(f"<li>{escape(text)}</li>" for text in captions)
    return [blind, Game("Ten captions of one clip", task, f'<ol class="letters">{rows}</ol>', answer)]


def card(number, frames):
    """Six frames of a clip in two rows."""
    return figure(f"Clip {number}", frames[:3], 3, 300) + figure(f"Clip {number}, how it goes on", frames[3:], 3, 300)


def captioned(run):
    """Simulated clips with captions, one for each combination of factors; of those that no training saw, where there are eight."""
    import medgen_kit as kit

    found = {"test": {}, "any": {}}
    for clip in kit.read_folder(run.folder("caption")):
        if clip.factors and clip.brief_caption and clip.source.startswith("simulated"):
            for split in {clip.split, "any"} & set(found):
                found[split].setdefault(json.dumps(clip.factors, sort_keys=True), clip)
    return list(found["test" if len(found["test"]) >= 8 else "any"].values())


def lesson_04(run, seed):
    """Eight clips, eight captions; and the cards of a bag of words."""
    rng = lots(seed, "eight clips")
    clips = one_of_each(captioned(run), rng, 4)
    rest = [clip for clip in captioned(run) if all(clip.clip_id != one.clip_id for one in clips)]
    for clip in list(clips):                   # two of each kind: naming the machine is not enough
        same = [one for one in rest if modality(one) == modality(clip) and one.brief_caption != clip.brief_caption]
        clips += rng.sample(same or rest, 1)
        rest = [one for one in rest if one.clip_id != clips[-1].clip_id]
    rng.shuffle(clips)
    letters = rng.sample(range(len(clips)), len(clips))              # letters[k]: which clip the k-th caption belongs to
    ask = line("caption", 14)
    pictures = "".join(figure(f"Clip {k}", clip.frames(9), 4, 200, ask=ask) for k, clip in enumerate(clips, 1))
    captions = "".join(f"<li>{escape(clips[k].brief_caption)}</li>" for k in letters)
    task = ("Match each clip (four frames, time from left to right) with its caption. This is the task of the network: one right answer "
            f"among {len(clips)}.")
    told = table([{"clip": k + 1, "caption": "ABCDEFGH"[letters.index(k)], "text": clip.brief_caption, "facts": facts(clip.factors)}
                  for k, clip in enumerate(clips)])
    chance = "<p>Chance: who guesses has one right on average, however many clips there are. Count right matches on the board.</p>"
    match = Game("Eight clips, eight captions", task, f'<div class="two">{pictures}</div><ol class="letters whole">{captions}</ol>',
                 told + chance, SIMULATED)
    return [match, bags()]


def bags():
    """The cards of two captions that differ in the order of their words."""
    cards = "".join(f'<div class="cards">{"".join(f"<span>{word}</span>" for word in text.split())}</div>' for text in CARDS)
    return Game("Bags of words", "Cut the cards, keep the two rows apart, and shuffle each heap. Which heap was which?", cards,
                "<p>Nobody can tell: both heaps hold the same five words. A text tower that takes the mean of word vectors sees the "
                "heaps, so it must mix words with their neighbours before the mean.</p>")
