"""Handouts: the key agrees with the sheet, no sheet tells an answer, the seed decides, what is missing is said."""

import base64
import csv
import html
import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from course.tools import handout_clips, handout_court, handout_page, handout_tables, handouts, quiz
from medgen_kit import align, generate, sources, video
from medgen_kit.clip import Clip, write_csv, write_folder, write_text
from medgen_kit.errors import KitError
from medgen_kit.run import Run

COLUMNS = ("medical", "border", "words", "aesthetic", "technical", "q_technical", "change", "duplicate_bits")
STAGES = ("taste", "sources", "raw", "curate", "caption", "align", "generate", "sample", "evaluate")


def films(folder, count, source, named=True):
    """`count` simulated clips of as many modalities as there are, as a VideoFolder; (clips, frames)."""
    kinds, rng = {}, np.random.default_rng(0)
    for flat in sources.combinations():
        kinds.setdefault(flat["modality"], []).append(flat)
    flats = [kinds[kind][k] for k in range(-(-count // len(kinds))) for kind in kinds][:count]
    frames, clips = sources.render(flats, seed=0, size=32), []
    for number, (flat, film) in enumerate(zip(flats, frames)):
        path = folder / "videos" / f"{number}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        video.write(path, film, 8, synthetic=True)
        brief, detailed = sources.describe(flat, rng)
        clips.append(Clip.of(path, video_category=sources.category(flat["modality"]), brief_caption=brief, source=source, factors=flat,
                             detailed_caption=detailed if named else "", licence="CC BY 4.0", split="test"))
    write_folder(folder, clips)
    return clips, frames


def curated(folder, shots):
    """A table of candidates as curation writes it: one row a shot, and who removed it."""
    import pandas as pd

    rows = []
    for k, (shot, rule) in enumerate(shots):
        row = {"clip_id": f"id{k}", "file_name": f"clip_{k}.mp4", "upload": "up.mp4", "first": shot["start"], "last": shot["end"],
               "steps": 6, "side": 480, "start_s": shot["start"] / 8, "end_s": (shot["end"] + 1) / 8, "fps": 8.0, "removed_by": rule,
               "duplicate_of": "id0" if rule == "duplicate" else ""}
        rows.append(row | dict.fromkeys(COLUMNS, np.nan) | {"medical": 0.9, "words": 30.0 if rule == "subtitles" else 0.0})
    folder.mkdir()
    pd.DataFrame(rows).to_parquet(folder / "clips.parquet")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A small run by hand: real simulators, made-up decisions, an untrained tokenizer."""
    root = tmp_path_factory.mktemp("runs") / "tiny"
    clips, frames = films(root / "caption", 24, "simulated: kind")
    films(root / "sources", 16, "simulated: kind")
    sampled, drawn = films(root / "sample", 20, "MedGen-tiny", named=False)
    asked = [{"prompt": clip.brief_caption, "factors": clip.factors, "unseen": False} for clip in sampled]
    write_text(root / "sample" / "prompts.json", json.dumps(asked))
    np.savez(root / "sample" / "frames.npz", frames=drawn)
    for stage in ("taste", "raw", "align", "evaluate", "generate"):
        (root / stage).mkdir()
    np.savez(root / "taste" / "frames.npz", frames=frames[:4])
    write_text(root / "taste" / "prompts.json", json.dumps([f"taste prompt {k}" for k in range(4)]))
    np.savez(root / "evaluate" / "real.npz", frames=drawn)
    write_csv(root / "evaluate" / "controls.csv", [{"control": c, "metric": m, "real": 1, "spoiled": 0, "verdict": v} for c, m, v in (
        ("still", "motion_smoothness", "prefers it"), ("blurred", "motion_smoothness", "blind"), ("still", "sharpness", "sees it"),
        ("blurred", "sharpness", "sees it"))])
    align.ClipData(frames, [{"split": "train", "source": "simulated: kind"} for _ in frames]).save(root / "align")
    tokenizer = generate.EigenframeTokenizer.fit(frames, 16)
    tokenizer.save_pretrained(str(root / "generate" / "pipeline" / "vae"))
    kinds = [("medical", [], ""), ("medical", [], "duplicate"), ("medical", ["subtitles"], "subtitles"), ("medical", ["blur"], "subtitles"),
             ("b-roll", [], "not medical"), ("medical", [], "too short"), ("medical", ["blur"], "quality"), ("medical", [], "")]
    shots = [{"start": 9 * k, "end": 9 * k + 8, "kind": kind, "defects": defects} for k, (kind, defects, _) in enumerate(kinds)]
    video.write(root / "raw" / "up.mp4", np.concatenate([np.repeat(np.repeat(film, 2, 1), 2, 2) for film in frames[:8]]), 8)
    write_text(root / "raw" / "truth.json", json.dumps({"up.mp4": {"shots": shots}}))
    curated(root / "curate", [(shot, rule) for shot, (_, _, rule) in zip(shots, kinds)])
    for stage in STAGES:
        write_text(root / stage / "manifest.json", json.dumps({"profile": "smoke", "seed": 3, "version": "0", "settings": {"curate": {}}}))
    return root


@pytest.fixture(scope="module")
def pages(made, tmp_path_factory):
    """{file name: text} of all handouts with seed 1."""
    out = tmp_path_factory.mktemp("out")
    handouts.write(out, list(handouts.LESSONS), Run(made, None), seed=1)
    return {path.name: path.read_text(encoding="utf-8") for path in out.iterdir()}


def words(page):
    """What a student can read or hear of a page: its text and alt texts, in lower case."""
    page = re.sub(r"<style>.*?</style>", "", page, flags=re.S)
    alts = " ".join(re.findall(r'alt="([^"]*)"', page))
    return html.unescape(re.sub(r"<[^>]+>", " ", page) + " " + alts).lower()


def rows(page, game=""):
    """The first table after the heading of a game, as dicts."""
    part = page[page.index(f"<h2>{html.escape(game)}</h2>"):] if game else page
    body = re.search(r"<table.*?</table>", part, re.S)[0]
    heads = re.findall(r"<th [^>]*>(.*?)</th>", body)
    return [dict(zip(heads, map(html.unescape, re.findall(r"<td>(.*?)</td>", row)))) for row in re.findall(r"<tr>(<td>.*?)</tr>", body)]


def pictures(page, name):
    """The picture under a name, as pixels."""
    data = re.search(rf"<strong>{name}</strong>.*?base64,([^\"]+)", page, re.S)[1]
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))).astype(int)


def same(page, name, frames, count, width=200):
    """True when the picture under `name` is the strip of these frames."""
    data = handout_page.strip(frames, count, width).split(",")[1]
    wanted, seen = np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))).astype(int), pictures(page, name)
    return seen.shape == wanted.shape and bool((seen == wanted).all())


def test_every_lesson_has_a_sheet_and_a_key_and_stands_in_the_index(pages):
    for name, lesson in handouts.LESSONS.items():
        for kind in ("sheet", "key"):
            assert f'href="{name}.{kind}.html"' in pages["index.html"]
            assert html.escape(handouts.title_of(lesson.plan)) in pages[f"{name}.{kind}.html"]
    for name, page in pages.items():
        if name.endswith(".html"):
            assert "http" not in page and "nan" not in words(page).split()
            assert len(re.findall("<img ", page)) == len(re.findall('<img alt="[^"]+"', page)), name


def test_no_sheet_tells_an_answer(pages, made):
    asked = [row["prompt"] for row in json.loads((made / "sample" / "prompts.json").read_text())]
    kinds = {flat["modality"] for flat in sources.combinations()}
    for name in ("00", "01", "02", "03", "06"):
        seen = words(pages[f"{name}.sheet.html"].split("Ten captions of one clip")[0])
        assert not any(text.lower() in seen for text in asked), name
        assert not re.search(r"taste prompt|pydicom|upload|up\.mp4|rightly|wrongly", seen), name
    for row in rows(pages["01.key.html"], "Name that clip"):
        assert row["what it shows"] and row["what it shows"].lower() not in words(pages["01.sheet.html"])
    for name in ("02", "06"):
        assert not set(words(pages[f"{name}.sheet.html"]).replace(",", " ").split()) & (kinds - {"ctmr"}), name
    court = words(pages["02.sheet.html"])
    for rule in ("not medical", "too short", "subtitles", "duplicate", "blur", "b-roll"):
        assert rule not in court, rule
    assert "untouched" not in words(pages["07.sheet.html"]).replace("one version is untouched", "")
    assert "70.93" not in pages["09.sheet.html"] + pages["09.table2.csv"] and "70.93" in pages["09.key.html"]
    assert "expected" not in words(pages["ethics.sheet.html"])


def test_alt_texts_name_the_clip_and_the_number_of_frames_only(pages):
    name_of = (r"Clip ([A-D]|\d+)(, how it goes on|, noise on the (pixels|numbers that the network sees))?|Version [A-F]|\d+|The real film|"
               "The most similar clip of the collection, beside clip [A-D]")
    for name, page in pages.items():
        for alt in re.findall(r'alt="([^"]*)"', page):
            assert re.fullmatch(rf"({name_of}): \d frames (in order of time|from clip to noise)\.", alt), (name, alt)


def test_generated_and_simulated_pictures_say_so(pages):
    for name in ("00", "01", "06"):
        assert "SYNTHETIC" in pages[f"{name}.sheet.html"] and "never for clinical use" in pages[f"{name}.sheet.html"]
    for name in ("02", "03", "04", "05", "07"):
        assert handout_page.SIMULATED in pages[f"{name}.sheet.html"]


def test_the_real_film_is_the_one_that_the_key_names_and_has_the_size_of_the_others(pages, made):
    told = {row["clip"]: row for row in rows(pages["00.key.html"], "Real or drawn?")}
    assert sorted(row["which"] for row in told.values()) == ["generated", "generated", "real"]
    echo, drawn = handout_clips.real_echo(), np.load(made / "taste" / "frames.npz")["frames"]
    small = video.resize(echo[video.sample_indices(len(echo), 9)], (32, 32))
    for letter, row in told.items():
        number = row["what it is, or what was asked"][-1]
        assert same(pages["00.sheet.html"], f"Clip {letter}", small if row["which"] == "real" else drawn[int(number)], 4)


def test_blind_reading_shows_the_clips_that_the_key_names(pages, made):
    frames = np.load(made / "sample" / "frames.npz")["frames"]
    asked = json.loads((made / "sample" / "prompts.json").read_text())
    told = rows(pages["06.key.html"], "Blind reading")
    assert len(told) == 9
    for row in told:
        number = int(row["number in the run"])
        assert row["prompt"] == asked[number]["prompt"] and row["modality"] == asked[number]["factors"]["modality"]
        wanted = handout_page.strip(frames[number], 4, 200, handout_tables.WARNING)
        assert wanted in pages["06.sheet.html"].split(f"<strong>Clip {row['clip']}</strong>")[1].split("</figure>")[0]


def test_captions_and_clips_match_as_the_key_says(pages, made):
    import medgen_kit as kit

    clips = {clip.brief_caption: clip for clip in kit.read_folder(made / "caption")}
    listed = [html.unescape(text) for text in re.findall(r"<li>(.*?)</li>", pages["04.sheet.html"])]
    told = rows(pages["04.key.html"], "Eight clips, eight captions")
    assert len(told) == len(listed) == 8 and sorted(row["caption"] for row in told) == list("ABCDEFGH")
    for row in told:
        assert listed["ABCDEFGH".index(row["caption"])] == row["text"]
        assert same(pages["04.sheet.html"], f"Clip {row['clip']}", clips[row["text"]].frames(9), 4)
    kinds = [clips[row["text"]].factors["modality"] for row in told]
    assert all(kinds.count(kind) == 2 for kind in kinds)


def test_the_court_has_two_and_two_and_the_key_follows_the_truth(pages):
    told = rows(pages["02.key.html"], "Court")
    assert sorted(row["verdict"] for row in told) == ["rightly removed"] * 2 + ["wrongly removed"] * 2
    assert {row["removed by"] for row in told if row["verdict"] == "wrongly removed"} == {"duplicate", "too short"}
    votes = rows(pages["02.key.html"], "Be the filter")
    assert {row["the kit"] for row in votes} >= {"kept"} and len(votes) == 4
    assert any("another one" in row["planted truth"] for row in [*told, *votes])


def test_a_court_is_shuffled_and_says_when_nothing_was_removed_wrongly():
    right = [{"clip_id": str(k), "removed_by": "quality", "verdict": "right"} for k in range(6)]
    found = handout_court.court(right, handout_page.lots(0, "x"))
    both = [*right[:2], *({**row, "clip_id": f"w{row['clip_id']}", "verdict": "wrong"} for row in right[:2])]
    orders = {tuple(row["verdict"] for row in handout_court.court(both, handout_page.lots(seed, "x"))) for seed in range(20)}
    assert len(orders) > 2 and all(sorted(order) == ["right", "right", "wrong", "wrong"] for order in orders)
    assert len(found) == 4 and "the truth calls 6 removals right and 0 wrong" in handout_court.verdicts(found, right)


def test_pixels_by_hand_lie_on_the_line(pages):
    told = rows(pages["05.key.html"], "From clip to noise")
    assert len(told) == 4
    for row in told:
        x0, eps, half = (float(row[name]) for name in ("clip x0", "noise eps", "x at s = 0.5"))
        assert float(row["x at s = 0"]) == x0 and float(row["x at s = 1"]) == eps
        assert half == pytest.approx((x0 + eps) / 2, abs=0.006) and float(row["velocity"]) == pytest.approx(eps - x0, abs=0.051)
    blank = rows(pages["05.sheet.html"])
    assert [row["pixel"] for row in blank] == [row["pixel"] for row in told] and not any(row["velocity"] for row in blank)


def test_the_spoiled_versions_are_what_the_key_says(pages):
    told = {row["what was done"]: row["version"] for row in rows(pages["07.key.html"], "Spoil a clip")}
    page = pages["07.sheet.html"]
    film = pictures(page, f"Version {told['untouched']}")
    still = pictures(page, f"Version {told['first frame repeated']}")
    back = pictures(page, f"Version {told['played backwards']}")
    tiles = [slice(k * 104, k * 104 + 100) for k in range(9)]
    assert len(told) == 6 and np.abs(still[:, tiles[0]] - still[:, tiles[8]]).mean() < 3
    assert np.abs(film[:, tiles[0]] - film[:, tiles[8]]).mean() > 3
    assert all(np.abs(film[:, tiles[k]] - back[:, tiles[8 - k]]).mean() < 3 for k in range(9))
    measured = rows(pages["07.key.html"], "Who notices?")
    assert measured[0] == {"metric": "motion smoothness", "first frame repeated": "prefers it", "blurred": "blind"}


def test_kappa_of_the_key_is_that_of_the_sheet(pages):
    given = rows(pages["07.sheet.html"][pages["07.sheet.html"].index("Agreement by hand"):])
    first, second = ([row[name] for row in given] for name in ("rater 1", "rater 2"))
    agreed = np.mean([a == b for a, b in zip(first, second)])
    chance = sum(first.count(word) * second.count(word) for word in ("good", "bad")) / 100
    assert f"kappa {(agreed - chance) / (1 - chance):.2f}" in pages["07.key.html"] and "12.7%" in pages["07.key.html"]


def test_table_2_is_whole_but_for_its_totals(pages):
    table = list(csv.DictReader(pages["09.table2.csv"].splitlines()))
    assert len(table) == len(rows(pages["09.sheet.html"])) == len(rows(pages["09.key.html"])) >= 19 and "total" not in table[0]


def test_all_seven_cases_are_there_with_their_points_in_the_key(pages):
    assert re.findall(r"<h1>Case (\d)</h1>", pages["ethics.sheet.html"]) == list("1234567")
    assert re.findall(r"<h2>Case (\d)</h2><p>\w", pages["ethics.key.html"]) == list("1234567")
    assert "*" not in words(pages["ethics.sheet.html"])


def test_the_seed_decides(pages, made, tmp_path):
    run = Run(made, None)
    handouts.write(tmp_path / "again", ["02", "05", "06"], run, seed=1)
    handouts.write(tmp_path / "other", ["02", "05", "06"], run, seed=2)
    for name in ("02.sheet.html", "02.key.html", "05.sheet.html", "06.sheet.html", "06.key.html"):
        assert (tmp_path / "again" / name).read_text(encoding="utf-8") == pages[name]
        assert (tmp_path / "other" / name).read_text(encoding="utf-8") != pages[name]


def test_a_missing_stage_is_named_with_the_command(made, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(handouts, "runs_root", lambda: made.parent)
    (made / "sample" / "manifest.json").rename(made / "sample" / "gone")
    try:
        assert handouts.main(["06", "--run", "tiny", "--out", str(tmp_path / "out")]) == 1
    finally:
        (made / "sample" / "gone").rename(made / "sample" / "manifest.json")
    said = capsys.readouterr().out
    assert "no stage sample" in said and "make course NAME=tiny PROFILE=smoke SEED=3" in said and "need sample --run tiny" in said
    assert "00 01 02 03 04 05 09 ethics" in said and not (tmp_path / "out").exists()
    with pytest.raises(KitError, match="no stage taste"):
        handouts.opened("nobody", ["00"])
    assert not (made.parent / "nobody").exists()
    assert handouts.main(["8"]) == 1 and "there is no handout for '8'" in capsys.readouterr().out


def test_the_command_writes_what_it_says(made, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(handouts, "runs_root", lambda: made.parent)
    assert handouts.main(["09", "ethics", "--run", "nobody", "--out", str(tmp_path)]) == 0
    assert "handouts for 2 lessons" in capsys.readouterr().out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["09.key.html", "09.sheet.html", "09.table2.csv", "ethics.key.html",
                                                               "ethics.sheet.html", "index.html"]


def test_texts_are_escaped():
    page = handout_page.sheet("a & b", [handout_page.Game("<b>", "task", handout_page.table([{"x<": "<script>"}]), "")], 0)
    assert "<script>" not in page and "&lt;script&gt;" in page and "a &amp; b" in page and "<h1>&lt;b&gt;</h1>" in page
    assert handout_tables.plain("[a](b.md) *c*") == "a <em>c</em>" == quiz.rich("a *c*")
