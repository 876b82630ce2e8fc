"""VideoScore: the published names of weights, the head at the last word, the frame rule, the question from its source."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from medgen_kit.errors import KitError
from medgen_kit.evaluate import videoscore
from medgen_kit.evaluate.result import comparable
from medgen_kit.evaluate.videoscore import NAMES, VideoScorer, frame_numbers

TEMPLATE = '\nJudge this clip.\nIt was made from "{text_prompt}",\nand its frames are:\n'
CARD = f'''---
license: mit
---
# A card
```bash
pip install something
```
```python
import av
FIRST = """not the {{one}}"""
QUESTION = """{TEMPLATE}"""
```
More text with {{text_prompt}} outside of any code.
'''
LATENTS = 4
CONFIG = {  # as on the hub, where sub-configurations carry the model's own type and many fields of an old version
    "architectures": ["Idefics2ForSequenceClassification"], "model_type": "idefics2", "image_token_id": 257, "problem_type": "regression",
    "id2label": {str(i): f"LABEL_{i}" for i in range(5)}, "tie_word_embeddings": False, "torch_dtype": "bfloat16",
    "text_config": {"model_type": "mistral", "vocab_size": 259, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 1,
                    "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 2048, "pad_token_id": 0},
    "vision_config": {"model_type": "idefics2", "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1,
                      "num_attention_heads": 2, "image_size": 32, "patch_size": 8},
    "perceiver_config": {"model_type": "idefics2", "hidden_size": 32, "rms_norm_eps": 1e-5, "resampler_n_latents": LATENTS,
                         "resampler_depth": 1, "resampler_n_heads": 2, "resampler_head_dim": 8, "num_key_value_heads": 1}}


def expected_keys():
    """The names in the published index, for one layer of each kind."""
    linear = {"model.vision_model.encoder.layers.0.": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.out_proj",
                                                       "mlp.fc1", "mlp.fc2", "layer_norm1", "layer_norm2"),
              "model.vision_model.": ("embeddings.patch_embedding", "post_layernorm"), "": ("score",)}
    mlp, attention = ("gate_proj", "up_proj", "down_proj"), [f"self_attn.{one}_proj" for one in "qkvo"]
    bare = {"model.text_model.layers.0.": [*attention, *(f"mlp.{one}" for one in mlp), "input_layernorm", "post_attention_layernorm"],
            "model.text_model.": ["embed_tokens", "norm"], "model.vision_model.embeddings.": ["position_embedding"],
            "model.connector.modality_projection.": mlp,
            "model.connector.perceiver_resampler.layers.0.": [*attention, *(f"mlp.{one}" for one in mlp), "input_latents_norm",
                                                              "input_context_norm", "post_attention_layernorm"],
            "model.connector.perceiver_resampler.": ["norm"]}
    names = {f"{start}{one}.{part}" for start, found in linear.items() for one in found for part in ("weight", "bias")}
    names |= {f"{start}{one}.weight" for start, found in bare.items() for one in found}
    return names | {"model.connector.perceiver_resampler.latents"}


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """A folder as the hub has it: two weight files with their index, processor, model card; random weights of a tiny model."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import Idefics2Config, PreTrainedTokenizerFast
    from transformers.models.idefics2.image_processing_pil_idefics2 import Idefics2ImageProcessorPil
    from transformers.models.idefics2.processing_idefics2 import Idefics2Processor

    folder = tmp_path_factory.mktemp("videoscore")
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    inner = Tokenizer(models.BPE(vocab={letter: i for i, letter in enumerate(letters)}, merges=[]))
    inner.pre_tokenizer, inner.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<fake_token_around_image>", "<image>", "<end_of_utterance>"]})
    images = Idefics2ImageProcessorPil(do_image_splitting=False, size={"shortest_edge": 32, "longest_edge": 64})
    Idefics2Processor(images, tokenizer, image_seq_len=LATENTS).save_pretrained(folder)
    (folder / "config.json").write_text(json.dumps(CONFIG))
    (folder / "README.md").write_text(CARD)
    torch.manual_seed(0)
    config = Idefics2Config.from_pretrained(folder)
    state = {name: torch.randn_like(value) * 0.2 for name, value in videoscore.network()(config).state_dict().items()}
    parts = {"model-00001-of-00002.safetensors": sorted(state)[::2], "model-00002-of-00002.safetensors": sorted(state)[1::2]}
    for name, keys in parts.items():
        save_file({key: state[key] for key in keys}, str(folder / name), metadata={"format": "pt"})
    (folder / "model.safetensors.index.json").write_text(json.dumps(
        {"metadata": {}, "weight_map": {key: name for name, keys in parts.items() for key in keys}}))
    return folder


@pytest.fixture(scope="module")
def scorer(hub):
    return VideoScorer.load(hub, device="cpu", dtype="float32")


def clip(frames=5, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (frames, 32, 40, 3), np.uint8)


def copy(hub, folder):
    for file in hub.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    return folder


def test_the_weights_have_the_published_names(hub):
    names = json.loads((hub / "model.safetensors.index.json").read_text())["weight_map"]
    assert set(names) == expected_keys()
    assert videoscore.weight_files(hub)[1] == expected_keys()


def test_scores_are_the_linear_head_at_the_last_token(hub, scorer):
    from transformers import Idefics2Config, Idefics2Model

    state = {name: value for part in sorted(hub.glob("*.safetensors")) for name, value in load_file(str(part)).items()}
    bare = Idefics2Model(Idefics2Config.from_pretrained(hub)).eval()
    bare.load_state_dict({name.removeprefix("model."): value for name, value in state.items() if name.startswith("model.")}, strict=True)
    inputs = scorer.inputs(clip(), "a beating heart")
    with torch.no_grad():
        last = bare(**inputs).last_hidden_state[0, -1]
    by_hand = (state["score.weight"] @ last + state["score.bias"]).tolist()
    found = scorer.score(clip(), "a beating heart")
    assert tuple(found) == NAMES and list(found.values()) == pytest.approx(by_hand, abs=1e-5)
    assert max(abs(a - b) for a, b in zip(found.values(), scorer.score(clip(), "a still lung").values())) > 1e-4
    assert max(abs(a - b) for a, b in zip(found.values(), scorer.score(clip(seed=1), "a beating heart").values())) > 1e-4


def test_a_head_without_bias_is_loaded_and_other_weights_are_refused(hub, tmp_path):
    folder = copy(hub, tmp_path)
    file = next(part for part in folder.glob("*.safetensors") if "score.bias" in load_file(str(part)))
    whole = load_file(str(file))
    index = json.loads((folder / "model.safetensors.index.json").read_text())

    def write(state):
        save_file(state, str(file), metadata={"format": "pt"})
        gone = {name for name in whole if name not in state}
        (folder / "model.safetensors.index.json").write_text(json.dumps(
            {"metadata": {}, "weight_map": {key: name for key, name in index["weight_map"].items() if key not in gone}}))

    write({name: value for name, value in whole.items() if name != "score.bias"})
    assert VideoScorer.load(folder, device="cpu", dtype="float32").model.score.bias is None
    lost = next(name for name in whole if name.startswith("model.text_model"))
    write({name: value for name, value in whole.items() if name != lost})
    with pytest.raises(KitError, match=f"1 tensors .* among them '{lost}'"):
        VideoScorer.load(folder, device="cpu", dtype="float32")
    file.unlink()
    with pytest.raises(KitError, match=f"lacks {file.name}"):
        VideoScorer.load(folder, device="cpu")


def test_weights_without_the_head_are_refused(hub, tmp_path):
    folder = copy(hub, tmp_path)
    (folder / "model.safetensors.index.json").unlink()
    save_file({"model.x": torch.zeros(1)}, str(folder / "model.safetensors"))
    with pytest.raises(KitError, match="no 'score.weight'"):
        VideoScorer.load(folder, device="cpu")


@pytest.mark.parametrize("total", [1, 2, 47, 48])
def test_short_clips_are_shown_whole(total):
    assert frame_numbers(total) == list(range(total))


@pytest.mark.parametrize("total", [49, 50, 95, 97, 100, 127, 240, 300, 1000, 7001])
def test_long_clips_are_shown_at_48_even_places_from_the_first(total):
    assert frame_numbers(total) == [k * total // 48 for k in range(48)]
    assert frame_numbers(total)[0] == 0 and frame_numbers(total)[-1] < total - 1 + (total < 97)


def test_always_48_frames_and_never_more_than_one_off_exact_fractions():
    for total in range(49, 3000):
        found = frame_numbers(total)
        assert len(found) == 48 == len(set(found)) and all(0 <= k * total // 48 - n <= 1 for k, n in enumerate(found))
    assert frame_numbers(208) != [k * 208 // 48 for k in range(48)]        # what the docstring says of the authors' arithmetic


def test_version_1_takes_16_with_both_ends_and_no_frames_are_refused():
    assert frame_numbers(76, "v1") == list(range(0, 76, 5))
    assert frame_numbers(5, "v1") == [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 4]
    with pytest.raises(KitError, match="at least one frame"):
        frame_numbers(0)
    with pytest.raises(KitError, match="v1.1, v1"):
        frame_numbers(5, "v2")


def test_the_question_is_read_from_the_card_letter_for_letter(scorer):
    assert scorer.template == TEMPLATE
    asked = videoscore.question(TEMPLATE, 'the sign "EXIT" and {braces}', 3)
    assert asked == TEMPLATE.replace("{text_prompt}", 'the sign "EXIT" and {braces}') + "<image> <image> <image> "
    shown = scorer.inputs(clip(3), 'the sign "EXIT"')["input_ids"]
    assert (shown == 257).sum() == 3 * LATENTS
    text = scorer.processor.tokenizer.decode(shown[0])
    assert 'made from "the sign "EXIT"",' in text


def test_the_question_is_found_in_scripts_in_broken_code_and_in_plain_files(hub, tmp_path):
    script = tmp_path / "run.py"
    script.write_text(f"x = 1\nASK = '''{TEMPLATE}'''\n")
    broken = f'```python\nfor in:\nASK = """{TEMPLATE}"""\n```\n'
    plain = tmp_path / "question.txt"
    plain.write_text(TEMPLATE)
    assert videoscore.template_of(script) == videoscore.find_template(broken) == videoscore.template_of(plain) == TEMPLATE
    assert videoscore.template_of(hub) == TEMPLATE
    other = CARD + '```python\nQ = """another {text_prompt}"""\n```\n'
    twice = '```\nQ = """{text_prompt} {text_prompt}"""\n```'
    for text, said in (("nothing", "no string"), (other, "2 strings"), (twice, "more than once")):
        with pytest.raises(KitError, match=said):
            videoscore.find_template(text)
    (tmp_path / "empty").mkdir()
    with pytest.raises(KitError, match="template="):
        videoscore.template_of(tmp_path / "empty")


def test_a_prompt_with_a_mark_of_the_model_is_refused(scorer):
    with pytest.raises(KitError, match="'<image>'"):
        scorer.score(clip(), "an <image> of a heart")
    with pytest.raises(KitError, match=r"uint8 \[T, H, W, 3\]"):
        scorer.score(clip().astype(float), "a heart")


def test_questions_longer_than_in_training_are_told_and_longer_than_the_model_refused(scorer, monkeypatch):
    monkeypatch.setattr(videoscore, "TRAINED", 60)
    with pytest.warns(UserWarning, match="more than the 60"):
        scorer.score(clip(), "a heart")
    assert all(one.value is not None and "more than the 60" in one.reason for one in scorer.results(clip(), "a heart"))
    with pytest.raises(KitError, match="the model reads 2048"):
        scorer.score(clip(), "heart " * 400)


def test_results_carry_the_hashes_without_which_they_mean_nothing(hub, scorer, tmp_path):
    results = scorer.results(clip(), "a heart")
    assert [one.name for one in results] == list(NAMES) and not any(one.reason for one in results)
    assert len(results[0].settings["weights"]) == len(results[0].settings["template"]) == 64
    folder = copy(hub, tmp_path)
    (folder / "README.md").write_text(CARD.replace("Judge this", "Rate this"))
    other = VideoScorer.load(folder, device="cpu", dtype="float32")
    with pytest.raises(KitError, match="template"):
        comparable([results[0], other.results(clip(), "a heart")[0]])


def test_many_frames_are_cut_to_48(scorer):
    assert (scorer.inputs(clip(60), "a heart")["input_ids"] == 257).sum() == 48 * LATENTS


def test_a_hub_name_is_fetched_with_its_card_and_loads_alike(hub, scorer, monkeypatch):
    import huggingface_hub

    asked = {}

    def fetched(name, allow_patterns):
        asked.update(name=name, patterns=allow_patterns)
        return str(hub)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fetched)
    again = VideoScorer.load(device="cpu", dtype="float32")
    assert asked["name"] == "TIGER-Lab/VideoScore-v1.1" and "README.md" in asked["patterns"] and "*.safetensors" in asked["patterns"]
    assert again.score(clip(), "a heart") == scorer.score(clip(), "a heart") and again.settings == scorer.settings
