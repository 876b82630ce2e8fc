"""Prompts for a pipeline without a text encoder: read layer by layer in a process of their own, kept on disk, handed over as embeddings.

So Wan2.1, whose text encoder alone takes 11 GB, samples on a Colab machine with 12.7 GB of memory.
"""

import tempfile
from pathlib import Path

from ..run import folder_mark
from .cache import Pool, mark
from .lean import encode_apart


class Reader:
    """reader(prompts, negative) -> arguments for the pipeline's call. place: name or folder of the model. memory: host memory for the text
    encoder, for example "2GiB". folder: where embeddings are kept (default: a temporary one). opening: for `open_model`."""

    def __init__(self, place, family, dtype, memory, folder="", **opening):
        self.temporary = None if folder else tempfile.TemporaryDirectory(prefix="medgen-texts-")
        self.place, self.family, self.dtype, self.memory, self.opening = str(place), family, dtype, memory, opening
        self.folder = Path(folder or self.temporary.name)
        self.keys = {}

    @classmethod
    def of(cls, cache, family, dtype):
        """A reader of the captions that a training's Cache holds; it encodes none itself."""
        made = cls("", family, dtype, "", cache.folder)
        made.keys = {"": cache.nothing} | {row["caption"]: row["text"] for row in cache.rows}
        return made

    def read(self, prompts):
        """Encode what is not known yet, all in one go: opening the encoder is what takes time."""
        if missing := [prompt for prompt in dict.fromkeys(prompts) if prompt not in self.keys]:
            named = mark(self.place, sorted(self.opening.items()), folder_mark(self.place) if Path(self.place).is_dir() else "")
            self.keys |= encode_apart(self.place, named, self.family, missing, self.folder, self.dtype, self.memory, **self.opening)[0]

    def __call__(self, prompts, negative="", device="cpu"):
        """Arguments for the call of the pipeline on `device`."""
        self.read([*prompts, negative])
        pool = Pool(self.folder / "texts")
        text = self.family.stack([pool.get(self.keys[prompt]) for prompt in prompts])
        given = self.family.given(text, self.family.stack([pool.get(self.keys[negative])] * len(prompts)))
        return {name: value.to(device, self.dtype if value.is_floating_point() else value.dtype) for name, value in given.items()}
