"""Captioners by name. Each writes a detailed caption from frames and facts, then a brief one from the detailed one.

"template": offline, from facts only. "transformers": any video-language model of the Hugging Face Hub or of a local folder.
A new captioner is one `register("name", factory)`; the profile's `caption.backend` chooses.
"""

import difflib
import re

import numpy as np

from .. import sources
from ..errors import KitError
from .facts import unknown_numbers
from .prompts import brief_prompt, clean, detailed_prompt

BACKENDS = {}
LIMIT_BRIEF = 30                      # words

MOVES = {"still": ("the picture stands still", "nothing moves from the first frame to the last"),
         "calm": ("the picture changes gently", "there is slow, steady change from frame to frame"),
         "lively": ("the picture changes strongly from frame to frame", "there is a lot of movement")}
CAMERAS = {"static shot": "the camera stands still", "still image": "it is a still picture shown as a clip",
           "handheld": "the camera is held by hand", "complex motion": "the camera moves in a complex way",
           "pan left": "the camera pans left", "pan right": "the camera pans right", "tilt up": "the camera tilts up",
           "tilt down": "the camera tilts down", "zoom in": "the camera zooms in", "zoom out": "the camera zooms out",
           "dolly in": "the camera moves into the scene", "dolly out": "the camera moves back out of the scene"}
KINDS = {"clinical practice": "from clinical practice", "medical teaching": "made for medical teaching",
         "medical popular science": "that explains medicine to everyone", "medical animation": "that is a medical animation",
         "medical imaging": "of a medical imaging examination"}


def register(name, factory):
    """Add a captioner: `factory(**options)` gives an object with detailed(facts, frames, seed) and brief(facts, detailed, seed)."""
    BACKENDS[name] = factory


def backend(name, **options):
    """The captioner `name`, made with its options. An unknown name is refused with the nearest one."""
    if name not in BACKENDS:
        near = difflib.get_close_matches(str(name), BACKENDS, n=1)
        raise KitError(f"there is no captioner '{name}'" + (f"; did you mean '{near[0]}'?" if near else ".")
                       + f" Captioners: {', '.join(BACKENDS)}. Add one with caption.register(name, factory).")
    return BACKENDS[name](**options)


class Template:
    """Writes from facts alone and looks at no pixel. With ground truth it says every factor; without, only what was measured."""

    name = "template"

    def __init__(self, **_):
        pass

    def detailed(self, facts, frames=None, seed=0):
        """A detailed caption (45 to 110 words with factors, about 40 without)."""
        return self._both(facts, seed)[1]

    def brief(self, facts, detailed, seed=0):
        """A brief caption of at most 30 words."""
        return self._both(facts, seed)[0]

    def _both(self, facts, seed):
        rng = np.random.default_rng((seed, *facts.clip_id.encode()))
        if not facts.factors:
            return from_measures(facts, rng)
        drawn = [sources.describe(facts.factors, rng) for _ in range(8)]
        return next((pair for pair in drawn if not unknown_numbers(" ".join(pair), facts)), drawn[0])


def from_measures(facts, rng):
    """(brief, detailed) of a clip without ground truth: kind, length, colour, light, movement, camera. No finding is made up."""
    def one(choices):
        return choices[int(rng.integers(len(choices)))]

    noun = one(("clip", "recording", "video", "sequence"))
    kind = KINDS.get(facts.category, "of a medical subject")
    look = f"{facts.light} and {'in colour' if facts.colour == 'coloured' else 'in shades of grey'}"
    moves, camera = one(MOVES[facts.movement]), CAMERAS.get(facts.camera, "")
    detailed = [one((f"A {noun} {kind}, {look}.", f"This {noun} {kind} is {look}.")),
                one((f"Over {facts.seconds:g} seconds {moves}.", f"It lasts {facts.seconds:g} seconds, and {moves}.")),
                f"As far as could be measured, {camera}." if camera else "",
                one(("No further content was labelled, so none is described here; a person has to look before anything more is said.",
                     "What the pictures mean was not labelled and is left to a person who knows the field to describe.")),
                one(("Findings, sides and names are left out on purpose.", "Nothing is claimed about findings, sides or persons."))]
    brief = f"A {noun} {kind}, {look}; {moves}."
    return brief, " ".join(sentence for sentence in detailed if sentence)


class Transformers:
    """A video-language model through transformers: 8 frames in one chat turn for the detailed caption, text only for the brief one.

    model: Hub id or local folder (Qwen2.5-VL, Qwen3-VL, SmolVLM2, LLaVA-OneVision, ...). max_new_tokens: length of the detailed reply.
    temperature: 0 picks the likeliest word.
    """

    name = "transformers"

    def __init__(self, model="", max_new_tokens=320, temperature=0.0, device="", **_):
        if not model:
            raise KitError("caption.backend 'transformers' needs caption.model: the Hub id or folder of a video-language model.")
        from transformers import AutoModelForImageTextToText, AutoProcessor

        try:
            self.processor = AutoProcessor.from_pretrained(model)
            self.model = AutoModelForImageTextToText.from_pretrained(model).eval()
        except ImportError as error:
            raise KitError(f"the processor of '{model}' needs one more package: {str(error).strip().splitlines()[0]} "
                           "Qwen and SmolVLM need torchvision in the build that fits this torch.") from error
        except (OSError, ValueError) as error:
            raise KitError(f"'{model}' could not be loaded as a video-language model: {str(error).splitlines()[0]}") from error
        from ..machine import device as best

        self.device = device or best()
        self.model.to(self.device)
        self.tokens, self.temperature = max_new_tokens, temperature

    def detailed(self, facts, frames=None, seed=0):
        """The model's description of `frames` (uint8 [T, H, W, 3], at most 8 are shown) with the uploader's title and text as context."""
        from PIL import Image

        if frames is None or not len(frames):
            raise KitError(f"clip {facts.clip_id}: the captioner 'transformers' needs frames to look at.")
        shown = [Image.fromarray(frames[i]) for i in np.unique(np.linspace(0, len(frames) - 1, 8).round().astype(int))]
        content = [{"type": "image", "image": image} for image in shown] + [{"type": "text", "text": detailed_prompt(facts)}]
        return clean(self._reply(content, self.tokens, seed))

    def brief(self, facts, detailed, seed=0):
        """One sentence made from the detailed caption only."""
        reply = clean(self._reply([{"type": "text", "text": brief_prompt(detailed)}], 60, seed))
        return " ".join(re.split(r"(?<=[.!?])\s", reply)[0].split()[:LIMIT_BRIEF])

    def _reply(self, content, tokens, seed):
        import torch

        inputs = self.processor.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True, tokenize=True,
                                                    return_dict=True, return_tensors="pt").to(self.device)
        torch.manual_seed(seed)
        sampling = {"do_sample": True, "temperature": self.temperature} if self.temperature > 0 else {"do_sample": False}
        with torch.no_grad():
            out = self.model.generate(**inputs, max_new_tokens=tokens, **sampling)
        return self.processor.decode(out[0, inputs["input_ids"].shape[1]:], skip_special_tokens=True)


register("template", Template)
register("transformers", Transformers)
