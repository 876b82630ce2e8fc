"""Does a clip show the medical concepts that its prompt asked for? Marks of a concept head, per axis, beside guessing.

The head is the one that alignment trained, and the generator's alignment loss came from concepts too: this figure may
flatter the generator. The independent examiner is `scorer`.
"""

import numpy as np

from ..errors import KitError


def concept_marks(logits, present, known, names):
    """Concepts read from clips against concepts said by prompts.

    logits: [N, C] of the concept head. present, known: [N, C] in 0..1 (`align.ConceptSet.targets` of the prompts). names: [C]
    tags such as "finding/polyp". Returns a list of rows {"axis", "shown" (share of asked concepts that are seen), "absent" (share
    of excluded concepts that are not seen), "balanced" (their mean; a guess scores 0.5), "asked", "excluded"}, last row "all".
    """
    logits, present, known = (np.asarray(x) for x in (logits, present, known))
    if logits.shape != present.shape or logits.shape != known.shape or logits.shape[1] != len(names):
        raise KitError(f"logits {list(logits.shape)}, present {list(present.shape)}, known {list(known.shape)} and {len(names)} names "
                       "must describe the same clips and concepts.")
    axes = np.array([name.split("/")[0] for name in names])
    rows = [one_axis(axis, logits[:, axes == axis], present[:, axes == axis], known[:, axes == axis]) for axis in sorted(set(axes))]
    return rows + [one_axis("all", logits, present, known)]


def one_axis(axis, logits, present, known):
    """One row of `concept_marks`."""
    asked, excluded, seen = (present > 0) & (known > 0), (present == 0) & (known > 0), logits > 0
    shown = float(seen[asked].mean()) if asked.any() else None
    absent = float((~seen[excluded]).mean()) if excluded.any() else None
    both = None if shown is None or absent is None else (shown + absent) / 2
    return {"axis": axis, "shown": shown, "absent": absent, "balanced": both, "asked": int(asked.sum()), "excluded": int(excluded.sum())}


def read_concepts(align_folder, frames, prompts, batch=64):
    """(logits, present, known, names) of clips uint8 [N, T, S, S, 3] and their prompts, with the towers of a finished align stage."""
    import torch

    from ..align import ConceptSet, VideoTextModel
    model, _ = VideoTextModel.load(align_folder)
    concepts = ConceptSet.load(f"{align_folder}/concepts.json")
    present, known = concepts.targets(list(prompts))
    with torch.no_grad():
        logits = [model.concept_head(model.frame_features(torch.as_tensor(np.ascontiguousarray(frames[i:i + batch]))).mean(1))
                  for i in range(0, len(frames), batch)]
    return torch.cat(logits).numpy(), present, known, concepts.names
