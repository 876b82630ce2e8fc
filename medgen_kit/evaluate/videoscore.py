"""VideoScore (He et al., EMNLP 2024): five human-like scores of a clip from a video-language model with a linear head.

The model is transformers' Idefics2 with a `score` layer that reads the last word's features. Its question must match its training to the
letter, so it is read from the model's own card or repository when the scorer is loaded and stands nowhere in this package.
"""

import ast
import hashlib
import json
import re
import warnings
from functools import lru_cache
from pathlib import Path

import numpy as np

from ..errors import KitError
from .result import MetricResult

HUB = "TIGER-Lab/VideoScore-v1.1"
NAMES = ("visual quality", "temporal consistency", "dynamic degree", "text-to-video alignment", "factual consistency")
FRAMES = {"v1.1": 48, "v1": 16}              # frames that a version was trained on
TRAINED = 4096                               # tokens of the longest question in training
SLOT, MARK = "{text_prompt}", "<image>"
READ_BY_MODEL = ("<image>", "<fake_token_around_image>", "<end_of_utterance>", "<s>", "</s>")
FILES = ("*.json", "*.safetensors", "*.model", "*.jinja", "README.md")


def frame_numbers(total, version="v1.1"):
    """Numbers of the frames that are shown, counted from 0, of a clip with `total` decoded frames.

    v1.1: all up to 48, else floor(k * total / 48) for k = 0..47: the first frame is there, the last never. The step is a float that is
    added up, as in the authors' script, so that a number may be one less than in exact fractions (208 frames: one of 48).
    v1: 16, evenly spread with both ends.
    """
    if version not in FRAMES:
        raise KitError(f"VideoScore has no version '{version}'. Known are: {', '.join(FRAMES)}.")
    if total < 1:
        raise KitError("VideoScore needs at least one frame; this clip has none.")
    most = FRAMES[version]
    if version == "v1":
        return np.linspace(0, total - 1, most).astype(int).tolist()
    return np.arange(0, total, total / most).astype(int).tolist() if total > most else list(range(total))


def find_template(text, kind=".md"):
    """The question with its slot {text_prompt} in a model card (.md), a script (.py) or a plain file (anything else).

    Looked for are string constants with the slot inside the code. KitError when there is none, or when there are several that differ.
    """
    if kind not in (".md", ".py"):
        found = [text] if SLOT in text else []
    else:
        blocks = re.findall(r"(?ms)^[ \t]*(`{3,}|~{3,})[^\n]*\n(.*?)^[ \t]*\1", text) if kind == ".md" else [("", text)]
        found = [one for _, code in blocks for one in strings(code) if SLOT in one]
    found = list(dict.fromkeys(found))
    if len(found) == 1 and found[0].count(SLOT) == 1:
        return found[0]
    wrong = "no string with the slot {text_prompt}" if not found else f"{len(found)} strings with the slot that differ" if found[1:] else \
        "a string with the slot more than once"
    raise KitError(f"the question of VideoScore could not be read: there is {wrong}. Save the question alone as a text file and give it as "
                   "template=.")


def strings(code):
    """The string constants of Python code; where the code does not parse (a card is no script), its triple-quoted strings."""
    try:
        return [node.value for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    except SyntaxError:
        return [one for _, one in re.findall(r"(?s)(\"{3}|'{3})(.*?)\1", code)]


def template_of(place):
    """The question from a file, or from the README.md of a folder (of a checkout: examples/run_videoscore.py)."""
    place = Path(place)
    files = [place] if place.is_file() else [place / "README.md", place / "examples" / "run_videoscore.py"]
    errors = []
    for file in (one for one in files if one.is_file()):
        try:
            return find_template(file.read_text(encoding="utf-8"), file.suffix.lower())
        except KitError as error:
            errors.append(error)
    raise errors[0] if errors else KitError(f"{place} holds no README.md with the question of VideoScore. Copy the model's card there, or "
                                            "give a file with the question as template=.")


def question(template, prompt, frames):
    """The whole text for a prompt and a number of frames: the prompt stands in the slot letter for letter, double quotes too (as in the
    authors' script), then one mark a frame. A prompt with a mark of the model itself is refused."""
    held = next((mark for mark in READ_BY_MODEL if mark in prompt), None)
    if held:
        raise KitError(f"the prompt holds '{held}', which the model reads as a mark of its own. Take it out of the prompt.")
    return template.replace(SLOT, prompt) + f"{MARK} " * (frames - template.count(MARK))


@lru_cache(maxsize=1)
def network():
    """The class: Idefics2 under `model`, the linear head under `score`, as the published weights name them."""
    from torch import nn
    from transformers import Idefics2Model, Idefics2PreTrainedModel

    class VideoScoreModel(Idefics2PreTrainedModel):
        def __init__(self, config, bias=True):
            super().__init__(config)
            self.model = Idefics2Model(config)
            self.score = nn.Linear(config.text_config.hidden_size, len(NAMES), bias=bias)
            self.post_init()

        def forward(self, **inputs):
            """Scores [1, 5] of one question (no padding: the last token is the last word)."""
            return self.score(self.model(**inputs, use_cache=False).last_hidden_state[:, -1])

    return VideoScoreModel


def weight_files(folder):
    """The safetensors files of a folder in order, and the names of the tensors in them; KitError when a file is missing."""
    from safetensors import safe_open

    index = Path(folder) / "model.safetensors.index.json"
    names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())) if index.is_file() else ["model.safetensors"]
    files = [Path(folder) / name for name in names]
    lacking = [file.name for file in files if not file.is_file()]
    if lacking:
        raise KitError(f"{folder} lacks {', '.join(lacking)}. Download the whole repository: hf download {HUB} --local-dir videoscore")
    keys = set()
    for file in files:
        with safe_open(str(file), "pt") as part:
            keys |= set(part.keys())
    return files, keys


def hash_of(files):
    """sha256 over the bytes of several files in order, hex."""
    whole = hashlib.sha256()
    for file in files:
        with open(file, "rb") as stream:
            whole.update(hashlib.file_digest(stream, "sha256").digest())
    return whole.hexdigest()


class VideoScorer:
    """scorer = VideoScorer.load("TIGER-Lab/VideoScore-v1.1"); scorer.score(frames, prompt) -> five numbers of about 1 to 4, unclamped."""

    def __init__(self, model, processor, template, version, weights):
        self.model, self.processor, self.template, self.version = model, processor, template, version
        splits = getattr(processor.image_processor, "do_image_splitting", False)
        from transformers import __version__

        self.settings = {"backbone": "VideoScore " + version, "weights": weights, "frames": f"frame_numbers, version {version}",
                         "resize": "by the model's processor" + (", split in five" if splits else ""),
                         "template": hashlib.sha256(template.encode()).hexdigest(), "dtype": str(model.dtype).removeprefix("torch."),
                         "device": str(model.device), "versions": {"transformers": __version__}}

    @classmethod
    def load(cls, where=HUB, device=None, dtype=None, template=None, version="v1.1"):
        """where: hub name, or a folder with its files. dtype: torch dtype or its name, bfloat16 as published by default (17 GB). template:
        a file or folder with the question, when the folder has no model card. Weights that do not fill the model exactly are refused."""
        import torch
        from transformers import AutoProcessor

        from ..curate.scorers import folder_of
        from ..machine import device as best

        frame_numbers(1, version)
        folder = folder_of(where, FILES)
        asked = template_of(template or folder)
        files, keys = weight_files(folder)
        if "score.weight" not in keys:
            raise KitError(f"{folder} has no 'score.weight': these are not VideoScore's weights with their five-fold head.")
        dtype = getattr(torch, dtype) if isinstance(dtype, str) else dtype or torch.bfloat16
        model, loaded = network().from_pretrained(folder, bias="score.bias" in keys, dtype=dtype, output_loading_info=True)
        wrong = [*loaded["missing_keys"], *map(str, loaded["mismatched_keys"]),
                 *(key for key in loaded["unexpected_keys"] if key != "lm_head.weight")]
        if wrong:
            raise KitError(f"{len(wrong)} tensors of {folder} do not fit Idefics2 with a head of five outputs, among them '{wrong[0]}'. "
                           f"Give the folder of {HUB} as it was downloaded.")
        return cls(model.to(device or best()).eval(), AutoProcessor.from_pretrained(folder), asked, version, hash_of(files))

    def inputs(self, frames, prompt):
        """What the model reads for frames uint8 [T, H, W, 3], T as decoded: token ids [1, L], pictures and masks."""
        from PIL import Image

        frames = np.asarray(frames)
        if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[-1] != 3:
            raise KitError(f"VideoScore reads uint8 [T, H, W, 3], not {frames.dtype} {list(frames.shape)}.")
        shown = [Image.fromarray(frames[i]) for i in frame_numbers(len(frames), self.version)]
        return self.processor(text=question(self.template, prompt, len(shown)), images=shown, return_tensors="pt")

    def measure(self, frames, prompt):
        """(five numbers, tokens of the question). KitError when the question is longer than the model has places for."""
        import torch

        inputs = self.inputs(frames, prompt)
        tokens, places = inputs["input_ids"].shape[1], self.model.config.text_config.max_position_embeddings
        if tokens > places:
            raise KitError(f"the question takes {tokens} tokens (frames and prompt together) and the model reads {places}. Shorten the "
                           "prompt.")
        with torch.inference_mode():
            scores = self.model(**{name: value.to(self.model.device) for name, value in inputs.items()})
        return scores[0].float().tolist(), tokens

    def score(self, frames, prompt):
        """{name: score} of NAMES in order, about 1 (bad) to 4 (as real), unclamped. frames: uint8 [T, H, W, 3], every decoded frame.

        A question of more than 4096 tokens (64 a frame) is longer than any in training: it is scored, with a warning.
        """
        values, tokens = self.measure(frames, prompt)
        if tokens > TRAINED:
            warnings.warn(too_long(tokens), stacklevel=2)
        return dict(zip(NAMES, values))

    def results(self, frames, prompt):
        """The same as five MetricResults; the reason says when the question was longer than in training."""
        values, tokens = self.measure(frames, prompt)
        note = too_long(tokens) if tokens > TRAINED else ""
        return [MetricResult(name, value, note, settings=dict(self.settings)) for name, value in zip(NAMES, values)]


def too_long(tokens):
    return f"the question takes {tokens} tokens, more than the {TRAINED} of VideoScore's training: read this score with care."
