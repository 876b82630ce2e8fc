"""Generate: the encoder-decoder that turns a prompt (and a first frame, if given) into a clip.

text encoder -> denoiser (Wan, flow matching) -> decoder; every output is SYNTHETIC. To read it from the beginning:

    flow                            the mathematics; the timestep shift
    stream, recipe                  what a training step draws; its settings, and table 5 of the paper
    train, heads, concepts          the three losses of MedGen-tiny          tokenizer, transformer, text, pipeline: its parts
    loop, checkpoint, journal       the training around them, for every model
    families/, models, opening      what differs between models; their names; how one is opened (weights, lora_file, precision)
    cache, lora, tune, adapt        fine-tuning: precompute, attach, losses, the whole (material, lean, command, engines/)
    sample, produce, label, refuse  prompts into labelled files (ready, speed, reader)
    plan, footprint                 does it fit?
"""

from . import flow
from .concepts import ConceptClassifier, alignment_loss, train_classifier
from .data import TrainingSet, load_parts, training_set
from .flip import flipped_word_test
from .opening import load_lora, open_model
from .pipeline import MedGenTinyPipeline, load_pipeline
from .plan import plan
from .plan import table as plan_table
from .prompts import make_prompts
from .sample import SampleSettings, generate_clips, open_generator, profile_settings, read_ahead, sample_batch, sweep, walk
from .speed import accelerate_sampling
from .text import encode_prompts, unknown_words
from .tokenizer import EigenframeTokenizer
from .recipe import PRESETS, Recipe
from .train import TinyRecipe, Trainee, draw_batch, losses, train
from .transformer import TinyWan

__all__ = ["ConceptClassifier", "EigenframeTokenizer", "MedGenTinyPipeline", "PRESETS", "Recipe", "SampleSettings", "TinyRecipe",
           "TinyWan", "Trainee", "TrainingSet", "accelerate_sampling", "alignment_loss", "draw_batch", "encode_prompts",
           "flipped_word_test", "flow", "generate_clips", "load_lora", "load_parts", "load_pipeline", "losses", "make_prompts",
           "open_generator", "open_model", "plan", "plan_table", "profile_settings", "read_ahead", "sample_batch", "sweep", "train",
           "train_classifier", "training_set", "unknown_words", "walk"]
