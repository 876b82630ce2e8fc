"""Align: video-text contrastive pretraining and medical concepts (part 1 and 3 of the described system)."""

import transformers

from .data import ClipData, ConceptSet, load_frames, train_tokenizer
from .losses import concept_loss, info_nce, recall_at
from .probe import linear_probe
from .towers import VideoTextModel, text_tower, video_tower
from .train import embed, fit, learn_to_read, one_clip_each, retrieval, words

transformers.utils.logging.disable_progress_bar()       # the towers load in a blink

__all__ = ["ClipData", "ConceptSet", "VideoTextModel", "concept_loss", "embed", "fit", "info_nce", "learn_to_read", "linear_probe",
           "load_frames", "one_clip_each", "recall_at", "retrieval", "text_tower", "train_tokenizer", "video_tower", "words"]
