"""Models by name, from the hub's cache or a hub of our own: never one in place of another, and only the parts that were asked for."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

import numpy as np
import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler
from safetensors.torch import save_file

from medgen_kit import KitError
from medgen_kit.align import text_tower, train_tokenizer
from medgen_kit.generate import EigenframeTokenizer, MedGenTinyPipeline, TinyWan
from medgen_kit.generate.opening import open_model
from medgen_kit.generate.weights import parts_of, weights_hash
from tests.generate.tiny_families import SIZES, apart, load, to_original_layout, video

WAN, MEDGEN = "Wan-AI/Wan2.1-T2V-1.3B-Diffusers", "FreedomIntelligence/MedGen-1.3B"


def into_cache(cache, repo, folder, commit="a" * 40):
    """Lay the files of `folder` into a cache as huggingface_hub does: blobs by hash, links in a snapshot. Returns the snapshot."""
    place = cache / f"models--{repo.replace('/', '--')}"
    (place / "refs").mkdir(parents=True)
    (place / "blobs").mkdir()
    (place / "refs" / "main").write_text(commit)
    for file in (file for file in folder.rglob("*") if file.is_file()):
        link = place / "snapshots" / commit / file.relative_to(folder)
        link.parent.mkdir(parents=True, exist_ok=True)
        blob = place / "blobs" / hashlib.sha256(file.read_bytes()).hexdigest()
        shutil.copy(file, blob)
        link.symlink_to(blob)
    return place / "snapshots" / commit


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def medgen_in(layout, tuned, folder):
    """A repository of MedGen as it may be laid out: a pipeline, the original file, or a LoRA."""
    folder.mkdir(parents=True)
    if layout == "diffusers":
        shutil.copytree(tuned[0], folder, dirs_exist_ok=True)
    else:
        save_file(to_original_layout(tuned[1]), folder / "diffusion_pytorch_model.safetensors")
        (folder / "config.json").write_text('{"_class_name": "WanModel", "dim": 48, "num_layers": 2}')
    return folder


@pytest.mark.parametrize("layout", ["diffusers", "original"])
def test_medgen_by_name_from_the_cache_in_both_layouts(saved, tuned, cache, tmp_path, layout):
    into_cache(cache, MEDGEN, medgen_in(layout, tuned, tmp_path / "repo"))
    if layout == "original":
        into_cache(cache, WAN, saved["wan"])
    pipe = open_model("medgen-1.3b", local_files_only=True)
    assert pipe.kit == {"model": "medgen-1.3b", "medical": True, "family": "wan", "source": MEDGEN, "layout": layout,
                        "weights": weights_hash(pipe_files(cache, layout))}
    assert apart(video(pipe), video(load("wan", tuned[0]))) < 1e-5 < 1e-3 < apart(video(pipe), video(load("wan", saved["wan"])))
    same = open_model(MEDGEN)                                           # the repository's name says as much; HF_HUB_OFFLINE is set
    assert same.kit == pipe.kit
    here = open_model(next((cache / f"models--{MEDGEN.replace('/', '--')}" / "snapshots").iterdir()), base_folder=saved["wan"])
    assert (here.kit["model"], here.kit["medical"], here.kit["weights"]) == ("medgen-1.3b", True, pipe.kit["weights"])


def pipe_files(cache, layout):
    snapshot = next((cache / f"models--{MEDGEN.replace('/', '--')}" / "snapshots").iterdir())
    return snapshot if layout == "diffusers" else sorted(snapshot.glob("*.safetensors"))


def test_medgen_as_a_lora_alone_is_put_on_its_base(saved, wan_lora, cache):
    into_cache(cache, MEDGEN, wan_lora)
    into_cache(cache, WAN, saved["wan"])
    pipe = open_model("medgen-1.3b", local_files_only=True)
    assert pipe.kit["medical"] and pipe.kit["layout"] == "lora" and pipe.kit["lora"]["layers"] == 18
    assert apart(video(pipe), video(open_model(saved["wan"], lora=wan_lora))) < 1e-5


def test_a_medical_model_that_cannot_be_had_is_not_replaced(saved, tuned, cache, tmp_path):
    base = into_cache(cache, WAN, saved["wan"])                          # the general model would be at hand
    assert open_model("wan2.1-1.3b", local_files_only=True).kit["medical"] is False
    refused = "MedGen-1.3B is not in the local cache.*The medical model medgen-1.3b was not opened.*called 'wan2.1-1.3b'; it has learned no"
    with pytest.raises(KitError, match=refused):
        open_model("medgen-1.3b", local_files_only=True)
    with pytest.raises(KitError, match=f"is a copy of {WAN}, and not of {MEDGEN}.*was not opened"):
        open_model("medgen-1.3b", folder=base)
    with pytest.raises(KitError, match="folder='nowhere' is not there.*was not opened"):
        open_model("medgen-1.3b", folder="nowhere")
    snapshot = into_cache(cache, MEDGEN, medgen_in("original", tuned, tmp_path / "repo"))
    weights = snapshot / "diffusion_pytorch_model.safetensors"
    weights.resolve().write_bytes(weights.read_bytes()[:-4])
    with pytest.raises(KitError, match="half downloaded.*was not opened"):
        open_model("medgen-1.3b", local_files_only=True)
    weights.unlink()
    with pytest.raises(KitError, match="neither model_index.json nor .*was not opened"):
        open_model("medgen-1.3b", local_files_only=True)
    with pytest.raises(KitError, match="should be medgen-1.3b, a model of the family wan, but holds a LTXPipeline"):
        open_model("medgen-1.3b", folder=saved["ltx"])


def test_a_damaged_blob_in_the_cache_has_the_wrong_checksum(saved, cache):
    snapshot = into_cache(cache, WAN, saved["wan"])
    blob = (snapshot / "vae" / "diffusion_pytorch_model.safetensors").resolve()
    blob.write_bytes(blob.read_bytes()[:-4] + b"\1\2\3\4")
    with pytest.raises(KitError, match="vae/diffusion_pytorch_model.safetensors has the wrong checksum") as error:
        open_model("wan2.1-1.3b", local_files_only=True)
    assert str(blob) in str(error.value)
    open_model("wan2.1-1.3b", local_files_only=True, components=("transformer",))              # what is not opened is not looked at
    blob.unlink()
    (blob.parent / "x.incomplete").write_bytes(b"part")
    with pytest.raises(KitError, match="is missing and a download was interrupted"):
        open_model("wan2.1-1.3b", local_files_only=True)


def test_names_that_are_none(saved, tmp_path):
    for name, said in (("wan2.1-1.3", "no model 'wan2.1-1.3'.*wan2.1-1.3b"), ("./nowhere/x", "is not there. Check the path"),
                       ("medgen-tiny", "lesson 05 trains it"), ("own/model", "own/model is not in the local cache")):
        with pytest.raises(KitError, match=said):
            open_model(name, local_files_only=True)
    (tmp_path / "two").mkdir()
    for name in ("a", "b"):
        save_file({"blocks.0.self_attn.q.weight": torch.zeros(2, 2)}, tmp_path / "two" / f"{name}.safetensors")
    with pytest.raises(KitError, match="holds 2 files that could be meant: a.safetensors, b.safetensors"):
        open_model(tmp_path / "two")
    with pytest.raises(KitError, match="no component motor; it has: "):
        open_model(saved["wan"], components=("motor",))


class Hub(BaseHTTPRequestHandler):
    """A hub on this machine: one repository, served as the real one does, and some to which it says no."""

    REFUSED = {"own/gated": (403, "GatedRepo"), "own/absent": (404, "RepoNotFound"), "own/there": (404, "RevisionNotFound"),
               "own/tired": (503, "")}
    folder, commit = None, "b" * 40

    def do_GET(self):
        for repo, (status, code) in self.REFUSED.items():
            if repo in self.path:
                return self.reply(status, b"", {"X-Error-Code": code})
        files = {file.relative_to(self.folder).as_posix(): file.read_bytes() for file in self.folder.rglob("*") if file.is_file()}
        if "/resolve/" in self.path:
            raw = files[unquote(self.path.split(f"/resolve/{self.commit}/")[1])]
            return self.reply(200, raw, {"ETag": f'"{hashlib.sha256(raw).hexdigest()}"', "X-Repo-Commit": self.commit})
        tree = [{"type": "file", "path": path, "size": len(raw), "oid": hashlib.sha1(raw).hexdigest(),
                 "lfs": {"oid": hashlib.sha256(raw).hexdigest(), "size": len(raw), "pointerSize": 100}} for path, raw in files.items()]
        answer = tree if "/tree/" in self.path else {"id": WAN, "sha": self.commit, "siblings": []}
        self.reply(200, json.dumps(answer).encode(), {"Content-Type": "application/json"})

    do_HEAD = do_GET

    def reply(self, status, raw, headers):
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(raw))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(raw)

    def log_message(self, *_):
        pass


ASK = """
import sys
from pathlib import Path
from medgen_kit import KitError
from medgen_kit.generate.opening import open_model
for repo, revision in (("own/gated", None), ("own/absent", None), ("own/there", "v9"), ("own/tired", None)):
    try:
        open_model(repo, revision=revision)
    except KitError as error:
        print(error)
for components in (("transformer",), None):
    pipe = open_model("wan2.1-1.3b", components=components)
    print(pipe.kit["weights"], *sorted({file.parent.name for file in Path(sys.argv[1]).rglob("*.safetensors")}), pipe.vae is None)
print(len(list(Path(sys.argv[1]).rglob("*.fp16.safetensors"))))
"""


def test_a_hub_is_asked_for_the_wanted_parts_only_and_its_refusals_are_sentences(saved, tmp_path):
    Hub.folder = shutil.copytree(saved["wan"], tmp_path / "repo")
    shutil.copy(Hub.folder / "vae" / "diffusion_pytorch_model.safetensors", Hub.folder / "vae" / "diffusion_pytorch_model.fp16.safetensors")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    env = os.environ | {"HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}", "HF_HUB_OFFLINE": "0", "HF_HOME": str(tmp_path / "home"),
                        "NO_PROXY": "127.0.0.1"}
    said = subprocess.run([sys.executable, "-c", ASK, str(tmp_path / "home")], env=env, capture_output=True, text=True, timeout=120)
    server.shutdown()
    assert said.returncode == 0, said.stderr
    gated, absent, revision, tired, some, whole, variants = said.stdout.splitlines()
    assert gated.startswith("own/gated asks you to accept its terms first") and "own/absent is not on the hub" in absent
    assert "own/there has no revision 'v9'" in revision and "own/tired could not be reached" in tired and "folder=" in tired
    weights = weights_hash(saved["wan"])
    assert some == f"{weights} transformer True" and whole == f"{weights} text_encoder transformer vae False" and variants == "0"


def test_medgen_tiny_is_opened_as_itself_and_takes_no_foreign_lora(wan_lora, tmp_path):
    frames = np.random.default_rng(0).integers(0, 256, (20, 9, 16, 16, 3), dtype=np.uint8)
    tokenizer = train_tokenizer(["a beating heart in an echocardiogram"] * 3)
    MedGenTinyPipeline(tokenizer, text_tower(len(tokenizer), hidden=24), TinyWan(16, 32, 2, 2, 24), EigenframeTokenizer.fit(frames, 16),
                       FlowMatchEulerDiscreteScheduler(shift=1.0)).save_pretrained(tmp_path)
    pipe = open_model(tmp_path)
    assert (pipe.kit["model"], pipe.kit["medical"], pipe.kit["family"]) == ("medgen-tiny", True, "tiny")
    assert open_model("medgen-tiny", folder=tmp_path).kit["weights"] == pipe.kit["weights"] == weights_hash(tmp_path)
    assert pipe(prompt="a beating heart", num_inference_steps=2).frames.shape == (1, 9, 16, 16, 3)
    with pytest.raises(KitError, match="trained on a model of another size: blocks.0.attn1"):
        open_model(tmp_path, lora=wan_lora)


# ---- parts of a pipeline


@pytest.mark.parametrize("family", SIZES)
def test_only_the_named_components_are_opened(saved, family):
    text = [name for name in parts_of(saved[family]) if name.startswith(("tokenizer", "text_encoder"))]
    pipe = open_model(saved[family], components=text)
    assert {name for name, part in pipe.components.items() if part is not None} == {*text, "scheduler"} and pipe.kit["weights"] == ""
    pipe = open_model(saved[family], torch.bfloat16, components=("transformer",))
    assert {name for name, part in pipe.components.items() if part is not None} == {"transformer", "scheduler"}
    same = load(family, saved[family], dtype=torch.bfloat16).transformer.state_dict()
    assert all(tensor.dtype == same[name].dtype for name, tensor in pipe.transformer.state_dict().items())
    pipe = open_model(saved[family], torch.bfloat16)
    assert pipe.vae.dtype == torch.float32 and pipe.text_encoder.dtype == torch.bfloat16
