"""Captions encoded on a machine with little memory: the text encoder is read layer by layer, in a process of its own.

UMT5-XXL takes about 11 GB in 16 bit and Colab's host has 12.7. Read through accelerate's disk offload it needs little more than its largest
layer, and when the process ends its memory really returns.
"""

import multiprocessing
import tempfile
from concurrent.futures import ProcessPoolExecutor

from ..errors import KitError
from ..run import peak_memory


def open_text_parts(place, dtype, memory="", offload="", **options):
    """A pipeline with its text parts alone. memory: "" loads the encoders whole; else host memory for each, for example "2GiB": what does
    not fit is read from the folder `offload` when its turn comes. options: as for `open_model`."""
    from .opening import open_model

    if not memory:
        return open_model(place, dtype=dtype, components="text", **options)
    return open_model(place, dtype=dtype, components="text", text_loading=dict(device_map="auto", max_memory={"cpu": memory},
                                                                               offload_folder=offload), **options)


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
