"""Prompts as the generator reads them: the frozen text tower's word features, with the pooled prompt in front."""

import re

import torch

from ..align.towers import pool_words

SHORT, LONG = 32, 112          # fixed lengths, so that padding does not depend on the other prompts of a batch; our longest: 30, 103


@torch.no_grad()
def encode_prompts(text_encoder, tokenizer, prompts, length=None):
    """Features [N, 1 + L, D] of N prompts: row 0 the mean over words, then one row a word, zeros after the last.

    L: SHORT (brief captions) unless a prompt is longer, then LONG; longer prompts are cut there. An empty prompt is all zeros: that is
    the "no prompt" of classifier-free guidance.
    """
    prompts = list(prompts)
    longest = max(len(ids) for ids in tokenizer(prompts)["input_ids"])
    length = length or (SHORT if longest <= SHORT else LONG)
    batch = tokenizer(prompts, padding="max_length", truncation=True, max_length=length, return_tensors="pt").to(text_encoder.device)
    mask = batch["attention_mask"]
    words = text_encoder(input_ids=batch["input_ids"], attention_mask=mask).last_hidden_state
    features = torch.cat([pool_words(words, mask)[:, None], words * mask.unsqueeze(-1)], 1)
    empty = torch.tensor([not prompt.strip() for prompt in prompts], device=features.device)
    return features.masked_fill(empty[:, None, None], 0.0)


def encode_captions(text_encoder, tokenizer, captions, length, batch=128):
    """Features of many captions in float16 [N, 1 + length, D], made once before training."""
    parts = [encode_prompts(text_encoder, tokenizer, captions[i:i + batch], length).half() for i in range(0, len(captions), batch)]
    return torch.cat(parts)


def unknown_words(tokenizer, prompt):
    """The words of a prompt (lower case, each once) that no training caption held, so that the text tower reads them all alike."""
    words = dict.fromkeys(re.findall(r"[^\W_]+", prompt.lower()))
    ids = {word: tokenizer(word, add_special_tokens=False)["input_ids"] for word in words}
    return [word for word in words if not ids[word] or tokenizer.unk_token_id in ids[word]]
