"""Burned-in text (paper section 3.3): more than 20 words in 5 frames mean subtitles. RapidOCR reads; its models are in its wheel."""

import functools
import math
import re

import numpy as np

WORD = re.compile(r"[A-Za-z]{2,}|[\u3040-\u30ff\u4e00-\u9fff]{2}")
LONG, USUAL = 14, 6          # the reader may join words; a token of more than 14 letters counts as several of about 6


@functools.cache
def reader(side=288):
    """The RapidOCR reader, one thread; text is looked for at `side` pixels and read at full size."""
    from rapidocr import RapidOCR

    engine = "EngineConfig.onnxruntime."
    return RapidOCR(params={"Det.limit_type": "max", "Det.limit_side_len": side, "Global.use_cls": False, "Global.log_level": "error",
                            engine + "intra_op_num_threads": 1, engine + "inter_op_num_threads": 1})


def lines(frame):
    """Lines of text in one frame uint8 [H, W, 3]: [(text, box)], box = four corners (x, y) in pixels."""
    result = reader()(np.ascontiguousarray(frame[:, :, ::-1]))
    texts, boxes = getattr(result, "txts", None), getattr(result, "boxes", None)
    return [] if not texts else [(text, np.asarray(box).round().astype(int).tolist()) for text, box in zip(texts, boxes)]


def count_words(texts):
    """Number of words in lines of text. Two letters make a word; two ideographs or kana count as one."""
    tokens = [token for text in texts for token in WORD.findall(text)]
    return sum(math.ceil(len(token) / USUAL) if len(token) > LONG else 1 for token in tokens)


def measures(frames, enough=None):
    """{"words": total over the frames, "boxes": of the frame with most words, "text_area": share of its pixels, "lines": its texts}.

    frames uint8 [T, H, W, 3], five in the paper. enough: stop reading once there are more words than this; the total is then a lower bound.
    """
    best, total, area = [], 0, frames.shape[1] * frames.shape[2]
    for frame in frames:
        found = lines(frame)
        here = count_words([text for text, _ in found])
        if not best or here > count_words([text for text, _ in best]):
            best = found
        total += here
        if enough is not None and total > enough:
            break
    size = sum(float(np.ptp([x for x, _ in box]) * np.ptp([y for _, y in box])) for _, box in best)
    return {"words": total, "boxes": len(best), "text_area": round(size / area, 4), "lines": [text for text, _ in best]}
