"""Clips and captions as tensors: frames at the model's size, a word-level tokenizer, and which concepts each caption names."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .. import knowledge
from ..clip import read_folder, write_text
from ..errors import KitError, VideoError


def finished(folder, name):
    """`folder / name`, a file of a finished stage `align`; KitError when it is not there."""
    if not (Path(folder) / name).is_file():
        raise KitError(f"{folder} holds no {name}. Make the stage 'align' first: kit.need(run, 'align') gives its folder.")
    return Path(folder) / name


def load_frames(clips, frames, size):
    """Decode every clip to uint8 [N, frames, size, size, 3] (frames at interval centres). Unreadable files raise VideoError."""
    def one(clip):
        picture = clip.frames(count=frames, size=size)
        if len(picture) != frames:
            raise VideoError(clip.path, "too_short", f"{len(picture)} frames decoded, {frames} needed.")
        return picture

    with ThreadPoolExecutor(2) as pool:
        return np.stack(list(pool.map(one, clips)))


def train_tokenizer(captions, max_length=144):
    """A word-level tokenizer (lower case, words and digits, no punctuation) with [PAD], [UNK], [CLS], made from the captions themselves."""
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    words = Tokenizer(models.WordLevel(unk_token="[UNK]"))
    words.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase(), normalizers.Replace(Regex("[^a-z0-9 ]+"), " ")])
    words.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), pre_tokenizers.Digits(individual_digits=True)])
    words.train_from_iterator(captions, trainers.WordLevelTrainer(special_tokens=["[PAD]", "[UNK]", "[CLS]"], min_frequency=2))
    words.post_processor = processors.TemplateProcessing(single="[CLS] $A", special_tokens=[("[CLS]", words.token_to_id("[CLS]"))])
    return PreTrainedTokenizerFast(tokenizer_object=words, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]",
                                   model_max_length=max_length, padding_side="right")


@dataclass
class ConceptSet:
    """The concepts that the model learns: the tags that occur often enough in the training captions.

    names: tags, [C]. rivals: float [C, C]; rivals[i, j] > 0 where j could have been said instead of i (entering instead of withdrawing):
    naming i says that j is absent, with this weight. A row sums to the weight of its concept: 1, or EASY where only another kind of
    picture would change the word. What rivals do not take of it stands on the diagonal ("polyp": captions deny it outright).
    """

    names: list
    rivals: np.ndarray

    EASY = 0.1

    @classmethod
    def of(cls, tag_lists, denied=(), at_least=8):
        """Count tags over captions; keep those in at least `at_least` captions but not in nearly all of them.

        tag_lists: what each caption names. denied: what each caption denies.
        """
        counts = {}
        for tags in tag_lists:
            for tag in set(tags):
                counts[tag] = counts.get(tag, 0) + 1
        names = sorted(tag for tag, n in counts.items() if at_least <= n <= 0.95 * len(tag_lists))
        if not names:
            raise KitError("no medical concept occurs often enough in the captions to be learned. "
                           "Use more clips, or captions that name what is seen.")
        index = {name: i for i, name in enumerate(names)}
        present = np.zeros((len(tag_lists), len(names)), np.float32)
        for row, tags in enumerate(tag_lists):
            present[row, [index[t] for t in set(tags) if t in index]] = 1
        return cls(names, _rivals(present, names, {tag for tags in denied for tag in tags}, cls.EASY))

    def targets(self, captions):
        """(present, known): two float arrays [N, C] in 0..1, read from the words of each caption; known is the weight in the loss.

        A concept that is named is present; one that is negated, or that could have been said instead of a named one, is known to be
        absent, and all that could stand in one place weigh together as much as the named one. About the others the caption says nothing.
        """
        index = {name: i for i, name in enumerate(self.names)}
        present, denied = (np.zeros((len(captions), len(self.names)), np.float32) for _ in range(2))
        for row, caption in enumerate(captions):
            present[row, [index[t] for t in knowledge.tags(caption) if t in index]] = 1
            absent = knowledge.tags(caption, negated=True)
            denied[row, [i for t, i in index.items() if t in absent or t.split(":")[0] in absent]] = 1
        known = present * self.rivals.sum(1) + (1 - present) * np.clip(present @ self.rivals + denied, 0, 1)
        return present, known.astype(np.float32)

    def decided(self, captions):
        """bool [N, C]: what a head that learned from `targets` can be asked about a clip with this caption: the concepts that it names, and
        those whose absence it makes plain (more than EASY), where another kind of picture would not."""
        present, known = self.targets(captions)
        return (present > 0) & (known > 0) | (known > self.EASY)

    def save(self, path):
        write_text(path, json.dumps({"names": self.names, "rivals": self.rivals.round(4).tolist()}))

    @classmethod
    def load(cls, path):
        facts = json.loads(finished(Path(path).parent, Path(path).name).read_text(encoding="utf-8"))
        return cls(facts["names"], np.array(facts["rivals"], np.float32))


def _rivals(present, names, denied, easy):
    """Weights [C, C] from present [N, C]: same axis, never in one caption, and in like company, that is beside the same other concepts."""
    together = present.T @ present
    axes = np.array([name.split("/")[0] for name in names])
    could = (axes[:, None] == axes) & (together == 0)
    weights = np.zeros_like(together)
    for i, name in enumerate(names):
        beside = ~could[i] & (np.arange(len(names)) != i)
        company = together[:, beside] / together.diagonal()[:, None]
        norms = np.linalg.norm(company, axis=1) * np.linalg.norm(company[i])
        alike = could[i] & (company @ company[i] >= 0.3 * norms) & (norms > 0)
        if alike.any():
            weights[i, alike] = 1 / alike.sum()
            continue
        if could[i].any():
            weights[i, could[i]] = easy / could[i].sum()
        weights[i, i] = (1 if name in denied else easy) - weights[i].sum()
    return weights.clip(0)


@dataclass
class ClipData:
    """What training reads: frames uint8 [N, T, S, S, 3] and, per clip, brief and detailed caption, split, factors, held-out mark."""

    frames: np.ndarray
    rows: list

    @classmethod
    def read(cls, folder, frames, size):
        """All clips of a VideoFolder that have captions and move (T frames of `size` pixels)."""
        clips = [clip for clip in read_folder(folder) if clip.brief_caption and clip.camera_motion_type != "still image"]
        rows = [{"brief": c.brief_caption, "detailed": c.detailed_caption, "split": c.split, "factors": c.factors,
                 "held_out": bool(c.extra.get("held_out")), "category": c.video_category, "clip_id": c.clip_id,
                 "source": c.source} for c in clips]
        return cls(load_frames(clips, frames, size), rows)

    def save(self, folder):
        np.savez(Path(folder) / "clips.npz", frames=self.frames)
        write_text(Path(folder) / "clips.json", json.dumps(self.rows))

    @classmethod
    def load(cls, folder):
        """What `save` wrote into the folder of stage `align`; KitError when it is not there."""
        rows = json.loads(finished(folder, "clips.json").read_text(encoding="utf-8"))
        with np.load(finished(folder, "clips.npz")) as arrays:
            return cls(arrays["frames"], rows)

    def split(self, name):
        """Numbers of the clips of one split."""
        return np.array([i for i, row in enumerate(self.rows) if row["split"] == name], int)

    def captions(self, kind):
        return [row[kind] for row in self.rows]
