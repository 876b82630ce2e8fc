"""Handouts of lessons 05, 06, 07, 09 and ethics: noise by hand, generated and spoiled clips, tables to fill in, cases."""

import csv
import json
import math
import re

import numpy as np

from course.tools.handout_clips import facts, motion_of
from course.tools.handout_page import GENERATED, SIMULATED, Game, escape, figure, line, lots, table
from course.tools.quiz import rich

LEVELS = (0.0, 0.25, 0.5, 0.75, 1.0)
WARNING = "SYNTHETIC, never for clinical use"
TABLE2, TOTAL = "table2_med_vbench", "total"


def lesson_05(run, seed):
    """One grid of noise levels for each pair, on pixels and on the numbers of the network, and four pixels by hand."""
    from medgen_kit import align

    rng = lots(seed, "noise levels")
    data = align.ClipData.load(run.folder("align"))
    known = [i for i in data.split("train") if data.rows[i]["source"].startswith("simulated")]
    clips = data.frames[rng.sample(known, 2)]
    x0, eps, grain = on_pixels(clips, seed)
    mixed = on_numbers(clips, run.folder("generate") / "pipeline", seed)
    scale, along = f'<div class="levels">{"".join(f"<span>s = {s:g}</span>" for s in LEVELS)}</div>', "from clip to noise"
    pictures = "".join(figure(f"Clip {k}, noise on the pixels", grain[k - 1], 5, 180, below=scale, role=along)
                       + figure(f"Clip {k}, noise on the numbers that the network sees", mixed[k - 1], 5, 180, below=scale, role=along)
                       for k in range(1, len(clips) + 1))
    places = [(k, rng.randrange(clips.shape[2]), rng.randrange(clips.shape[3])) for k in (0, 1, 0, 1)]
    told = [by_hand(f"clip {k + 1}, row {i + 1}, column {j + 1}", float(x0[k, i, j]), float(eps[k, i, j])) for k, i, j in places]
    given = ("pixel", "clip x0", "noise eps")
    empty = table([{name: value if name in given else "" for name, value in row.items()} for row in told], "Four pixels by hand", True)
    task = ("Both clips on the straight line from clip (s = 0) to noise (s = 1): x = (1 - s) x0 + s eps. Up to which level can you still "
            "say what it is? Then compute four pixels by hand; the velocity is what the network has to predict.")
    answer = ("<p>The velocity, eps - x0, is the same at every s. Grey values are brought to mean 0 and variance 1 in each frame. Noise on "
              "pixels is grain; noise on the network's numbers (weights of eigenframes) is a mixture of eigenframes, so it looks "
              "smooth.</p>")
    return [Game("From clip to noise", task, f'<div class="slim">{pictures}</div>{empty}', table(told) + answer, SIMULATED)]


def on_pixels(clips, seed):
    """The middle frames of clips [N, T, S, S, 3] in grey with mean 0 and variance 1 (x0 [N, S, S], one decimal), noise of the same shape
    and the frames uint8 [N, 5, S, S, 3] at LEVELS between the two."""
    middle = clips[:, clips.shape[1] // 2].mean(-1)
    centre, spread = middle.mean((1, 2), keepdims=True), middle.std((1, 2), keepdims=True).clip(1)
    x0, eps = ((middle - centre) / spread).round(1), np.random.default_rng([seed, 5]).normal(size=middle.shape).round(1)
    grey = np.stack([((1 - s) * x0 + s * eps) * spread + centre for s in LEVELS], 1).clip(0, 255).astype(np.uint8)
    return x0, eps, np.repeat(grey[..., None], 3, -1)


def on_numbers(clips, pipeline, seed):
    """The middle frames uint8 [N, 5, S, S, 3] of clips at LEVELS between the weights that the generator sees and noise, decoded again."""
    import torch

    from medgen_kit import generate

    vae = generate.EigenframeTokenizer.from_pretrained(str(pipeline / "vae"))
    latents = vae.encode(clips)
    noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(seed))
    points = [generate.flow.interpolate(latents, noise, torch.full((len(clips),), s)) for s in LEVELS]
    seen = torch.stack([vae.decode(point)[:, clips.shape[1] // 2] for point in points], 1)
    return (seen.numpy() * 255).clip(0, 255).astype(np.uint8)


def by_hand(name, x0, eps):
    """One row of the table: a pixel, three points on its line, and its velocity."""
    points = {f"x at s = {s:g}": f"{(1 - s) * x0 + s * eps:z.2f}" for s in (0, 0.5, 1)}
    return {"pixel": name, "clip x0": f"{x0:z.1f}", "noise eps": f"{eps:z.1f}"} | points | {"velocity": f"{eps - x0:z.1f}"}


def lesson_06(run, seed):
    """Blind reading: nine generated clips with their prompts covered. Cherry-picking: forty to choose from."""
    import medgen_kit as kit

    folder = run.folder("sample")
    clips, frames = kit.read_folder(folder), np.load(folder / "frames.npz")["frames"]
    first = [int(i) for i in np.linspace(0, len(clips) - 1, min(9, len(clips)))]              # the first sheet of the lesson
    return [blind_reading(clips, frames, first, seed), cherry_picking(clips, frames, first, seed)]


def blind_reading(clips, frames, first, seed):
    """The lesson's first sheet, shuffled and without prompts. first: numbers of its clips."""
    order = lots(seed, "blind reading").sample(first, len(first))
    ask = f"<p class='small'>{line('modality', 24)}{line('direction', 22)}</p>"
    pictures = "".join(figure(f"Clip {k}", frames[i], 4, 200, WARNING, below=ask) for k, i in enumerate(order, 1))
    task = (f"{len(order)} generated clips, four frames each, time from left to right. What was asked for? Write how it would have been "
            "taken (ultrasound, CT, endoscope ...) and what moves, and where to. Write a guess rather than nothing.")
    told = [{"clip": k, "prompt": clips[i].brief_caption, "modality": clips[i].factors.get("modality", ""),
             "moves": motion_of(clips[i].factors), "number in the run": i} for k, i in enumerate(order, 1)]
    said = ("<p>The clips of the lesson's first sheet, in another order. One point for the modality, one for the direction; keep the score "
            "for lesson 07.</p>")
    return Game("Blind reading", task, f'<div class="two">{pictures}</div>', said + table(told), GENERATED)


def cherry_picking(clips, frames, first, seed):
    """Forty clips to choose four from, and a rule that was fixed before looking. first: numbers of clips that the other game shows."""
    rest = [i for i in range(len(clips)) if i not in first] or first
    forty = lots(seed, "cherry-picking").sample(rest, min(40, len(rest)))
    small = "".join(figure(str(k), frames[i], 3, 130) for k, i in enumerate(forty, 1))
    every = max(1, len(forty) // 4)
    rule = ", ".join(str(k) for k in range(every, 4 * every + 1, every) if k <= len(forty))
    task = (f"{len(forty)} generated clips, three frames each. Choose the four that you would print in a paper: {line('', 40)} Then look "
            f"at the rule fixed before looking, clips {rule}. What must a paper say about its figure?")
    said = ("<p>Clips of the run that the blind reading does not show, drawn by the seed. A fair sheet shows all, or a number and a rule "
            "fixed before looking.</p>")
    told = table([{"clip": k, "prompt": clips[i].brief_caption} for k, i in enumerate(forty, 1)])
    return Game("Cherry-picking, tried", task, f'<div class="four">{small}</div>', said + told, GENERATED)


def lesson_07(run, seed):
    """Spoil a clip: six versions of one. Who notices?: the table of controls. Agreement by hand: ten made-up pairs of answers."""
    from medgen_kit.evaluate import controls

    folder = run.folder("evaluate")
    drawn = np.load(folder / "real.npz")["frames"]
    prompts = json.loads((run.folder("sample") / "prompts.json").read_text(encoding="utf-8"))
    with (folder / "controls.csv").open(encoding="utf-8") as file:
        seen = list(csv.DictReader(file))
    return [spoiled(drawn, prompts, controls, seed), who_notices(seen, controls.WORDS), kappa(seed)]


def spoiled(drawn, prompts, controls, seed):
    """The game of the six versions. One of the clips that move most is taken: backwards and stills are then there to be seen."""
    rng = lots(seed, "spoil a clip")
    moving = [i for i in range(len(drawn)) if motion_of(prompts[i]["factors"])] or list(range(len(drawn)))
    change = np.abs(np.diff(drawn[moving].astype(float), axis=1)).mean((1, 2, 3, 4))
    number = moving[rng.choice([int(k) for k in np.argsort(-change)[:max(1, len(moving) // 4)]])]
    versions = {"untouched": drawn[number]} | {name: controls.spoil(drawn[[number]], name, seed)[0] for name in controls.CONTROLS}
    letters = dict(zip("ABCDEFGHIJ", rng.sample(list(versions), len(versions))))
    ask = f"<p>{line('What was done?', 120)}</p>"
    pictures = "".join(figure(f"Version {letter}", versions[name], 9, 100, below=ask) for letter, name in letters.items())
    task = (f"One clip, {len(letters)} times, nine frames each, time from left to right. It was drawn for these words: "
            f"<em>{escape(prompts[number]['prompt'])}</em> One version is untouched, the others are spoiled, each in one way. Which, and "
            "how? Then: which metric will notice?")
    told = [{"version": letter, "what was done": controls.WORDS.get(name, name)} for letter, name in letters.items()]
    said = f"<p class='small'>Facts of the clip. {escape(facts(prompts[number]['factors']))}.</p>"
    return Game("Spoil a clip", task, f'<div class="wide">{pictures}</div>', table(told) + said, SIMULATED)


def who_notices(seen, words):
    """The table of controls, empty on the sheet and filled in the key, from the rows of controls.csv."""
    controls, metrics = (list(dict.fromkeys(row[name] for row in seen)) for name in ("control", "metric"))
    verdict = {(row["metric"], row["control"]): row["verdict"] for row in seen}
    heads = {control: words.get(control, control).split(" (")[0] for control in controls}
    full = [{"metric": metric.replace("_", " ")} | {head: verdict.get((metric, control), "") for control, head in heads.items()}
            for metric in metrics]
    empty = [{name: value if name == "metric" else "" for name, value in row.items()} for row in full]
    task = ("Good clips are spoiled in each of these ways. Predict for each metric: + it sees the fault (a lower mark), 0 it is blind, ! "
            "it prefers the spoiled clip. Begin with the column <em>first frame repeated</em>.")
    return Game("Who notices?", task, table(empty, blank=True), table(full, "Measured in this run. sees it: +, blind: 0, prefers it: !"))


def kappa(seed):
    """Cohen's kappa of two invented raters on ten clips, and the interval of 30 of 60."""
    from medgen_kit.evaluate import agreement

    first, second = invented(lots(seed, "kappa"))
    rows = [{"clip": k, "rater 1": a, "rater 2": b} for k, (a, b) in enumerate(zip(first, second), 1)]
    agreed = sum(a == b for a, b in zip(first, second)) / 10
    chance = sum(first.count(word) * second.count(word) for word in ("good", "bad")) / 100
    task = ("Two invented raters (nobody was asked) have judged ten clips. Compute by hand: the share on which they agree; the share on "
            "which they would agree by chance, from how often each says good and bad; and kappa = (agreed - chance) / (1 - chance).")
    ask = "And: 30 of 60 answers prefer the first clip. Half-width of a 95 % interval, 1.96 times the root of p (1 - p) / n:"
    sheet = (f"{table(rows)}<p>{line('agreed')}</p><p>{line('by chance')}</p><p>{line('kappa')}</p>"
             f"<p>{ask} {line('', 30)}</p>")
    half = 1.96 * math.sqrt(0.5 * 0.5 / 60)
    answer = (f"<p>Agreed {agreed:.2f}, by chance {chance:.2f}, kappa {agreement.cohen(first, second):.2f}. 30 of 60: {half:.1%} to each "
              "side.</p>")
    return Game("Agreement by hand", task, sheet, answer)


def invented(rng):
    """Ten answers each of two raters who agree on six to nine and both use both words."""
    words = ("good", "bad")
    while True:
        first = [rng.choice(words) for _ in range(10)]
        second = [one if rng.random() < 0.75 else words[one == "good"] for one in first]
        if 6 <= sum(a == b for a, b in zip(first, second)) <= 9 and {*first} == {*second} == {*words}:
            return first, second


def lesson_09(run, seed):
    """Table 2 of the paper without its totals."""
    from medgen_kit.evaluate import paper

    printed = paper.load(TABLE2).to_dict("records")
    shown = [{name.replace("_", " "): f"{value:.2f}" if isinstance(value, float) else value for name, value in row.items() if name != TOTAL}
             for row in printed]
    totals = [{"model": row["model"], "total as printed": f"{row['printed']:.2f}", "by the formula": f"{row['computed']:.2f}",
               "follows": "yes" if row["follows"] else "NO"} for row in paper.totals().to_dict("records")]
    task = ("Table 2 of the MedGen paper (Med-VBench, percent) without the column of totals. First rank five models by eye: what did you "
            "weigh? Then look for a formula that gives the totals, of which your teacher reads out two. In warping error, less is better.")
    answer = ("<p>(imaging quality + subject consistency + background consistency + motion smoothness + (100 - warping error)) / 6: five "
              "terms, divided by six. Read out two of the printed totals.</p>")
    return [Game("Table 2 without totals", task, table(shown), answer + table(totals))]


def spreadsheet(path):
    """Table 2 without its totals as CSV, for a spreadsheet."""
    from medgen_kit.clip import write_csv
    from medgen_kit.evaluate import paper

    write_csv(path, paper.load(TABLE2).drop(columns=TOTAL).to_dict("records"))


def ethics(run, seed):
    """The cases of the ethics lesson, one a page; the expected points are in the key."""
    from medgen_kit.run import REPOSITORY

    text = (REPOSITORY / "course" / "ethics.md").read_text(encoding="utf-8")
    found = re.findall(r"^\*\*Case (\d+)\.\*\* (.+?)\n\n\*Discuss\.\* (.+?)\n\n\*Expected points\.\* (.+?)\n\n", text, re.M | re.S)
    return [Game(f"Case {number}", plain(case), f"<p><strong>Discuss.</strong> {plain(ask)}</p><p>For:</p>{room()}<p>Against:</p>{room()}",
                 f"<p>{plain(points)}</p>") for number, case, ask, points in found]


def plain(text):
    """A paragraph of Markdown as HTML, links as their words."""
    return rich(" ".join(re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", text).split()))


def room(lines=5):
    return f'<p>{"<span class=rule></span>" * lines}</p>'
