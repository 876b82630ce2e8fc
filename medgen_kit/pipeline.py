"""The flow as one table: which function makes which stage, from which stages, with which settings of the profile.

    sources -> curate -> caption -> align -> generate -> sample -> evaluate
"""

import importlib
from dataclasses import dataclass

from .errors import KitError
from .run import folder_mark


@dataclass(frozen=True)
class Stage:
    """maker: "module:function" inside medgen_kit. needs: stages it reads. sections: the parts of the profile it depends on.
    reads: (section, setting) that names a folder of the user's, whose files count too.
    """

    maker: str
    needs: tuple = ()
    sections: tuple = ()
    reads: tuple = ()

    def settings(self, profile):
        """What the stage depends on besides its inputs and its code."""
        found = profile.settings(*self.sections)
        if self.reads:
            section, name = self.reads
            found["files"] = folder_mark(found[section].get(name))
        return found

    def function(self):
        module, name = self.maker.split(":")
        return getattr(importlib.import_module(f"medgen_kit.{module}"), name)


FLOW = {
    "taste": Stage("generate.taste:build", (), ("taste", "generate")),
    "sources": Stage("sources.samples:build", (), ("data",)),
    "raw": Stage("sources.raw:build", (), ("data", "curate")),
    "curate": Stage("curate.stage:build", ("raw",), ("data", "curate"), ("curate", "folder")),
    "caption": Stage("caption.stage:build", ("sources", "curate"), ("caption",)),
    "align": Stage("align.stage:build", ("caption",), ("align", "generate")),
    "generate": Stage("generate.stage:build", ("align",), ("generate",)),
    "tune": Stage("generate.adapt:build", ("caption", "align", "generate"), ("tune", "generate"), ("tune", "clips")),
    "ablate": Stage("generate.ablate:build", ("align", "generate"), ("generate", "ablate", "sample")),
    "sample": Stage("generate.sample:build", ("generate",), ("sample",)),
    "evaluate": Stage("evaluate.stage:build", ("align", "generate", "sample"), ("evaluate",)),
    "augment": Stage("evaluate.augment:build", ("generate", "ablate"), ("augment", "generate")),
    "transfer": Stage("evaluate.transfer:build", ("align", "generate", "evaluate"), ("transfer", "generate")),
}


def missing(run, stage):
    """Names of the stages that `need(run, stage)` would make, in that order; [] when the stage stands."""
    step, names = FLOW[stage], []
    for before in step.needs:
        names += [name for name in missing(run, before) if name not in names]
    stands = not names and run.is_done(stage, step.function(), step.needs, step.settings(run.profile))
    return names if stands else [*names, stage]


def need(run, stage, watch=None):
    """Folder of a finished stage. What is missing before it is made first, smallest first, and said so. KitError when the run was made with
    another profile and a stage of it would be replaced.

    watch: for a stage that trains, something with `update(step, loss=, seconds_left=, picture=, ...)` (`show.monitor`).
    """
    if stage not in FLOW:
        raise KitError(f"there is no stage '{stage}'. Stages: {', '.join(FLOW)}.")
    step = FLOW[stage]
    for before in step.needs:
        need(run, before)
    settings = step.settings(run.profile)
    if not run.is_done(stage, step.function(), step.needs, settings):
        why = run.why_again(stage, step.needs, settings)
        print(f"Making stage '{stage}' of run '{run.root.name}' (profile '{run.profile.name}') ..."
              + f" The one that stands is replaced ({why})." * bool(why), flush=True)
    return run.make(stage, step.function(), step.needs, settings, watch)
