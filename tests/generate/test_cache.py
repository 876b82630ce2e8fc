"""The cache: made once, resumed, addressed by content; encoders are opened only when something is missing, and never both at once."""

import numpy as np
import pytest
import torch

from medgen_kit import KitError, video
from medgen_kit.clip import Clip, read_folder, write_folder
from medgen_kit.generate import cache, lean
from medgen_kit.generate.families import FAMILIES
from tests.generate import tiny_families

BUCKETS = [(9, 32, 32), (5, 32, 64)]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tiny_families.make("wan", tmp_path_factory.mktemp("wan"))


@pytest.fixture
def clips(tmp_path):
    """Seven clips: square and wide ones, one too short, one cut off."""
    rng, made = np.random.default_rng(0), []
    shapes = [(12, 48, 48), (12, 48, 48), (9, 40, 48), (6, 40, 80), (12, 48, 48), (3, 48, 48), (12, 48, 48)]
    for k, (frames, height, width) in enumerate(shapes):
        picture = np.repeat(np.repeat(rng.integers(0, 255, (frames, height // 8, width // 8, 3), dtype=np.uint8), 8, 1), 8, 2)
        path = video.write(tmp_path / "clips" / "videos" / f"{k}.mp4", picture, 8)
        made.append(Clip.of(path, video_category="medical imaging", brief_caption=f"clip {k % 5}", source_id=str(k),
                            split="val" if k == 4 else "train"))
    write_folder(tmp_path / "clips", made)
    broken = tmp_path / "clips" / "videos" / "6.mp4"
    broken.write_bytes(broken.read_bytes()[:400])
    return tmp_path / "clips"


class Openers:
    """Functions that open the real tiny pipeline, counted."""

    def __init__(self, home):
        self.pipe, self.opened = tiny_families.load("wan", home), []

    def __iter__(self):
        return iter([lambda: self.open("text"), lambda: self.open("video")])

    def __getitem__(self, k):
        return list(self)[k]

    def open(self, name):
        self.opened.append(name)
        return self.pipe


def make(openers, clips, folder, **more):
    return cache.precompute(openers, more.pop("marks", ("t", "v")), FAMILIES["wan"](), clips, folder, BUCKETS, say=lambda _: None, **more)


def test_clips_go_into_buckets_and_what_cannot_be_used_is_named(home, clips, tmp_path):
    store = make(Openers(home), clips, tmp_path / "cache")
    assert {row["file"]: tuple(row["bucket"]) for row in store.rows} == {
        "0.mp4": (9, 32, 32), "1.mp4": (9, 32, 32), "2.mp4": (9, 32, 32), "3.mp4": (5, 32, 64), "4.mp4": (9, 32, 32)}
    assert len(store.index["problems"]) == 2
    assert "5.mp4" in store.index["problems"][0] and "fewer than the 5 of the smallest bucket" in store.index["problems"][0]
    assert "6.mp4" in store.index["problems"][1]
    assert [len(rows) for rows in store.split("train")] == [1, 3] and [len(rows) for rows in store.split("val")] == [1]
    assert store.latent(store.rows[0]).shape == (16, 3, 4, 4) and store.latent(store.rows[3]).shape == (16, 2, 4, 8)


def test_frames_are_picked_by_time():
    """24 frames a second become 16: every 1.5th frame, from the middle; a slow clip is read frame by frame."""
    family = FAMILIES["wan"]()
    numbers = family.pick(48, 9, 1.5)
    assert len(numbers) == 9 and numbers[0] > 10 and numbers[-1] < 47 and abs((numbers[-1] - numbers[0]) / 8 - 1.5) < 0.1
    assert family.pick(12, 9, 1.0) == list(range(1, 10)) and max(family.pick(13, 9, 1.5)) <= 12
    assert all(b > a for a, b in zip(numbers, numbers[1:]))


def test_what_is_stored_is_what_the_encoders_say(home, clips, tmp_path):
    openers, family = Openers(home), FAMILIES["wan"]()
    store = make(openers, clips, tmp_path / "cache")
    frames = cache.cover(video.read(clips / "videos" / "0.mp4", indices=range(1, 10))[0], 32, 32)
    with torch.no_grad():
        assert torch.allclose(store.latent(store.rows[0]), family.encode_video(openers.pipe, frames[None])[0], atol=1e-6)
        whole, _ = openers.pipe.encode_prompt("clip 0", do_classifier_free_guidance=False, max_sequence_length=512)
    text = store.text(store.rows[0])
    assert len(text["embeds"]) < 20, "as long as the caption, not padded"
    assert torch.allclose(family.stack([text])["embeds"], whole, atol=1e-6)
    half = make(openers, clips, tmp_path / "half", dtype=torch.float16)
    assert half.latents.get(half.rows[0]["latents"])["latents"].dtype == torch.float16


def test_a_second_run_opens_nothing_and_a_new_caption_costs_only_itself(home, clips, tmp_path):
    openers = Openers(home)
    first = make(openers, clips, tmp_path / "cache")
    assert openers.opened == ["text", "video"]
    assert make(openers, clips, tmp_path / "cache").index == first.index and openers.opened == ["text", "video"]
    shards = set((tmp_path / "cache").rglob("*.safetensors"))
    known = read_folder(clips)
    known[0].brief_caption = "another caption"
    write_folder(clips, known)
    again = make(openers, clips, tmp_path / "cache")
    assert openers.opened == ["text", "video", "text"], "no clip is encoded again"
    assert len(set((tmp_path / "cache").rglob("*.safetensors")) - shards) == 1
    assert again.rows[0]["text"] != first.rows[0]["text"] and again.rows[0]["latents"] == first.rows[0]["latents"]
    make(openers, clips, tmp_path / "cache", marks=("t", "another VAE"))
    assert openers.opened[3:] == ["video"], "another encoder's latents are never taken"
    assert len({row["text"] for row in first.rows}) == 5 and first.rows[0]["text"] != first.nothing


def test_an_interrupted_pass_goes_on(home, clips, tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "SHARD", 1)
    openers, count = Openers(home), []
    real = FAMILIES["wan"].encode_video

    def interrupted(self, pipe, frames):
        count.append(1)
        if len(count) == 3:
            raise KeyboardInterrupt
        return real(self, pipe, frames)

    monkeypatch.setattr(FAMILIES["wan"], "encode_video", interrupted)
    with pytest.raises(KeyboardInterrupt):
        make(openers, clips, tmp_path / "cache")
    with pytest.raises(KitError, match="no index.json"):
        cache.Cache(tmp_path / "cache")
    store = make(openers, clips, tmp_path / "cache")
    assert len(count) == 3 + 3 and len(store.rows) == 5, "two of five stood already"
    monkeypatch.undo()
    straight = make(Openers(home), clips, tmp_path / "straight")
    assert straight.rows == store.rows
    assert all(torch.equal(straight.latent(row), store.latent(row)) for row in store.rows)


def test_a_broken_shard_and_sizes_that_cannot_be_are_refused(home, clips, tmp_path):
    make(Openers(home), clips, tmp_path / "cache")
    shard = next((tmp_path / "cache" / "latents").glob("*.safetensors"))
    shard.write_bytes(shard.read_bytes()[:100])
    with pytest.raises(KitError, match="Remove that file and run the same again"):
        make(Openers(home), clips, tmp_path / "cache")
    with pytest.raises(KitError, match="8 frames are not possible"):
        cache.precompute(Openers(home), ("t", "v"), FAMILIES["wan"](), clips, tmp_path / "x", [(8, 32, 32)])
    with pytest.raises(KitError, match="not one of the 7 clips can be used"):
        cache.precompute(Openers(home), ("t", "v"), FAMILIES["wan"](), clips, tmp_path / "x", [(17, 32, 32)], say=lambda _: None)


def test_captions_read_layer_by_layer_in_another_process_are_the_same(home, tmp_path):
    """20 kB of memory: nearly every layer of the tiny text encoder waits on the disk until its turn."""
    family, prompts = FAMILIES["wan"](), ["a beating heart", "", "an endoscope in the colon"]
    openers = Openers(home)
    plain = cache.encode_texts(openers[0], "t", family, prompts, tmp_path / "plain", torch.float32)
    apart, peak = lean.encode_apart(str(home), "t", family, prompts, tmp_path / "apart", torch.float32, memory="20KB")
    assert plain == apart and peak > 0
    one, other = cache.Pool(tmp_path / "plain" / "texts"), cache.Pool(tmp_path / "apart" / "texts")
    for key in plain.values():
        assert torch.equal(one.get(key)["embeds"], other.get(key)["embeds"])
    with pytest.raises(KitError, match="no folder|not there|is no"):
        lean.encode_apart(str(home / "nothing"), "t", family, prompts, tmp_path / "x", torch.float32)


def test_layers_really_wait_on_the_disk(home, tmp_path):
    pipe = lean.open_text_parts(str(home), torch.float32, "20KB", str(tmp_path))
    waiting = [name for name, p in pipe.text_encoder.named_parameters() if p.device.type == "meta"]
    assert len(waiting) > 5 and pipe.transformer is None and pipe.vae is None
