"""A pipeline without its text encoder, handed embeddings that another process read layer by layer, makes the same clips."""

import numpy as np
import pytest
import torch

from medgen_kit.generate import produce
from medgen_kit.generate.families import family_of
from medgen_kit.generate.ready import open_for_sampling
from medgen_kit.generate.sample import SampleSettings, generate_clips
from tests.generate import tiny_families

PROMPTS = ["a beating heart", "an endoscope moves slowly forward through the colon"]


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.mark.parametrize("name", ["hunyuan", "mochi", "ltx", "cogvideox"])
def test_embeddings_stand_for_prompts_in_every_family(name, tmp_path):
    pipe = tiny_families.load(name, tiny_families.make(name, tmp_path))
    family, options = family_of(pipe, **tiny_families.CALL[name]), tiny_families.CALL[name]
    call = dict(num_inference_steps=2, output_type="np", **tiny_families.SHAPE[name])
    negative = {} if name == "hunyuan" else {"negative_prompt": ["blurred"] * 2}
    plain = pipe(prompt=PROMPTS, generator=torch.Generator().manual_seed(1), **call, **negative, **options).frames
    text, nothing = (family.stack(family.encode_prompts(pipe, some)) for some in (PROMPTS, ["blurred"] * 2))
    for part in [part for part in pipe.components if part.startswith(("text_encoder", "tokenizer"))]:
        setattr(pipe, part, None)
    given = pipe(generator=torch.Generator().manual_seed(1), **call, **family.given(text, nothing)).frames
    assert np.allclose(plain, given, atol=1e-4)


def test_wan_samples_without_its_text_encoder_in_memory(tmp_path):
    home = tiny_families.make("wan", tmp_path / "wan")
    whole = open_for_sampling(str(home), say=lambda _: None)
    lean = open_for_sampling(str(home), text_memory="20KB", say=lambda _: None)
    assert lean.text_encoder is None and lean.tokenizer is None and whole.text_encoder is not None
    how = SampleSettings.of(whole, num_inference_steps=2, num_frames=9, height=32, width=32)
    assert np.abs(generate_clips(whole, PROMPTS, how).astype(int) - generate_clips(lean, PROMPTS, how).astype(int)).max() <= 1
    made = produce.produce(lean, PROMPTS, tmp_path / "clips", how, negative_prompt="blurred", say=lambda _: None)
    assert made["made"] == 2 and set(lean.reader.keys) == {*PROMPTS, "", "blurred"}
