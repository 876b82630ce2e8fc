"""One function for every captioner: clips in, a detailed and a brief caption for each out, from the cache where they were paid for before.

A captioner with `workers` is asked for several clips at a time. One clip that cannot be answered costs one clip; a server that is
down, a wrong key or an empty purse stops the work, and what was written is kept.
"""

import contextlib
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field

from ..errors import KitError
from .backends import backend as make
from .cache import Log, key
from .facts import FRAMES, Facts
from .price import Need
from .wire import Refused, Stop

IN_A_ROW = 3                                 # clips that fail one after the other before the work stops
EVERY = 30.0                                 # seconds between two lines of progress at most
SAMPLE_STEP = 1000                           # between the seeds of several samples of one caption


@dataclass
class Written:
    """What a captioner wrote about one clip. usage: tokens by name, as counted or estimated; cost: price of what was asked now.

    samples: further detailed captions of the same clip. problem: why there is no caption, "" where there is one.
    """

    brief: str = ""
    detailed: str = ""
    model: str = ""
    usage: dict = field(default_factory=dict)
    cost: float = 0.0
    samples: tuple = ()
    problem: str = ""


def write(clips, backend="template", seed=0, log=None, say=print, samples=1, **options):
    """Captions for clips: a list of Written, one for each Clip, in order.

    backend: name of a captioner (its options as keywords) or the captioner itself. log: a path or `Log` to which every reply is appended
    and from which replies are taken; None keeps nothing. say: is told how far it is. samples: captions drawn of each clip. Stop (a
    KitError) when no further request makes sense.
    """
    writer = make(backend, **options) if isinstance(backend, str) else backend
    log = log if isinstance(log, Log) else Log(log)
    check_samples(writer, samples)
    return write_all(writer, [(clip, Facts.of(clip)) for clip in clips], log, seed, say, samples)


def write_all(writer, pairs, log, seed=0, say=print, samples=1):
    """A list of Written for (clip, facts) pairs. samples: how many detailed captions of each clip are asked for (the first is taken)."""
    _connect(writer, log, say)
    out, workers = [None] * len(pairs), getattr(writer, "workers", 1)
    progress = Progress(len(pairs), getattr(writer, "purse", None), say)
    halt = writer.wire.halt.set if hasattr(writer, "wire") else lambda: None

    def one(number):
        return number, caption_of(writer, *pairs[number], log, seed, samples)

    with contextlib.closing(_done(one, len(pairs), workers, halt)) as done:
        failed = 0
        try:
            for number, written in done:
                out[number] = written
                progress.step()
                failed = failed + 1 if written.problem else 0
                if failed >= min(IN_A_ROW, len(pairs)) > 1:
                    raise Stop(f"{failed} clips in a row got no caption; the last: {written.problem}")
        except Stop as error:
            finished = sum(1 for one in out if one and not one.problem)
            kept = f" ({log.path})" if log.path else ""
            raise Stop(f"{error} {finished} of {len(pairs)} clips were captioned before; their captions are kept{kept}, so that a second "
                       "run goes on from there.") from None
    return out


def _connect(writer, log, say):
    """Tell a captioner that costs money where to note it, what earlier runs spent and what their questions counted."""
    if hasattr(writer, "purse"):
        writer.purse.spent = max(writer.purse.spent, log.spent())
        for row in log.rows.values():
            if "need" in row and row["model"] == writer.model_name:
                writer.purse.learn(Need(row["need"][1], 0, 0, row["need"][0]), row["usage"]["prompt_tokens"])
        writer.lost = lambda cost: log.lost(writer.name, cost)
        writer.wire.say = say
        writer.wire.halt.clear()
        if not writer.local and writer.url.startswith("http:"):
            say(f"frames, texts and key travel to {writer.url} without encryption; an https address would protect them")


def _done(function, count, workers, halt):
    """Yield function(0), function(1), ... as they are done; the first alone, so that its cost is known before many are asked."""
    if workers <= 1 or count < 2:
        yield from map(function, range(count))
        return
    yield function(0)
    with ThreadPoolExecutor(workers) as pool:
        waiting = [pool.submit(function, number) for number in range(1, count)]
        try:
            for future in as_completed(waiting):
                yield future.result()
        finally:                                             # an error or Ctrl-C: what has been sent is waited for, nothing more is asked
            halt()
            pool.shutdown(wait=True, cancel_futures=True)


def caption_of(writer, clip, facts, log, seed, samples=1):
    """The Written of one clip, its replies from the log where they are there."""
    frames = []

    def look():
        if not frames:
            frames.append(None if writer.name == "template" else clip.frames(count=FRAMES))
        return frames[0]

    total = Written(model=getattr(writer, "model_name", "") or writer.name)
    try:
        question = writer.prompt(facts) if hasattr(writer, "prompt") else facts.json()
        texts = [_reply(log, key("detailed", writer, question, facts.pictures, seed + SAMPLE_STEP * number),
                        lambda number=number: writer.detailed(facts, look(), seed + SAMPLE_STEP * number), total)
                 for number in range(samples)]
        total.detailed, total.samples = texts[0], tuple(texts[1:])
        question = writer.question(texts[0]) if hasattr(writer, "question") else facts.json() + texts[0]
        total.brief = _reply(log, key("brief", writer, question, "", seed), lambda: writer.brief(facts, texts[0], seed), total)
    except Refused as error:
        total.problem = str(error)
    return total


def _reply(log, name, ask, total):
    """The reply with this key: from the log, else asked for and appended to it. Adds to total what it took."""
    with log.turn(name):
        row = log.get(name)
        if row is None:
            reply = ask()
            paid = {}
            if hasattr(reply, "need"):
                paid = {"usage": reply.usage, "cost": reply.cost, "need": [reply.need.pictures, reply.need.sent]}
            row = log.put(name, reply=str(reply), model=total.model, **paid)
            total.cost += paid.get("cost", 0.0)
    for part, count in (row.get("usage") or {}).items():
        total.usage[part] = total.usage.get(part, 0) + count
    return row["reply"]


class Progress:
    """Lines of progress: at every tenth of the clips and at least every EVERY seconds; none for a handful of quick clips."""

    def __init__(self, total, purse, say):
        self.total, self.purse, self.say = total, purse, say
        self.done, self.start, self.last = 0, time.monotonic(), time.monotonic()

    def step(self):
        self.done += 1
        now = time.monotonic()
        tenth = self.done * 10 // self.total > (self.done - 1) * 10 // self.total
        if now - self.last < (1.0 if tenth else EVERY) or self.done == self.total:
            return
        left = (now - self.start) / self.done * (self.total - self.done)
        spent = f", {self.purse.spent:.4f} spent" if self.purse and self.purse.price(1, 1) else ""
        self.say(f"{self.done} of {self.total} captions, about {duration(left)} left{spent}")
        self.last = now


def duration(seconds):
    """Seconds as a person says them."""
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def estimate(clips, backend="openai", samples=1, **options):
    """What captions for these clips will take, before anything is sent: dict clips, requests, tokens_in, tokens_out, cost, most.

    Nothing is read but the records and nothing is sent, so an address needs no allow_remote here. tokens: expected, from the length of the
    questions, eight frames and the paper's 174 words. cost: at the prices of the options (None where there are none); most: if every reply
    is as long as allowed. Captions in a cache cost nothing and are not known here, so the real price is lower where there are some.
    """
    options |= {"allow_remote": True} if backend == "openai" else {}
    writer = make(backend, **options) if isinstance(backend, str) else backend
    if not hasattr(writer, "purse"):
        return {"clips": len(clips), "requests": 0, "tokens_in": 0, "tokens_out": 0, "cost": 0.0, "most": 0.0}
    return expected(writer, map(Facts.recorded, clips), samples)


def expected(writer, facts, samples=1):
    """The estimate for a captioner that costs money and the Facts of the clips; see `estimate`."""
    facts, needs, purse = list(facts), [], writer.purse
    for known in facts:
        needs += samples * [writer.need(writer.prompt(known), FRAMES)] + [writer.need("word " * 180, 0)]
    sent, reply, most = (sum(getattr(need, part) for need in needs) for part in ("sent", "reply", "most"))
    priced = purse.price_in is not None and purse.price_out is not None
    return {"clips": len(facts), "requests": len(needs), "tokens_in": sent, "tokens_out": reply,
            "cost": purse.price(sent, reply) if priced else None, "most": purse.price(sent, most) if priced else None}


def estimate_line(found, cap=None):
    """The estimate in one line, with a warning when the limit will stop the work on the way."""
    line = (f"about {found['requests']} requests, {found['tokens_in'] / 1e3:.0f}k tokens to send and {found['tokens_out'] / 1e3:.0f}k to "
            "receive")
    if found["cost"] is not None:
        line += f", price {found['cost']:.4f} (at most {found['most']:.4f})"
    if cap is not None and found["cost"] and found["cost"] > cap:
        reached = int(found["clips"] * cap / found["cost"])
        line += f"; caption.max_cost = {cap:g} will stop it after about {reached} of {found['clips']} clips"
    return line


def check_samples(writer, samples):
    """KitError when several samples are wanted from a captioner that always says the same."""
    if samples < 1 or int(samples) != samples:
        raise KitError(f"caption.samples is {samples}; it is the number of captions drawn for each clip: 1, or 3 "
                       "for the check \"alone\".")
    if samples > 1 and getattr(writer, "temperature", 1.0) == 0:
        raise KitError("caption.samples above 1 needs caption.temperature above 0, for example 0.7; else all samples are the same.")
