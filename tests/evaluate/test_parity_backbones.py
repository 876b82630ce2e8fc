"""The networks of VBench: names and shapes of the published files, the numbers of the published code on the same made-up weights, real
transformers classes with small random weights, and what is said when weights are missing or wrong.

EXPECTED was written down from the published code of AMT-S, RAFT and MUSIQ with the weights of `rule` and the pictures of `pictures`.
"""

import hashlib
import zipfile

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from medgen_kit.errors import KitError
from medgen_kit.evaluate.backbones import amt, musiq, parity, raft

# network -> (class, its tensors, their numbers, mark of their names and shapes)
NETWORKS = {"amt": (amt.Amt, 213, 2990543, "8b0c4d8791466662"), "raft": (raft.Raft, 179, 5261329, "ab11718027667179"),
            "musiq": (musiq.Musiq, 248, 27125825, "af04be14215fd502")}
EXPECTED = {"amt": [0.559816, 0.512895, 0.514039, 0.481974, 0.523832, 0.229701],                # four pixels, mean, spread
            "raft": [-6.67229, -6.66116, 11.29818, 11.30286, 2.58183, 7.54587], "musiq": [-2.84535, -3.661427, -2.877]}


def rule(state):
    """Weights that are the same on every machine, scaled so that every layer passes something on."""
    made = {}
    for number, (name, tensor) in enumerate(sorted(state.items())):
        noise = torch.tensor(np.random.default_rng(number).random(tensor.numel()) * 2 - 1).float().view(tensor.shape)
        if tensor.ndim > 1:
            made[name] = noise * (1.2 / tensor[0].numel()) ** 0.5 if tensor.shape[0] > 1 else noise
        elif name.endswith("running_var"):
            made[name] = 1 + noise / 2
        elif name.endswith("weight"):
            made[name] = 0.6 + 0.3 * noise
        else:
            made[name] = 0.1 * noise if tensor.ndim else tensor
    return made


def pictures(height, width, shift=2):
    """Two pictures float [1, 3, H, W] in 0..1, smooth, the second moved by `shift` pixels."""
    noise = torch.tensor(np.random.default_rng(7).random((1, 3, height + 8, width + 8))).float()
    smooth = F.avg_pool2d(noise, 5, 1)
    smooth = ((smooth - 0.5) * 3 + 0.5).clamp(0, 1)
    return smooth[..., :height, :width], smooth[..., shift:height + shift, shift:width + shift]


def published(network, folder, name, wrap=False):
    """A file in the layout of the published ones; `wrap` as AMT's trainer writes it, with a learning rate of numpy's."""
    state = rule(network.state_dict())
    made = {"epoch": 299, "state_dict": state, "optim": {"param_groups": [{"lr": np.float64(2e-5)}]}} if wrap else \
        {f"module.{key}": value for key, value in state.items()}
    torch.save(made, folder / name)
    return folder / name


@pytest.mark.parametrize("name", NETWORKS)
def test_names_and_shapes_are_those_of_the_published_weights(name):
    kind, tensors, numbers, mark = NETWORKS[name]
    with torch.device("meta"):
        state = kind().state_dict()
    lines = "".join(f"{key} {list(state[key].shape)}\n" for key in sorted(state))
    assert (len(state), sum(tensor.numel() for tensor in state.values())) == (tensors, numbers)
    assert hashlib.sha256(lines.encode()).hexdigest()[:16] == mark


def test_amt_gives_the_published_midpoint(tmp_path):
    network = parity.amt(str(published(amt.Amt(), tmp_path, "amt-s.pth", wrap=True)))
    first, second = pictures(128, 144)
    middle = network(first, second)
    assert middle.shape == (1, 3, 128, 144) and middle.min() >= 0 and middle.max() <= 1
    assert middle[0, 1, 60:64, 70].tolist() == pytest.approx(EXPECTED["amt"][:4], abs=2e-5)
    assert [middle.mean().item(), middle.std().item()] == pytest.approx(EXPECTED["amt"][4:], abs=2e-5)
    assert torch.equal(network(first, second), middle)
    assert network.name == "AMT-S" and network.weights == hashlib.sha256((tmp_path / "amt-s.pth").read_bytes()).hexdigest()[:16]
    assert parity.amt(str(tmp_path)).weights == network.weights and set(network.versions) == {"torch"}


def test_amt_and_raft_read_small_pictures_and_refuse_tiny_ones(tmp_path):
    networks = {"AMT-S": (parity.amt(str(published(amt.Amt(), tmp_path, "amt-s.pth"))), 1),
                "RAFT": (parity.raft(str(published(raft.Raft(), tmp_path, "raft-things.pth"))), 255)}
    for name, (network, white) in networks.items():
        still = pictures(64, 80)[0] * white
        assert network(still, still).isfinite().all()                   # the published code gives NaN under 128 pixels
        with pytest.raises(KitError, match=f"{name} reads two pictures.*at least 64"):
            network(still[..., :48, :], still[..., :48, :])
        with pytest.raises(KitError, match="multiples"):
            network(still[..., :78], still[..., :78])


def test_raft_gives_the_published_flow(tmp_path):
    network = parity.raft(str(published(raft.Raft(), tmp_path, "raft-things.pth")))
    first, second = pictures(128, 136)
    flow = network(first * 255, second * 255)
    assert flow.shape == (1, 2, 128, 136)
    assert [*flow[0, 0, 60:62, 70].tolist(), *flow[0, 1, 60:62, 70].tolist()] == pytest.approx(EXPECTED["raft"][:4], abs=1e-3)
    assert [flow.mean().item(), flow.std().item()] == pytest.approx(EXPECTED["raft"][4:], abs=1e-3)


def test_musiq_gives_the_published_scores(tmp_path):
    network = parity.musiq(str(published(musiq.Musiq(), tmp_path, "musiq_spaq_ckpt-358bb6af.pth")))
    both = torch.cat(pictures(100, 170))
    scores = network(both)
    assert scores.shape == (2,) and [*scores.tolist(), network(both[:1, :, :33]).item()] == pytest.approx(EXPECTED["musiq"], abs=1e-3)


def test_look_up_reads_the_right_neighbours():
    table = torch.arange(48.0).view(1, 1, 6, 8)
    place = torch.tensor([3.0, 2.0]).view(1, 2, 1, 1)
    assert amt.read_at(table, place, "zeros").item() == pytest.approx(19, abs=1e-4)
    assert amt.read_at(table, place + 0.5, "zeros").item() == pytest.approx(23.5, abs=1e-4)
    assert amt.read_at(table, place + 20, "zeros").item() == 0 and amt.read_at(table, place + 20, "border").item() == 47
    seen = amt.look_up([table], place, radius=1)[0, :, 0, 0].tolist()
    assert seen == pytest.approx([10, 18, 26, 11, 19, 27, 12, 20, 28], abs=1e-4)       # column by column
    features = torch.eye(12).view(1, 12, 3, 4)                                         # each place resembles itself alone
    alike = amt.pyramid(features, features, 2)
    assert torch.allclose(alike[0][:, 0].flatten(1), torch.eye(12) / 12 ** 0.5) and alike[1].shape == (12, 1, 1, 2)


def tiny_dino(folder):
    from transformers import ViTConfig, ViTModel

    torch.manual_seed(0)
    model = ViTModel(ViTConfig(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, image_size=32,
                               patch_size=8, initializer_range=0.2), add_pooling_layer=False)
    torch.nn.init.normal_(model.embeddings.position_embeddings)
    model.save_pretrained(folder)
    return folder


def test_dino_reads_places_as_its_authors_do(tmp_path):
    from transformers import ViTModel

    network = parity.dino(str(tiny_dino(tmp_path)))
    plain = ViTModel.from_pretrained(tmp_path, add_pooling_layer=False).eval()
    square, wide = torch.randn(2, 3, 32, 32), torch.randn(2, 3, 32, 61)
    with torch.no_grad():
        assert torch.allclose(network(square), plain(square).last_hidden_state[:, 0], atol=1e-4)
        gap = (network(wide) - plain(wide, interpolate_pos_encoding=True).last_hidden_state[:, 0]).abs().max()
    assert network(wide).shape == (2, 32) and 1e-3 < gap < 0.5           # (7 + 0.1) / 4 and not 7 / 4
    assert torch.allclose(network(wide), torch.cat([network(one[None]) for one in wide]), atol=1e-5)
    assert network.model.layernorm.eps == 1e-6 and network.name == "DINO ViT-32/8" and set(network.versions) == {"torch", "transformers"}
    assert network.weights == hashlib.sha256((tmp_path / "model.safetensors").read_bytes()).hexdigest()[:16]


def cubic(table, x):
    """A row of numbers read at x with the cubic kernel of a = -0.75."""
    def share(d):
        return (1.25 * d - 2.25) * d * d + 1 if d <= 1 else -0.75 * (((d - 5) * d + 8) * d - 4)
    near = range(int(np.floor(x)) - 1, int(np.floor(x)) + 3)
    return sum(share(abs(x - k)) * table[min(max(k, 0), len(table) - 1)] for k in near)


def test_places_are_scaled_by_a_tenth_of_a_patch_more():
    class Table:
        position_embeddings = torch.cat([torch.zeros(1, 1, 1), torch.arange(14.0).square().repeat(14).view(1, 196, 1)], 1)
        patch_size = 16
    found = parity.dino_places(Table, None, 224, 398)
    assert found.shape == (1, 1 + 14 * 24, 1) and found[0, 0, 0] == 0
    row = [cubic([k * k for k in range(14)], (column + 0.5) * 14 / 24.1 - 0.5) for column in range(24)]
    assert torch.allclose(found[0, 1:, 0].view(14, 24), torch.tensor(row).float().expand(14, -1), atol=1e-3)
    assert parity.dino_places(Table, None, 230, 230) is Table.position_embeddings


def tiny_clip(folder):
    """A CLIP of a few thousand random weights."""
    from transformers import CLIPConfig, CLIPModel

    torch.manual_seed(0)
    small = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    text = small | {"vocab_size": 20, "max_position_embeddings": 8, "bos_token_id": 18, "eos_token_id": 19}
    CLIPModel(CLIPConfig(text_config=text, vision_config=small | {"image_size": 32, "patch_size": 8}, projection_dim=12)
              ).save_pretrained(folder)
    return folder


def test_clip_sees_as_transformers_alone_does(tmp_path):
    from transformers import CLIPModel, CLIPVisionModelWithProjection

    seen, model = torch.randn(3, 3, 32, 32), CLIPModel.from_pretrained(tiny_clip(tmp_path / "whole")).eval()
    network = parity.clip(str(tmp_path / "whole"))
    with torch.no_grad():
        wanted = model.visual_projection(model.vision_model(pixel_values=seen).pooler_output)
    assert network(seen).shape == (3, 12) and torch.allclose(network(seen), wanted, atol=1e-6) and network.name == "CLIP ViT-16/8"
    alone = CLIPVisionModelWithProjection(model.config.vision_config)
    alone.save_pretrained(tmp_path / "alone")
    with torch.no_grad():
        assert torch.allclose(parity.clip_large(str(tmp_path / "alone"))(seen), alone.eval()(seen).image_embeds, atol=1e-6)


def test_an_old_repository_of_the_hub_with_pickled_weights(tmp_path, monkeypatch):
    from huggingface_hub import constants
    from transformers import ViTModel

    model = ViTModel.from_pretrained(tiny_dino(tmp_path / "plain"), add_pooling_layer=False)
    repo, commit = tmp_path / "hub" / "models--someone--dino", "0" * 40
    snapshot = repo / "snapshots" / commit
    snapshot.mkdir(parents=True)
    (repo / "refs").mkdir()
    (repo / "refs" / "main").write_text(commit)
    torch.save(model.state_dict(), snapshot / "pytorch_model.bin")
    (snapshot / "config.json").write_text((tmp_path / "plain" / "config.json").read_text())
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    seen = torch.randn(1, 3, 32, 48)
    assert torch.allclose(parity.dino("someone/dino")(seen), parity.dino(str(tmp_path / "plain"))(seen), atol=1e-6)
    for call, said in ((parity.dino, "DINO ViT-B/16.*350 MB"), (parity.clip, "CLIP ViT-B/32.*600 MB"), (parity.clip_large, "1.7 GB"),
                       (parity.amt, "amt-s.pth.*lalala125/AMT"), (parity.musiq, "musiq_spaq.*110 MB"),
                       (parity.raft, "RAFT.*models.zip"), (parity.aesthetic_head, "LAION-AI/aesthetic-predictor")):
        with pytest.raises(KitError, match=f"{said}.*'light' needs no weights"):
            call()
    with pytest.raises(KitError, match="holds no amt-s.pth"):
        parity.amt("someone/dino")


def test_laions_head_is_the_product_of_its_layers(tmp_path):
    rng, features = np.random.default_rng(0), F.normalize(torch.randn(4, 16), dim=1)
    weight = torch.tensor(rng.normal(size=(1, 16))).float()
    torch.save({"weight": weight, "bias": torch.tensor([5.0])}, tmp_path / "sa_0_4_vit_l_14_linear.pth")
    torch.save({"other": weight}, tmp_path / "amt-s.pth")                                # a folder with all weights in it
    head = parity.aesthetic_head(str(tmp_path))
    assert torch.allclose(head(features), features @ weight[0] + 5, atol=1e-5) and head(features).shape == (4,)
    first, second = torch.tensor(rng.normal(size=(8, 16))).float(), torch.tensor(rng.normal(size=(1, 8))).float()
    torch.save({"layers.0.weight": first, "layers.0.bias": torch.ones(8), "layers.2.weight": second, "layers.2.bias": torch.ones(1)},
               tmp_path / "sac-linearMSE.pth")
    deep = parity.aesthetic_head(str(tmp_path / "sac-linearMSE.pth"))
    assert torch.allclose(deep(features), ((features @ first.T + 1) @ second.T + 1)[:, 0], atol=1e-5) and deep.weights != head.weights
    with pytest.raises(KitError, match="numbers of 16|embeddings of 16 numbers, not of 12"):
        head(torch.randn(2, 12))
    (tmp_path / "sac-linearMSE.pth").rename(tmp_path / "ava-reluMSE.pth")
    with pytest.raises(KitError, match="not one of LAION's linear heads"):
        parity.aesthetic_head(str(tmp_path / "ava-reluMSE.pth"))


def test_files_of_another_network_and_broken_ones_are_refused(tmp_path):
    path = published(amt.Amt(), tmp_path, "amt-s.pth")
    state = torch.load(path)
    for change, said in (({"module.more": torch.ones(1)}, "has, beside its own, 1 tensors, for example more"),
                         ({"module.comb_block.0.bias": torch.ones(3)}, r"comb_block.0.bias has the shape \[3\], not \[18\]")):
        torch.save(state | change, tmp_path / f"{len(said)}.pth")
        with pytest.raises(KitError, match=said):
            parity.amt(str(tmp_path / f"{len(said)}.pth"))
    with pytest.raises(KitError, match="is not RAFT: it lacks"):
        parity.raft(str(path))
    (tmp_path / "page.pth").write_text("<html>not found</html>")
    (tmp_path / "list.pth").touch()
    torch.save([1, 2], tmp_path / "list.pth")
    for name in ("page.pth", "list.pth"):
        with pytest.raises(KitError, match="can not be read as weights"):
            parity.musiq(str(tmp_path / name))


class Trap:
    """What runs code when a file is unpickled."""

    def __reduce__(self):
        return print, ("opened",)


def test_code_in_a_file_is_never_run_and_old_numpy_numbers_are_read(tmp_path, capsys):
    torch.save({"state_dict": {}, "more": Trap()}, tmp_path / "trap.pth")
    with pytest.raises(KitError, match="can not be read as weights"):
        parity.amt(str(tmp_path / "trap.pth"))
    assert "opened" not in capsys.readouterr().out
    torch.save({"state_dict": {"a": torch.ones(2)}, "lr": np.float64(0.1)}, tmp_path / "new.pth")
    with zipfile.ZipFile(tmp_path / "new.pth") as new, zipfile.ZipFile(tmp_path / "old.pth", "w") as old:
        for name in new.namelist():                                      # as numpy 1 wrote it
            old.writestr(name, new.read(name).replace(b"cnumpy._core.multiarray", b"cnumpy.core.multiarray"))
        assert any(b"cnumpy._core.multiarray" in new.read(name) for name in new.namelist())
    assert parity.read_state(tmp_path / "old.pth")["a"].tolist() == parity.read_state(tmp_path / "new.pth")["a"].tolist() == [1, 1]


def test_a_model_of_another_kind_or_with_holes_is_refused(tmp_path):
    from safetensors.torch import load_file, save_file

    tiny_dino(tmp_path / "dino")
    tiny_clip(tmp_path / "clip")
    with pytest.raises(KitError, match="type 'clip', not 'vit'"):
        parity.dino(str(tmp_path / "clip"))
    with pytest.raises(KitError, match="type 'vit', not 'clip'"):
        parity.clip(str(tmp_path / "dino"))
    with pytest.raises(KitError, match="no model in the layout of transformers"):
        parity.clip(str(tmp_path))
    file = tmp_path / "dino" / "model.safetensors"
    state = load_file(file)
    save_file({name: tensor for name, tensor in state.items() if name != "layernorm.weight"}, file, metadata={"format": "pt"})
    with pytest.raises(KitError, match="lacks 1 tensors of ViTModel, for example layernorm.weight"):
        parity.dino(str(tmp_path / "dino"))


def test_shards_have_one_mark(tmp_path):
    from transformers import ViTModel

    model = ViTModel.from_pretrained(tiny_dino(tmp_path / "one"), add_pooling_layer=False)
    model.save_pretrained(tmp_path / "many", max_shard_size="20KB")
    seen = torch.randn(1, 3, 32, 40)
    one, many = parity.dino(str(tmp_path / "one")), parity.dino(str(tmp_path / "many"))
    assert len(parity.weight_files(tmp_path / "many")) > 1 and len(many.weights) == 16 and many.weights != one.weights
    assert torch.allclose(one(seen), many(seen))
