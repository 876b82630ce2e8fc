"""The captioner behind an OpenAI-compatible address: GPT-4o, or a model of one's own on vLLM, SGLang or Ollama.

    caption: {backend: openai, url: "http://localhost:8000/v1", model: Qwen/Qwen2.5-VL-7B-Instruct}

Eight frames go as JPEG in one chat turn (paper, section 3), then the detailed caption alone goes for the brief one. Frames, title,
description and transcript leave this machine only with allow_remote: true; mask burned-in text and faces before (notebook 02).
vLLM must be started with `--limit-mm-per-prompt '{"image": 8}'`.
"""

import base64
import re
import urllib.parse

import numpy as np

from .. import video
from ..errors import KitError
from . import price
from .facts import FRAMES
from .prompts import LIMIT_BRIEF, Questions, clean, shorten, whole_sentences
from .wire import Refused, Wire, is_local

SIDE, SMALL = 768, 224                       # longest side of a sent frame at most; frames below SMALL are enlarged to it
QUALITY = 90                                 # of the JPEG
OPENAI, OWN = "OPENAI_API_KEY", "MEDGEN_CAPTION_KEY"


class Reply(str):
    """A caption that remembers what it took: usage {"prompt_tokens", "completion_tokens"}, cost, and the `price.Need` expected before."""

    def __new__(cls, text, usage, cost, need):
        made = super().__new__(cls, text)
        made.usage, made.cost, made.need = usage, cost, need
        return made


class Remote(Questions):
    """A vision-language model behind `url`/chat/completions.

    model: its name on the server. allow_remote: True lets frames and texts go to another machine. key_env: name of the environment
    variable with the key (default: OPENAI_API_KEY for api.openai.com, else MEDGEN_CAPTION_KEY); the key itself is never an option.
    max_new_tokens, temperature: of the detailed caption (temperature None: the server's own). limit_field: what the server calls the
    limit ("max_completion_tokens" for OpenAI's reasoning models). timeout: seconds a request. tries, backoff: see `Wire`. workers:
    requests at a time. price_in, price_out: price of a million tokens. max_cost: never spend more, in the same currency, what earlier
    interrupted runs spent included. image_tokens: tokens that one frame counts (765: GPT-4o, 768 pixels square; the server's count
    corrects it).
    """

    name = "openai"

    def __init__(self, url="https://api.openai.com/v1", model="", allow_remote=False, key_env="", max_new_tokens=400, temperature=0.2,
                 limit_field="max_tokens", timeout=120.0, tries=5, backoff=1.0, longest_wait=300.0, workers=4, price_in=None,
                 price_out=None, max_cost=None, image_tokens=765):
        if not model:
            raise KitError("caption.backend 'openai' needs caption.model: the name that the server gives its vision-language model.")
        self.url, self.local = checked_address(url)
        if not self.local and allow_remote is not True:
            raise KitError(f"caption.url {self.url} is another machine: frames, titles and transcripts would leave this one. If they may "
                           "(consent, contract, masked names and faces), set caption.allow_remote: true.")
        if max_cost is not None and (price_in is None or price_out is None):
            raise KitError("caption.max_cost needs caption.price_in and caption.price_out: the prices of a million tokens.")
        check_numbers({"tries": (tries, 1), "workers": (workers, 1), "timeout": (timeout, 1e-3), "max_new_tokens": (max_new_tokens, 16),
                       "backoff": (backoff, 0), "longest_wait": (longest_wait, 0), "image_tokens": (image_tokens, 1),
                       "max_cost": (max_cost or 0, 0), "price_in": (price_in or 0, 0), "price_out": (price_out or 0, 0)})
        self.key_env = checked_key_name(key_env, self.url)
        self.model_name, self.tokens, self.temperature, self.limit_field = model, max_new_tokens, temperature, limit_field
        self.image_tokens, self.workers = image_tokens, int(workers)
        self.purse = price.Purse(price_in, price_out, max_cost)
        self.wire = Wire(f"{self.url}/chat/completions", self.key_env, timeout, int(tries), backoff, longest_wait)
        self.lost = lambda cost: None

    def params(self):
        """What shapes a reply besides the question (part of the key of the cache)."""
        return {"tokens": self.tokens, "temperature": self.temperature, "side": SIDE}

    def detailed(self, facts, frames=None, seed=0):
        """The server's description of `frames` (uint8 [T, H, W, 3], at most 8 are sent) with the uploader's texts as context."""
        if frames is None or not len(frames):
            raise KitError(f"clip {facts.clip_id}: the captioner 'openai' needs frames to look at.")
        pictures = [{"type": "image_url", "image_url": {"url": as_url(frame)}} for frame in evenly(frames)]
        text = self.prompt(facts)
        return self._ask([{"type": "text", "text": text}, *pictures], self.need(text, len(pictures)), seed)

    def brief(self, facts, detailed, seed=0):
        """One sentence made from the detailed caption only: no frame, title or transcript is sent again."""
        text = self.question(detailed)
        reply = self._ask([{"type": "text", "text": text}], self.need(text, 0), seed)
        return Reply(shorten(reply, LIMIT_BRIEF), reply.usage, reply.cost, reply.need)

    def need(self, text, pictures):
        """Tokens that a question is expected to take (`price.Need`)."""
        reply = int(price.WORD * (174 if pictures else 20))
        sent = price.tokens(text) + pictures * self.image_tokens + price.CHAT
        return price.Need(sent, min(reply, self.tokens), self.tokens, pictures)

    def _ask(self, content, need, seed):
        body = {"model": self.model_name, "messages": [{"role": "user", "content": content}], self.limit_field: self.tokens, "seed": seed}
        if self.temperature is not None:
            body["temperature"] = self.temperature
        meter = price.Meter(self.purse, need, self.lost)
        answer = self.wire.ask(body, meter)
        usage = counted(answer.get("usage"), need)
        cost = self.purse.price(usage["prompt_tokens"], usage["completion_tokens"])
        self.purse.give_back(meter.amount, cost)
        self.purse.learn(need, usage["prompt_tokens"])
        try:
            return Reply(text_of(answer, self.tokens), usage, cost, need)
        except Refused:
            self.lost(cost)
            raise


def check_numbers(options):
    """KitError for an option that is no number or too small; options: {name: (value, least)}."""
    for name, (value, least) in options.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not value >= least:
            raise KitError(f"caption.{name} must be a number of at least {least:g}.")


def checked_address(url):
    """(base address, whether it is this machine); KitError for what is no plain http(s) address."""
    url = str(url).strip().rstrip("/").removesuffix("/chat/completions")
    try:
        parts = urllib.parse.urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        parts, host = None, None
    if not host or parts.scheme not in ("http", "https") or not url.isascii() or re.search(r"\s", url):
        raise KitError("caption.url must be an http or https address such as http://localhost:8000/v1.")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise KitError("caption.url must be the plain base address, without a user, a password or anything after '?': it is written into "
                       "manifests. A key goes into an environment variable (caption.key_env names it).")
    return url, is_local(url)


def checked_key_name(name, url):
    """Name of the environment variable with the key: the one that was named, else the usual one of the host."""
    if name and not re.fullmatch(r"[A-Z][A-Z0-9_]*", str(name)):
        raise KitError("caption.key_env is the NAME of an environment variable, in capitals, such as OPENAI_API_KEY; never the key itself.")
    return str(name) or (OPENAI if urllib.parse.urlsplit(url).hostname == "api.openai.com" else OWN)


def evenly(frames):
    """At most 8 of the frames, evenly spread, the first and last included."""
    return [frames[i] for i in np.unique(np.linspace(0, len(frames) - 1, FRAMES).round().astype(int))]


def as_url(frame):
    """A frame uint8 [H, W, 3] as a data URL: JPEG, longest side at most 768 pixels, at least 224. It carries no metadata."""
    import cv2

    height, width = frame.shape[:2]
    longest = max(height, width)
    scale = min(SIDE, max(SMALL, longest)) / longest
    if scale != 1:
        frame = video.resize(frame[None], (max(1, round(height * scale)), max(1, round(width * scale))))[0]
    made, data = cv2.imencode(".jpg", np.ascontiguousarray(frame[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    if not made:
        raise KitError(f"a frame of {width}x{height} could not be written as JPEG.")
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode()


def counted(usage, need):
    """Tokens that the server counted, as {"prompt_tokens", "completion_tokens"}; the estimate where it says nothing."""
    usage = usage if isinstance(usage, dict) else {}
    found = {}
    for name, expected in (("prompt_tokens", need.sent), ("completion_tokens", need.most)):
        value = usage.get(name)
        found[name] = value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else expected
    return found


def text_of(answer, tokens):
    """The caption inside an answer, cleaned; Refused when there is none."""
    choices = answer.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
    message = choice.get("message") if isinstance(choice.get("message"), dict) else {}
    content = message.get("content")
    if isinstance(content, list):
        content = " ".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    text = clean(content) if isinstance(content, str) else ""
    if text and choice.get("finish_reason") == "length":
        text = whole_sentences(text)
    if text:
        return text
    if choice.get("finish_reason") == "length":
        raise Refused(f"the reply was cut off after {tokens} tokens before its first sentence ended. Raise caption.max_new_tokens (a model "
                      "that thinks first needs more).")
    said = message.get("refusal") or choice.get("finish_reason") or "no choices"
    raise Refused(f"the server sent no caption ({str(said)[:200]}).")
