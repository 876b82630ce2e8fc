"""Two folders of videos into a blind study: clips made alike, bad pairs named, and the commands around it."""

import json
from unicodedata import normalize

import numpy as np
import pytest
from typer.testing import CliRunner

from medgen_kit import video
from medgen_kit.cli import typed
from medgen_kit.errors import KitError
from medgen_kit.evaluate import study
from medgen_kit.evaluate.study import making


def films(root):
    """Two folders of unlike videos with two usable pairs."""
    rng = np.random.default_rng(0)
    for side, size, count, fps in (("base", (50, 66), 9, 8), ("tuned", (96, 96), 30, 12)):
        for name in ("one.mp4", "sub/two.mp4"):
            video.write(root / side / name, rng.integers(0, 255, (count, *size, 3), np.uint8), fps, title=f"{side} model")
    (root / "prompts.json").write_text(json.dumps({"one.mp4": "a lung", "sub/two.mp4": "a heart", "else.mp4": "x"}))
    return root / "base", root / "tuned", root / "prompts.json"


def test_two_folders_become_alike(tmp_path):
    base, tuned, prompts = films(tmp_path)
    folder, left_out = study.create(tmp_path / "st", base, tuned, prompts)
    assert left_out == [f"1 of 3 prompts in {prompts} belong to no video of either folder: else.mp4"]
    assert sorted(row["prompt"] for row in study.items_of(folder)) == ["a heart", "a lung"]
    for row in study.items_of(folder):
        one, two = (video.probe(folder / row[side]) for side in ("first", "second"))
        assert (one.width, one.height, one.fps, one.frames, one.codec) == (two.width, two.height, two.fps, two.frames, two.codec)
        assert one.fps == 12 and one.frames == 13        # 9 frames at 8 a second are 1.125 s; nothing is taken from the faster one
    everything = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert not any(word in everything for word in (b"base", b"tuned", b"one.mp4", b"two.mp4"))
    key = making.read_key(folder)
    assert key["names"] == ["base", "tuned"] and {entry["origin"] for entry in key["items"].values()} == {"one.mp4", "sub/two.mp4"}


def test_shapes_are_neither_cropped_nor_squeezed():
    wide, high = np.full((4, 100, 200, 3), 200, np.uint8), np.full((6, 60, 30, 3), 200, np.uint8)
    out = making.alike({"wide": wide, "high": high})
    assert out["wide"].shape == out["high"].shape == (4, 100, 200, 3)
    assert (out["high"][0, 50, :, 0] > 100).sum() == 50 and (out["wide"] == 200).all()
    assert making.alike({"a": np.zeros((1, 1080, 1921, 3), np.uint8), "b": np.zeros((1, 7, 5, 3), np.uint8)})["b"].shape == (1, 480, 854, 3)


def test_pairs_that_can_not_be_shown_are_named_or_left_out(tmp_path):
    base, tuned, prompts = films(tmp_path)
    video.write(base / "alone.mp4", np.zeros((2, 32, 32, 3), np.uint8), 8)
    for side in (base, tuned):
        (side / "broken.mp4").write_bytes(b"no video")
        video.write(side / "silent.mp4", np.zeros((2, 32, 32, 3), np.uint8), 8)
    prompts.write_text(json.dumps({"one.mp4": "a lung", "sub/two.mp4": "a heart", "broken.mp4": "b", "alone.mp4": "a"}))
    with pytest.raises(KitError, match="alone.mp4 is in .*base only.*silent.mp4 has no prompt.*broken.mp4.*--skip-bad"):
        study.create(tmp_path / "st", base, tuned, prompts)
    assert not (tmp_path / "st").exists() and not study.key_path(tmp_path / "st").exists() and not list(tmp_path.glob(".st*"))
    folder, left_out = study.create(tmp_path / "st", base, tuned, prompts, skip_bad=True)
    assert len(left_out) == 3 and len(study.items_of(folder)) == 2
    for side in (base, tuned):
        (side / "moving.gif").write_bytes(b"GIF89a")
    with pytest.raises(KitError, match="moving.gif in .*base is of a kind .*moving.gif in .*tuned is of a kind"):
        study.create(tmp_path / "s2", base, tuned, prompts)
    with pytest.raises(KitError, match="both called 'base'"):
        study.create(tmp_path / "s2", base, base, prompts)
    with pytest.raises(KitError, match="is not a folder"):
        study.create(tmp_path / "s2", base, tmp_path / "none", prompts)


def test_names_match_in_both_spellings_and_hidden_files_are_left_out(tmp_path):
    small = np.zeros((2, 32, 32, 3), np.uint8)
    for side, form in (("base", "NFC"), ("tuned", "NFD")):
        video.write(tmp_path / side / normalize(form, "\u00e9cho.mp4"), small, 8)
    for hidden in ("._x.mp4", ".DS_Store", ".cache/x.mp4", ".y.gif"):
        (tmp_path / "base" / hidden).parent.mkdir(exist_ok=True)
        (tmp_path / "base" / hidden).write_bytes(b"mac")
    prompts = tmp_path / "prompts.json"
    for number, form in enumerate(("NFC", "NFD")):
        prompts.write_text(json.dumps({normalize(form, "\u00e9cho.mp4"): "a heart"}))
        folder, left_out = study.create(tmp_path / f"st{number}", tmp_path / "base", tmp_path / "tuned", prompts)
        assert left_out == [] and [row["prompt"] for row in study.items_of(folder)] == ["a heart"]
    prompts.write_text(json.dumps({normalize(form, "\u00e9cho.mp4"): "a heart" for form in ("NFC", "NFD")}))
    with pytest.raises(KitError, match="twice, in two spellings"):
        study.create(tmp_path / "st2", tmp_path / "base", tmp_path / "tuned", prompts)


def test_a_list_of_vbench_is_refused_by_its_name(tmp_path):
    base, tuned, prompts = films(tmp_path)
    prompts.write_text(json.dumps([{"prompt_en": "a lung", "dimension": [], "video_list": ["base/one.mp4"]}]))
    with pytest.raises(KitError, match="VBench's full_info.json is: only medgen-kit evaluate reads that"):
        study.create(tmp_path / "st", base, tuned, prompts)


def test_the_commands(tmp_path):
    base, tuned, prompts = films(tmp_path)
    run, out = CliRunner().invoke, str(tmp_path / "st")
    made = run(typed, ["study", "create", str(base), str(tuned), "--prompts", str(prompts), "--out", out, "--raters", "2"])
    assert made.exit_code == 0 and "2 pairs in" in made.output and made.output.count("/?rater=") == 2
    assert f"left out: 1 of 3 prompts in {prompts} belong to no video of either folder: else.mp4" in made.output
    assert "2 raters are fewer than the 3 of the paper's warping error" in made.output and "--add 1" in made.output
    shown = run(typed, ["study", "links", out, "--add", "1", "--url", "https://study.example"])
    assert shown.output.count("https://study.example/?rater=") == 3 and "0 of 2 answered" in shown.output
    study.rate(tmp_path / "st", "rater-1", "item 01", dict.fromkeys(study.QUESTIONS, "first")
               | {"distortion first": "No", "distortion second": "No"})
    looked = run(typed, ["study", "export", out, "--keep-open"])
    assert "stays open" in looked.output and "stays open" in run(typed, ["study", "export", out]).output
    assert "is closed" in run(typed, ["study", "export", out, "--close"]).output
    bad = run(typed, ["study", "create", str(base), str(tuned), "--prompts", str(prompts), "--names", "x"])
    assert bad.exit_code == 2 and "two names" in bad.output
