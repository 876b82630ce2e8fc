"""Checkpoints of a training: safetensors, whole or not there, the last few kept, resumed exactly.

A checkpoint holds what is trained (never the frozen base), the optimizer, averaged weights, gradient scaler, random states, and the step;
the order of the clips needs no state (`stream`). Sharded engines (FSDP, DeepSpeed) write their shards themselves, the frozen base among
them: keep few of those.
"""

import json
import os
import shutil
from pathlib import Path

import torch

from ..clip import write_text
from ..errors import KitError

PART = ".checkpoint.part"
MAY_DIFFER = ("max_steps", "minutes", "checkpoint_steps", "checkpoint_seconds", "keep", "validation_steps", "micro_batch",
              "gradient_checkpointing", "lr", "clip")        # settings with which a training may go on


def checkpoints(folder):
    """Whole checkpoints of a folder, oldest first (by the number of the step, not by letters)."""
    found = [path for path in Path(folder).glob("checkpoint-*") if (path / "progress.json").is_file()]
    return sorted(found, key=lambda path: int(path.name.split("-")[1]))


def trained(model):
    """{name: parameter} of what is trained."""
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


def save(folder, accelerator, model, optimizer, average, state, keep=2):
    """Write checkpoint-<step> of `state` (a dict for progress.json, with "step"), then remove all but the last `keep`."""
    folder = Path(folder)
    part, final = folder / PART, folder / f"checkpoint-{state['step']:07d}"
    if accelerator.is_main_process:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
    accelerator.wait_for_everyone()
    if sharded(accelerator):
        accelerator.save_state(str(part), safe_serialization=True)
    if accelerator.is_main_process:
        more = {} if sharded(accelerator) else write_parts(part, accelerator, model, optimizer, average)
        write_text(part / "progress.json", json.dumps({**state, **more}))
        shutil.rmtree(final, ignore_errors=True)                    # left over from a run whose newer checkpoints were removed
        os.replace(part, final)
        for old in checkpoints(folder)[:-keep]:
            shutil.rmtree(old, ignore_errors=True)
    accelerator.wait_for_everyone()


def restore(folder, accelerator, model, optimizer, average, belongs):
    """Load the newest whole checkpoint; its state, or None when there is none. KitError when it belongs to other settings, another model
    or other clips (`belongs`)."""
    found = checkpoints(folder)
    if not found:
        return None
    state = json.loads((found[-1] / "progress.json").read_text(encoding="utf-8"))
    refuse_other(found[-1], state["belongs"], belongs)
    if sharded(accelerator):
        accelerator.load_state(str(found[-1]))
    else:
        read_parts(found[-1], accelerator, model, optimizer, average, state)
    return {key: value for key, value in state.items() if key not in ("optimizer", "scaler", "average")}


def sharded(accelerator):
    return str(accelerator.distributed_type).split(".")[-1] in ("FSDP", "DEEPSPEED", "MEGATRON_LM")


def refuse_other(path, old, new):
    """KitError that names the settings in which a checkpoint differs from the recipe that should go on with it."""
    may = MAY_DIFFER if new.get("schedule") == "constant" else MAY_DIFFER[1:]          # other schedules are spread over max_steps
    differ = [f"{key} was {old.get(key)!r} and is {new[key]!r}" for key in new if key not in may and old.get(key) != new[key]]
    if differ:
        raise KitError(f"{path} was made with other settings: {'; '.join(differ)}. Set them back, or train in another folder.")


def write_parts(part, accelerator, model, optimizer, average):
    """The tensors of a checkpoint as safetensors files; what is no tensor is returned, for progress.json."""
    from safetensors.torch import save_file

    plain = accelerator.unwrap_model(model)
    save_file({name: p.detach().contiguous() for name, p in trained(plain).items()}, part / "weights.safetensors")
    inner = optimizer.state_dict()
    tensors = {f"{number}.{key}": value.clone() for number, values in inner["state"].items() for key, value in values.items()
               if torch.is_tensor(value)}
    others = {f"{number}.{key}": value for number, values in inner["state"].items() for key, value in values.items()
              if not torch.is_tensor(value)}
    save_file(tensors, part / "optimizer.safetensors")
    if average is not None:
        save_file({str(k): p.contiguous() for k, p in enumerate(average.shadow_params)}, part / "average.safetensors")
    states = {"cpu": torch.get_rng_state()}
    states |= {f"cuda{k}": s for k, s in enumerate(torch.cuda.get_rng_state_all())} if torch.cuda.is_available() else {}
    save_file(states, part / "random.safetensors")
    return {"optimizer": {"groups": inner["param_groups"], "others": others},
            "scaler": accelerator.scaler.state_dict() if accelerator.scaler is not None else None,
            "average": average.optimization_step if average is not None else None}


def read_parts(path, accelerator, model, optimizer, average, state):
    """The way back of `write_parts`."""
    from safetensors.torch import load_file

    wanted, found = trained(accelerator.unwrap_model(model)), load_file(path / "weights.safetensors")
    if set(wanted) != set(found) or any(wanted[name].shape != found[name].shape for name in wanted):
        raise KitError(f"{path} holds other weights than this model trains. Train in another folder.")
    with torch.no_grad():
        for name, parameter in wanted.items():
            parameter.copy_(found[name])
    values = {}
    for name, value in [*load_file(path / "optimizer.safetensors").items(), *state["optimizer"]["others"].items()]:
        number, key = name.split(".", 1)
        values.setdefault(int(number), {})[key] = value
    optimizer.load_state_dict({"state": values, "param_groups": state["optimizer"]["groups"]})
    if accelerator.scaler is not None and state["scaler"]:
        accelerator.scaler.load_state_dict(state["scaler"])
    if average is not None:
        shadows = load_file(path / "average.safetensors")
        average.optimization_step = state["average"]
        for k, shadow in enumerate(average.shadow_params):
            shadow.copy_(shadows[str(k)])
    states = load_file(path / "random.safetensors")
    torch.set_rng_state(states["cpu"])
    if torch.cuda.is_available():
        for k in range(min(torch.cuda.device_count(), sum(name.startswith("cuda") for name in states))):
            torch.cuda.set_rng_state(states[f"cuda{k}"], k)
