"""Tiny pipelines that several tests open, made once a session."""

import shutil

import pytest
from safetensors.torch import load_file

from tests.generate.tiny_families import SIZES, load, lora_of, make


@pytest.fixture(scope="session")
def saved(tmp_path_factory):
    """{family: folder} of tiny pipelines, made once."""
    place = tmp_path_factory.mktemp("tiny")
    return {family: make(family, place / family) for family in SIZES}


@pytest.fixture(scope="session")
def tuned(saved, tmp_path_factory):
    """A 'fine-tuned' Wan: the base's pipeline with another transformer; its folder and its transformer's tensors."""
    folder = make("wan", tmp_path_factory.mktemp("tuned") / "wan", seed=7)
    for part in ("text_encoder", "vae"):
        shutil.rmtree(folder / part)
        shutil.copytree(saved["wan"] / part, folder / part)
    return folder, load_file(folder / "transformer" / "diffusion_pytorch_model.safetensors")


@pytest.fixture(scope="session")
def wan_lora(saved, tmp_path_factory):
    return lora_of(load("wan", saved["wan"]), tmp_path_factory.mktemp("lora"), targets=("to_q", "to_k", "to_v", "to_out.0", "net.2"))
