"""Where the memory of a model goes: a plan as a bar against the GPU's memory, and a panel to try other settings.

It draws what it is handed: `plan_function` is `medgen_kit.generate.plan.plan`, or anything that returns such dicts.
"""

from ..errors import KitError
from .bundle import is_notebook, starter
from .charts import COLOURS, figure, style
from .sliders import NAMES
from .tables import table

USES = ("weights", "training state", "activations", "VAE", "text encoder", "workspace")
TASKS = ("train-lora", "train-full", "sample")
GPUS = ("T4", "L4", "A100-40", "A100-80", "H100")
PRECISIONS = ("bf16", "int8", "nf4")
FRAMES = (9, 17, 25, 33, 49, 73, 81, 97)


def planner(plan_function, models, tasks=TASKS, gpus=GPUS, precisions=PRECISIONS, frames=FRAMES, start=None):
    """Show a plan and, in a notebook, menus for model, task, GPU and precision and a slider of frames; each change draws it again.

    plan_function(model=, task=, gpu=, precision=, frames=) returns a plan; its KitError is shown as a sentence. models: names. start: the
    choices to begin with, by name, default the first of each and 49 frames. The picture at the start is always part of the page.
    """
    offered = {"model": list(models), "task": list(tasks), "gpu": list(gpus), "precision": list(precisions), "frames": list(frames)}
    chosen = {name: values[0] for name, values in offered.items()} | ({"frames": 49} if 49 in frames else {})
    for name, value in (start or {}).items():
        if value not in offered.get(name, ()):
            raise KitError(f"start: {name}={value!r} is not offered. Offered: "
                           + "; ".join(f"{key}: {', '.join(map(str, values))}" for key, values in offered.items()) + ".")
        chosen[name] = value
    show_plan(plan_function(**chosen))
    if is_notebook():
        from IPython.display import display

        display(panel(plan_function, offered, chosen))


def panel(plan_function, offered, chosen):
    """The widget behind `planner`: four menus and a slider, below them the plan or the sentence that says why there is none."""
    import ipywidgets as widgets

    made = {name: (widgets.SelectionSlider if name == "frames" else widgets.Dropdown)(
        options=values, value=chosen[name], description=name.upper() if name == "gpu" else name,
        layout=widgets.Layout(width="min(100%, 340px)")) for name, values in offered.items()}
    made["frames"].continuous_update = False
    place = widgets.Output()

    def again(_=None):
        place.clear_output(wait=True)
        with place:
            try:
                show_plan(plan_function(**{name: widget.value for name, widget in made.items()}))
            except KitError as error:
                print(error)

    for widget in made.values():
        widget.observe(again, "value")
    return widgets.VBox([widgets.HTML(f"Choose: the plan is drawn again below.{starter(NAMES)}"), *made.values(), place])


def show_plan(found):
    """Show one plan: the bars, then the figures."""
    figure(plan_figure(found), plan_alt(found), verdict(found))
    table(plan_rows(found), f"{found['model']} on {found['gpu']}: {found['basis']}", digits=1)
    for note in found["notes"]:
        print(note)


def plan_figure(found):
    """A matplotlib figure: for each phase a bar of GiB stacked by use, against a line at the GPU's usable memory."""
    import matplotlib.pyplot as plt

    style()
    phases = found["phases"]
    fig, ax = plt.subplots(figsize=(8, 1.5 + 0.45 * len(phases)))
    for number, use in enumerate(USES):
        sizes = [used.get(use, 0.0) for used in phases.values()]
        before = [sum(used.get(other, 0.0) for other in USES[:number]) for used in phases.values()]
        if any(sizes):
            ax.barh(list(phases), sizes, left=before, label=use, color=COLOURS[number], height=0.6)
    usable = found["usable_gpu_gib"]
    ax.axvline(usable, color="black", linestyle="--")
    ax.annotate(f"{found['gpu']}: {usable:g} GiB", (usable, 1.02), xycoords=("data", "axes fraction"), ha="center", va="bottom")
    ax.set(xlabel="GPU memory (GiB)", xlim=(0, 1.08 * max(usable, *(sum(used.values()) for used in phases.values()))))
    ax.invert_yaxis()
    fig.legend(loc="outside lower center", ncols=6, fontsize=9)
    return fig


def plan_rows(found):
    """Rows of a table: GiB a phase and use, with the sum of each phase."""
    return [{"phase": phase, **{use: used.get(use) for use in USES if any(other.get(use) for other in found["phases"].values())},
             "together (GiB)": sum(used.values()), "fits": sum(used.values()) <= found["usable_gpu_gib"]}
            for phase, used in found["phases"].items()]


def plan_alt(found):
    """The figure in words."""
    bars = "; ".join(f"{phase} {sum(used.values()):.1f}" for phase, used in found["phases"].items())
    return f"Bars of GPU memory in GiB, a phase each: {bars}; the line of {found['gpu']} stands at {found['usable_gpu_gib']:g}."


def verdict(found):
    """One sentence: it fits, or what would."""
    asked = f"{found['model']}, {found['task']}, {found['frames']} frames, {found['precision']}"
    if found["fits"]:
        return f"{asked}: fits {found['gpu']} ({found['basis']})"
    new = found["first_fit"]
    if not new:
        return f"{asked}: does not fit {found['gpu']}, nor does any smaller setting"
    return (f"{asked}: does not fit {found['gpu']}; {new['frames']} frames of {new['width']}x{new['height']} in {new['precision']} would "
            f"({new['peak_gpu_gib']:.1f} GiB)")
