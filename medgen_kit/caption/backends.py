"""Captioners by name. Each writes a detailed caption from frames and facts, then a brief one from the detailed one.

"template": offline, from facts only. "transformers": any video-language model of the Hugging Face Hub or of a local folder. "openai":
a model behind an OpenAI-compatible address (vLLM, SGLang, Ollama, GPT-4o). A new captioner is one `register("name", factory)`; the
profile's `caption.backend` chooses.
"""

import difflib
import inspect

import numpy as np

from ..errors import KitError
from .facts import FRAMES
from .prompts import LIMIT_BRIEF, Questions, clean, shorten
from .remote import Remote
from .template import Template

BACKENDS = {}


def register(name, factory):
    """Add a captioner: `factory(**options)` gives an object with detailed(facts, frames, seed) and brief(facts, detailed, seed).

    It may also have prompt(facts) and params(), which the cache keeps apart, and workers, the number of clips it takes at a time.
    """
    BACKENDS[name] = factory


def backend(name, **options):
    """The captioner `name`, made with its options. An unknown name or option is refused with the nearest one.

    One section of a profile may hold the options of several captioners: each takes its own and leaves those of the others.
    """
    if name not in BACKENDS:
        near = difflib.get_close_matches(str(name), BACKENDS, n=1)
        raise KitError(f"there is no captioner '{name}'" + (f"; did you mean '{near[0]}'?" if near else ".")
                       + f" Captioners: {', '.join(BACKENDS)}. Add one with caption.register(name, factory).")
    own, anyones = options_of(BACKENDS[name]), set().union(*(options_of(factory) or () for factory in BACKENDS.values()))
    if own is None:                                          # it takes whatever it is given
        return BACKENDS[name](**options)
    unknown = [one for one in options if one not in anyones]
    if unknown:
        near = difflib.get_close_matches(unknown[0], anyones, n=1)
        secret = "key" in unknown[0] or unknown[0] == "token"
        hint = " A key is read from an environment variable only (key_env names it)." if secret else ""
        raise KitError(f"no captioner has an option '{unknown[0]}'" + (f"; did you mean '{near[0]}'?" if near else ".") + hint
                       + f" Options of '{name}': {', '.join(own) or 'none'}.")
    return BACKENDS[name](**{one: value for one, value in options.items() if one in own})


def options_of(factory):
    """Names of the options that a factory takes, None when it takes any."""
    known = inspect.signature(factory).parameters
    return None if any(one.kind is one.VAR_KEYWORD for one in known.values()) else list(known)


class Transformers(Questions):
    """A video-language model through transformers: 8 frames in one chat turn for the detailed caption, text only for the brief one.

    model: Hub id or local folder (Qwen2.5-VL, Qwen3-VL, SmolVLM2, LLaVA-OneVision, ...). max_new_tokens: length of the detailed reply.
    temperature: 0 picks the likeliest word. It is the pipeline "image-text-to-text" with the model's own processor and chat template.
    """

    name = "transformers"

    def __init__(self, model="", max_new_tokens=320, temperature=0.0, device=""):
        if not model:
            raise KitError("caption.backend 'transformers' needs caption.model: the Hub id or folder of a video-language model.")
        from transformers import pipeline

        from ..machine import device as best

        try:
            self.pipe = pipeline("image-text-to-text", model=model, device=device or best())
        except ImportError as error:
            raise KitError(f"the processor of '{model}' needs one more package: {str(error).strip().splitlines()[0]} "
                           "Qwen and SmolVLM need torchvision in the build that fits this torch.") from error
        except (OSError, ValueError, KeyError) as error:
            raise KitError(f"'{model}' could not be loaded as a video-language model: {str(error).splitlines()[0]}") from error
        self.model_name, self.tokens, self.temperature = str(model), max_new_tokens, temperature

    def params(self):
        """What shapes a reply besides the question (part of the key of the cache)."""
        return {"tokens": self.tokens, "temperature": self.temperature}

    def detailed(self, facts, frames=None, seed=0):
        """The model's description of `frames` (uint8 [T, H, W, 3], at most 8 are shown) with the uploader's title and text as context."""
        from PIL import Image

        if frames is None or not len(frames):
            raise KitError(f"clip {facts.clip_id}: the captioner 'transformers' needs frames to look at.")
        shown = [Image.fromarray(frames[i]) for i in np.unique(np.linspace(0, len(frames) - 1, FRAMES).round().astype(int))]
        content = [{"type": "image", "image": image} for image in shown] + [{"type": "text", "text": self.prompt(facts)}]
        return clean(self._reply(content, self.tokens, seed))

    def brief(self, facts, detailed, seed=0):
        """One sentence made from the detailed caption only."""
        reply = clean(self._reply([{"type": "text", "text": self.question(detailed)}], 60, seed))
        return shorten(reply, LIMIT_BRIEF)

    def _reply(self, content, tokens, seed):
        import torch

        torch.manual_seed(seed)
        sampling = {"do_sample": True, "temperature": self.temperature} if self.temperature > 0 else {"do_sample": False}
        out = self.pipe(text=[{"role": "user", "content": content}], return_full_text=False,
                        generate_kwargs={"max_new_tokens": tokens, **sampling})
        return out[0]["generated_text"]


register("template", Template)
register("transformers", Transformers)
register("openai", Remote)
