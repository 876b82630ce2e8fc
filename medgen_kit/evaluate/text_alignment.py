"""CLIPScore that survives long captions: text and frames as vectors, and no word of the caption lost.

CLIPScore (Hessel et al., EMNLP 2021) here is 100 * max(0, cos), mean over frames. A CLIP text tower reads 77 tokens, and every prompt of
the paper is longer: a plain cut scores its first sentences only, and a cut that loses the end token scores no word at all, because the
tower reads its answer at that token. So a long caption is split into parts that fit, each with its end token.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .. import video
from ..caption.prompts import split_sentences
from ..errors import KitError
from .result import MetricResult

NAME = "clip_score"


@dataclass
class TextScore(MetricResult):
    """A MetricResult with `lost`, the share of the caption's tokens that a plain cut at the limit would have lost (0..1), and `parts`, the
    number of parts that were read."""

    lost: float = 0.0
    parts: int = 1


class Towers(NamedTuple):
    """Two encoders of one space, in the order in which `clip_score` takes them.

    image_encoder(frames uint8 [T, H, W, 3]) -> [N, D], a vector a frame, or [D] for the whole clip. text_encoder(list of texts) -> [M, D].
    tokenizer(text) -> token ids with the marks at both ends, uncut (or a dict with "input_ids"). limit: tokens that the text tower reads.
    count: frames that are sampled, None for all. settings: what the result's settings say of the networks.
    """

    image_encoder: object
    text_encoder: object
    tokenizer: object
    limit: int = 77
    count: int | None = 8
    settings: dict = {}


def clip_score(frames, prompt, image_encoder, text_encoder, tokenizer, limit=77, count=8, settings=None):
    """A `TextScore` of frames uint8 [T, H, W, 3] and their prompt, 0..100; arguments after the prompt as in `Towers`.

    A caption that fits is read as it is: the plain CLIPScore. A longer one is read sentence by sentence, a sentence that is still too long
    in windows that end at word borders; the parts' scores are averaged with their tokens as weights.
    clip_score(frames, prompt, *from_clip(folder)) or *tower(align_folder).
    """
    if not isinstance(prompt, str):
        raise KitError(f"clip_score reads the text of a prompt, not {prompt!r}. Leave a clip without a prompt out, or give '' for a result "
                       "that says so.")
    frames = np.asarray(frames)
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[-1] != 3:
        raise KitError(f"clip_score reads uint8 [T, H, W, 3], not {frames.dtype} {list(frames.shape)}. video.read(path)[0] gives them.")
    said = dict(settings or {}) | {"text": f"parts of at most {limit} tokens", "frames": "all" if count is None else f"{count} at centres"}
    if not prompt.strip() or not len(frames):
        return TextScore(NAME, None, "the prompt is empty" if len(frames) else "the clip has no frames", settings=said)
    parts = split(prompt, tokenizer, limit)
    shown = frames if count is None else frames[video.sample_indices(len(frames), count)]
    seen, read = unit(image_encoder(shown)), unit(text_encoder([text for text, _ in parts]))
    if seen.shape[1] != read.shape[1] or len(read) != len(parts):
        raise KitError(f"the encoders give vectors [.., {seen.shape[1]}] and {list(read.shape)} for {len(parts)} texts, which is not one "
                       "space. Take both from one model.")
    weights = np.array([tokens for _, tokens in parts], float)
    each = 100 * np.maximum(0, seen @ read.T) @ (weights / weights.sum())
    return TextScore(NAME, float(each.mean()), weight=len(each), per_frame=each.tolist(), settings=said,
                     lost=lost(prompt, tokenizer, limit), parts=len(parts))


def unit(vectors):
    """Vectors [N, D] or [D], arrays or tensors, as float64 [N, D] of length 1."""
    vectors = np.asarray(vectors.detach().cpu() if hasattr(vectors, "detach") else vectors, float)
    vectors = vectors[None] if vectors.ndim == 1 else vectors
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def length(text, tokenizer):
    """Number of tokens of a text, the marks at its ends included."""
    found = tokenizer(text)
    return len(found if isinstance(found, list | tuple) else found["input_ids"])


def lost(text, tokenizer, limit):
    """Share of a text's tokens (without the marks at the ends) that a cut at `limit` loses, 0..1."""
    marks = length("", tokenizer)
    own = length(text, tokenizer) - marks
    return max(0, own - (limit - marks)) / own if own > 0 else 0.0


def split(text, tokenizer, limit=77):
    """[(part, its tokens without marks)] so that every part fits into `limit` with its marks and every word is in exactly one part."""
    marks = length("", tokenizer)
    if limit <= marks:
        raise KitError(f"a limit of {limit} tokens leaves no room beside the {marks} marks at the ends of a text.")
    if length(text, tokenizer) <= limit:
        pieces = [text]
    else:
        pieces = [piece for sentence in split_sentences(text) for piece in windows(sentence, tokenizer, limit)]
    found = [(piece, length(piece, tokenizer) - marks) for piece in pieces]
    return [(piece, tokens) for piece, tokens in found if tokens > 0] or found[:1]


def windows(text, tokenizer, limit):
    """A text cut at word borders into pieces that fit, as few as a greedy cut gives, of about equal length; a single word that is too long
    is cut inside."""
    if length(text, tokenizer) <= limit:
        return [text]
    words = text.split()
    if len(words) == 1:
        middle = len(text) // 2
        if not middle:
            raise KitError(f"one letter ('{text}') takes more than {limit} tokens. Is the limit right for this tokenizer?")
        return windows(text[:middle], tokenizer, limit) + windows(text[middle:], tokenizer, limit)
    sizes = np.cumsum([length(word, tokenizer) - length("", tokenizer) for word in words])
    room, pieces, start = limit - length("", tokenizer), [], 0
    share = sizes[-1] / np.ceil(sizes[-1] / room)
    while start < len(words):
        before = sizes[start - 1] if start else 0
        end = max(start + 1, int(np.searchsorted(sizes, before + share + 1e-9, side="right")))
        while end > start + 1 and length(" ".join(words[start:end]), tokenizer) > limit:
            end -= 1
        pieces.append(" ".join(words[start:end]))
        start = end
    return [piece for one in pieces for piece in (windows(one, tokenizer, limit) if len(one.split()) == 1 else [one])]


def from_clip(where, device="cpu", count=8):
    """`Towers` of a CLIP model of transformers: a folder or hub name. Frames are prepared as CLIP's own processor does it."""
    import torch
    from transformers import AutoTokenizer, CLIPModel, __version__
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    from ..curate.scorers import folder_of

    folder = folder_of(where, ("*.json", "*.safetensors", "*.txt", "*.model"))
    if not (Path(folder) / "config.json").is_file():
        raise KitError(f"{folder} holds no config.json. For example: hf download openai/clip-vit-base-patch32 --local-dir clip")
    model, words = CLIPModel.from_pretrained(folder).eval().to(device), AutoTokenizer.from_pretrained(folder)
    side, limit = model.config.vision_config.image_size, model.config.text_config.max_position_embeddings
    prepare = CLIPImageProcessorPil(size={"shortest_edge": side}, crop_size={"height": side, "width": side})

    @torch.inference_mode()
    def see(frames):
        pictures = prepare(list(frames), return_tensors="pt")["pixel_values"].to(device)
        return model.visual_projection(model.vision_model(pixel_values=pictures).pooler_output).float().cpu().numpy()

    @torch.inference_mode()
    def read(texts):
        inputs = words(texts, truncation=True, max_length=limit, padding=True, return_tensors="pt").to(device)
        pooled = model.text_model(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"]).pooler_output
        return model.text_projection(pooled).float().cpu().numpy()

    return Towers(see, read, lambda text: words(text, verbose=False)["input_ids"], limit, count,
                  {"backbone": f"CLIP {Path(where).name}", "weights": mark_of(folder),
                   "resize": f"short side {side} bicubic with antialiasing, centre crop",
                   "device": str(device), "versions": {"transformers": __version__}})


def tower(align_folder):
    """`Towers` that the course trained itself (stage `align`): a video tower for the whole clip and a text tower of 144 tokens."""
    import torch

    from ..align import VideoTextModel

    model, words = VideoTextModel.load(align_folder)
    frames, side = model.vision.config.num_frames, model.vision.config.image_size
    limit = model.language.config.max_position_embeddings

    @torch.inference_mode()
    def see(shown):
        return model.video(torch.as_tensor(np.ascontiguousarray(video.resize(shown, side)))[None])[0].numpy()

    @torch.inference_mode()
    def read(texts):
        inputs = words(texts, truncation=True, max_length=limit, padding=True, return_tensors="pt")
        return model.text(inputs["input_ids"], inputs["attention_mask"]).numpy()

    return Towers(see, read, lambda text: words(text, verbose=False)["input_ids"], limit, frames,
                  {"backbone": "towers of the course", "weights": mark_of(align_folder), "resize": f"{side} pixels square"})


def mark_of(folder):
    """sha256 over a folder's safetensors files, "" where there are none."""
    from .videoscore import hash_of

    files = sorted(Path(folder).glob("*.safetensors"))
    return hash_of(files) if files else ""
