"""Feature alignment (REPA, Yu et al. 2024): what a middle block has in mind is projected and compared with features of the clip that a
frozen network made. The same for MedGen-tiny and for the large models."""

from torch import nn


def projector(width, features):
    """Hidden state of `width` numbers -> `features` numbers to compare."""
    return nn.Sequential(nn.Linear(width, 256), nn.SiLU(), nn.Linear(256, features))


def watch_middle(blocks, keep):
    """Call keep(hidden state [B, tokens, width]) whenever the middle one of the blocks has run."""
    def ran(_module, _inputs, output):
        keep(output[0] if isinstance(output, tuple) else output)

    blocks[max(0, len(blocks) // 2 - 1)].register_forward_hook(ran)


def feature_loss(projected, features):
    """1 - cosine of projected hidden frames and features, both [B, T, D], averaged; features of another T are resampled in time."""
    if features.shape[1] != projected.shape[1]:
        features = nn.functional.interpolate(features.transpose(1, 2), projected.shape[1], mode="linear").transpose(1, 2)
    return 1 - nn.functional.cosine_similarity(projected, features, dim=-1).mean()
