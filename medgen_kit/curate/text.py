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


def words_in(frames, enough=None):
    """(total words over the frames, the lines of the frame with most). frames uint8 [T, H, W, 3], five in the paper.

    enough: stop reading once there are more words than this; the total is then a lower bound.
    """
    found, total = [], 0
    for frame in frames:
        found.append([text for text, _ in lines(frame)])
        total += count_words(found[-1])
        if enough is not None and total > enough:
            break
    return total, max(found, key=count_words)
