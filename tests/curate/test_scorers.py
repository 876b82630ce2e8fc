"""LAION and DOVER as they come: heads in each layout, a hub's cache, DOVER's views against plain loops, and scorers of one's own."""

import numpy as np
import pandas as pd
import pytest
import torch
from tests.curate.pictures import shot
from tests.curate.test_segment import tiny_clip

from medgen_kit import KitError, video
from medgen_kit.curate import bundle, curate, scorers
from medgen_kit.curate import config as settings


@pytest.fixture
def clip_folder(tmp_path):
    return tiny_clip(tmp_path / "clip")


def by_hand(folder, frames, weight, bias):
    """The score by transformers alone: prepared, embedded, made unit, times the head."""
    from transformers import CLIPModel, CLIPVisionModelWithProjection
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    made = CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})(list(frames), return_tensors="pt")
    kind = CLIPModel if '"clip"' in (folder / "config.json").read_text() else CLIPVisionModelWithProjection
    model = kind.from_pretrained(folder).eval()
    with torch.no_grad():
        seen = model.visual_projection(model.vision_model(pixel_values=made["pixel_values"]).pooler_output)
    return float((seen / seen.norm(dim=-1, keepdim=True)).double().numpy().dot(weight).mean() + bias)


def test_laion_reads_every_linear_head(clip_folder):
    frames, rng = shot(1, 5, (48, 64)), np.random.default_rng(0)
    weight = rng.normal(size=16)
    with pytest.raises(KitError, match="sa_0_4_vit_l_14_linear.pth"):
        scorers.Laion(str(clip_folder))
    wanted = by_hand(clip_folder, frames, weight, 5.0)
    np.savez(clip_folder / "aesthetic_head.npz", weight=weight, bias=np.float32(5))
    assert scorers.Laion(str(clip_folder))(frames) == pytest.approx(wanted, rel=1e-5)
    (clip_folder / "aesthetic_head.npz").unlink()
    torch.save({"weight": torch.tensor(weight)[None], "bias": torch.tensor([5.0])}, clip_folder / "sa_0_4_vit_l_14_linear.pth")
    assert scorers.Laion(str(clip_folder))(frames) == pytest.approx(wanted, rel=1e-5)
    (clip_folder / "sa_0_4_vit_l_14_linear.pth").unlink()
    first, second, third = rng.normal(size=(8, 16)), rng.normal(size=(4, 8)), rng.normal(size=(1, 4))
    layers = {"layers.0.weight": first, "layers.0.bias": np.ones(8), "layers.2.weight": second, "layers.2.bias": np.ones(4),
              "layers.10.weight": third, "layers.10.bias": np.array([2.0])}
    torch.save({name: torch.tensor(value) for name, value in layers.items()}, clip_folder / "sac+logos+ava1-l14-linearMSE.pth")
    deep = by_hand(clip_folder, frames, (third @ second @ first)[0], float((third @ (second @ np.ones(8) + 1))[0] + 2))
    assert scorers.Laion(str(clip_folder))(frames) == pytest.approx(deep, rel=1e-5)
    (clip_folder / "sac+logos+ava1-l14-linearMSE.pth").rename(clip_folder / "ava+logos-l14-reluMSE.pth")
    with pytest.raises(KitError, match="ReLU"):
        scorers.Laion(str(clip_folder))


def test_laion_from_a_hub_repository_with_the_head_inside_the_weights(tmp_path, monkeypatch):
    from huggingface_hub import constants
    from safetensors.torch import load_file, save_file
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    repo, commit, plain = tmp_path / "hub" / "models--someone--aesthetics", "0" * 40, tmp_path / "plain"
    snapshot = repo / "snapshots" / commit
    snapshot.mkdir(parents=True)
    (repo / "refs").mkdir()
    (repo / "refs" / "main").write_text(commit)
    torch.manual_seed(1)
    CLIPVisionModelWithProjection(CLIPVisionConfig(hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
                                                   image_size=32, patch_size=8, projection_dim=12)).save_pretrained(plain)
    weight = np.random.default_rng(1).normal(size=12).astype(np.float32)
    save_file(load_file(str(plain / "model.safetensors")) | {"predictor.weight": torch.tensor(weight)[None],
                                                             "predictor.bias": torch.tensor([4.0])},
              str(snapshot / "model.safetensors"), metadata={"format": "pt"})
    (snapshot / "config.json").write_text((plain / "config.json").read_text())
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    frames = shot(1, 5, (48, 64))
    assert scorers.Laion("someone/aesthetics")(frames) == pytest.approx(by_hand(plain, frames, weight, 4.0), rel=1e-5)
    with pytest.raises(KitError, match="no repository of that name"):
        scorers.Laion("someone/nothing")


def message(*fields):
    """Protocol-buffer bytes of (number, value) fields: int, float, text, or bytes of an inner message."""
    def varint(value):
        out = b""
        while value > 127:
            out, value = out + bytes([value & 127 | 128]), value >> 7
        return out + bytes([value])

    out = b""
    for number, value in fields:
        if isinstance(value, int):
            out += varint(number << 3) + varint(value)
        else:
            value = value.encode() if isinstance(value, str) else value
            out += varint(number << 3 | 2) + varint(len(value)) + value
    return out


def mean_model(path, parts=2, names=("aes_view", "tech_view")):
    """An ONNX file with DOVER's inputs and outputs that answers with the mean of each view's parts."""
    def tensor(name, *shape):
        sizes = [(1, message((1, size))) for size in shape]
        return message((1, name), (2, message((1, message((1, 1), (2, message(*sizes)))))))

    def mean(source, target):
        axes = message((1, "axes"), *[(8, axis) for axis in (1, 2, 3, 4)], (20, 7))
        return message((1, source), (2, target), (4, "ReduceMean"), (5, axes), (5, message((1, "keepdims"), (3, 0), (20, 2))))

    graph = message((1, mean(names[0], "a")), (1, mean(names[1], "t")), (2, "g"), (11, tensor(names[0], 1, 3, 32, 224, 224)),
                    (11, tensor(names[1], parts, 3, 32, 224, 224)), (12, tensor("a", 1)), (12, tensor("t", parts)))
    path.write_bytes(message((1, 7), (7, graph), (8, message((1, ""), (2, 13)))))
    return path


def test_dover_sees_pieces_of_the_frames_that_it_chose(tmp_path):
    frames = shot(3, 300, (300, 420), dx=1)
    path = video.write(tmp_path / "v.mp4", frames, 25)
    found = scorers.Dover(str(mean_model(tmp_path / "dover.onnx", parts=4)))
    row = {"first": 10, "last": 289, "start_s": 0.4, "end_s": 11.6}
    held, = [held for _, held in bundle.bundles(path, [row], 25, (None, found))]
    assert held.kept[0] is None and len(held.kept[1]) == 5 * 32
    decoded, _ = video.read(path)
    technical, whole, marks = np.zeros((4, 3, 32, 224, 224), np.float32), np.zeros((1, 3, 32, 224, 224), np.float32), []
    for part in range(4):                                        # 280 frames: four parts of 70, of which the middle 64 are seen
        for k in range(32):
            marks.append(10 + 70 * part + 3 + 2 * k)
            for i in range(7):
                for j in range(7):
                    y, x = i * (300 // 7) + (300 // 7 - 32) // 2, j * 60 + 14
                    for c in range(3):
                        technical[part, c, k, 32 * i:32 * i + 32, 32 * j:32 * j + 32] = decoded[marks[-1], y:y + 32, x:x + 32, c]
    for k in range(32):
        whole[0, :, k] = video.resize(decoded[10 + int((k + 0.5) * 280 / 32)][None], 224)[0].transpose(2, 0, 1)
    for view in (technical, whole):
        view -= np.float32([123.675, 116.28, 103.53]).reshape(3, 1, 1, 1)
        view /= np.float32([58.395, 57.12, 57.375]).reshape(3, 1, 1, 1)
    assert found.numbers(10, 289)[:128] == marks and found.numbers(10, 289)[128:] == [10 + int((k + 0.5) * 280 / 32) for k in range(32)]
    given, real = {}, found.model
    found.model = type("Watched", (), {"run": lambda self, names, views: given.update(views) or real.run(names, views)})()
    score = found(held.kept[1])
    assert np.allclose(given["tech_view"], technical, atol=1e-4) and np.allclose(given["aes_view"], whole, atol=1e-4)
    assert score == pytest.approx(technical.mean(dtype=float), abs=1e-3)           # the model sums 19 million numbers in float32
    assert max(found.numbers(0, 20)) == 20 and min(found.numbers(0, 20)) == 0           # short clips show their last frame again


def test_dover_enlarges_small_pictures_and_refuses_what_it_is_not(tmp_path):
    assert scorers.pieces(np.zeros((100, 140, 3), np.uint8)).shape == (224, 224, 3)
    with pytest.raises(KitError, match="convert_to_onnx.py"):
        scorers.Dover(str(tmp_path))
    (tmp_path / "broken.onnx").write_bytes(b"no model")
    with pytest.raises(KitError, match="Are the weights whole"):
        scorers.scorer(f"dover:{tmp_path / 'broken.onnx'}")
    with pytest.raises(KitError, match="is not DOVER"):
        scorers.Dover(str(mean_model(tmp_path / "other.onnx", names=("x", "y"))))


def test_scores_reach_the_table_from_worker_processes(tmp_path):
    raw = tmp_path / "raw"
    raw.mkdir()
    for k in range(2):
        video.write(raw / f"{k}.mp4", shot(k, 64, (240, 320), dx=2), 8)
    mean_model(tmp_path / "dover.onnx")
    curate(raw, tmp_path / "out", read_text=False, report=False, workers=2, files_per_shard=1, aesthetic="tests.curate.pictures.light:100",
           technical=f"dover:{tmp_path / 'dover.onnx'}", rules={"min_side": 1, "quality": -1, "aesthetic": 0.0, "technical": -9.0})
    clips = pd.read_parquet(tmp_path / "out" / "clips.parquet")
    assert len(clips) and clips["technical"].between(-3, 3).all() and clips["aesthetic"].between(0, 2.55).all()
    assert clips["aesthetic"].nunique() > 1
    stages = pd.read_parquet(tmp_path / "out" / "stages.parquet")
    assert set(stages.loc[stages["stage"].isin(("aesthetic", "technical")), "verdict"]) == {"pass"}


def test_an_unknown_scorer_is_refused():
    for name in ("taste:weights", "no.such.module:weights", "math.nothing:weights"):
        with pytest.raises(KitError, match="laion"):
            scorers.scorer(name)
    with pytest.raises(KitError, match="names no weights"):
        scorers.scorer("dover")
    assert scorers.scorer("none") is None


def test_what_stands_behind_a_name_belongs_to_the_settings(tmp_path):
    folder = tmp_path / "weights"
    folder.mkdir()
    (folder / "a.onnx").write_bytes(b"one")
    marks = [settings.load(technical=f"dover:{folder}").mark() for _ in range(2)]
    (folder / "a.onnx").write_bytes(b"three")
    marks += [settings.load(technical=f"dover:{folder}").mark(), settings.load(technical="dover:nowhere").mark()]
    assert marks[0] == marks[1] and len(set(marks)) == 3
    assert settings.state_of("tests.curate.pictures:slowly") and settings.state_of("tests.curate.pictures.light:100")
    assert settings.state_of("none") == settings.state_of("colour") == settings.state_of("laion:org/name") == ""
    faces = [settings.load(faces=f"yunet:{folder / 'a.onnx'}").cut_mark()]
    (folder / "a.onnx").write_bytes(b"seven")
    assert settings.load(faces=f"yunet:{folder / 'a.onnx'}").cut_mark() != faces[0]
