"""Captions encoded on a machine with little memory: the text encoder is read layer by layer, in a process of its own.

UMT5-XXL takes about 11 GB in 16 bit and Colab's host has 12.7. Read through accelerate's disk offload it needs little more than its largest
layer, and when the process ends its memory really returns.
"""

import multiprocessing
import tempfile
from concurrent.futures import ProcessPoolExecutor

import torch

from ..errors import KitError
from ..run import peak_memory
from .precision import text_dtype


def open_text_parts(place, dtype, memory, offload, **options):
    """A pipeline with its text parts alone. memory: host memory for each encoder, for example "2GiB". A GPU takes what fits into its free
    memory first; what fits neither is read from the folder `offload` when its turn comes. options: as for `open_model`."""
    from .opening import open_model

    room = {"cpu": memory}
    if torch.cuda.is_available():
        room[0] = int(0.85 * torch.cuda.mem_get_info()[0])
    loading = dict(device_map="auto", max_memory=room, offload_folder=offload)
    return open_model(place, dtype=text_dtype(dtype), components="text", text_loading=loading, **options)


def encode_apart(place, text_mark, family, prompts, folder, dtype, memory="2GiB", **options):
    """Encode `prompts` into the cache `folder` in a process of its own; returns ({prompt: key}, peak memory of that process in MiB)."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        try:
            return pool.submit(_encode, place, text_mark, family, list(prompts), str(folder), dtype, memory, options).result()
        except Exception as error:
            if isinstance(error, KitError):
                raise
            raise KitError(f"the process that encodes captions ended ({error or type(error).__name__}), most often because memory ran out. "
                           f"Give it less (memory is {memory}) or close other programs; what was encoded stays.") from error


def _encode(place, text_mark, family, prompts, folder, dtype, memory, options):
    from .cache import encode_texts

    with tempfile.TemporaryDirectory() as offload:
        keys = encode_texts(lambda: open_text_parts(place, dtype, memory, offload, **options), text_mark, family, prompts, folder, dtype,
                            lambda _: None)
        return keys, peak_memory()
