"""The networks behind the metrics, by name: "light" needs no download, "parity" is what VBench uses.

    networks = backbones.load("light", align_folder=run.folder("align"))     # with the towers that the course trained
    networks = backbones.load("parity", where="weights")                     # local copies, else the hub
    networks.part("subject")                                                 # loaded when it is first asked for
"""

import functools
from pathlib import Path

from ...errors import KitError

NAMES = ("light", "parity")
# part of vbench -> (loader in `parity`, name of its local copy in the folder `where`)
PARITY = {"subject": ("dino", "dino-vitb16"), "background": ("clip", "clip-vit-base-patch32"), "interpolator": ("amt", "amt-s.pth"),
          "quality": ("musiq", "musiq_spaq_ckpt-358bb6af.pth"), "aesthetic": ("clip_large", "clip-vit-large-patch14"),
          "aesthetic_head": ("aesthetic_head", "sa_0_4_vit_l_14_linear.pth"), "flow": ("raft", "raft-things.pth")}


class Backbone:
    """A set of networks. name: one of NAMES. align_folder: a finished stage `align` (light). where: folder with local copies (parity)."""

    def __init__(self, name="light", align_folder=None, where=None):
        if name not in NAMES:
            raise KitError(f"there is no backbone '{name}'. Choose 'light' (needs no download) or 'parity' (the networks of VBench).")
        if where and not Path(where).is_dir():
            raise KitError(f"{where} is no folder. Put the weights there ({', '.join(local for _, local in PARITY.values())}), or leave it "
                           "out to have them downloaded.")
        self.name, self.align_folder, self.where, self.parts = name, align_folder, where, {}

    def part(self, part):
        """The network for one part: subject, background, interpolator, quality, aesthetic, aesthetic_head, flow, video, text, concepts."""
        if part not in self.parts:
            self.parts[part] = self._load(part)
        return self.parts[part]

    def _load(self, part):
        if self.name == "light":
            from . import light
            return light.part(part, self.align_folder)
        if part not in PARITY:
            raise KitError(f"the backbone 'parity' has no network for '{part}': VBench takes ViCLIP for it, which no library here reads, "
                           "and knows no concepts. Hand an encoder to overall_consistency yourself, or use 'light' with a run's towers.")
        from . import parity
        loader, local = PARITY[part]
        copy = Path(self.where) / local if self.where else None
        return getattr(parity, loader)(str(copy)) if copy is not None and copy.exists() else getattr(parity, loader)()

    def facts(self, part):
        """{"backbone": name of the network, "weights": mark of its weights, "" where it has none} for the settings of a result."""
        network = self.part(part)
        return {"backbone": getattr(network, "name", type(network).__name__), "weights": getattr(network, "weights", "")}


@functools.lru_cache(maxsize=4)
def load(name="light", align_folder=None, where=None):
    """The `Backbone` of that name; the same one for the same arguments."""
    return Backbone(name, align_folder, where)


def of_profile():
    """The backbone of the profile that MEDGEN_PROFILE names (section `evaluate`: backbone, weights), without the towers of any run."""
    from ... import profiles

    settings = profiles.load("", check=False).evaluate
    return load(settings.backbone, None, settings.weights or None)
