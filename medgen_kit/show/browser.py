"""A browser over clips: choose a kind, move the slider. `explorer_page` shows one clip without any widget."""

from collections import Counter

from ..errors import KitError
from .bundle import is_notebook
from .movies import player
from .tables import table


def explorer(clips, kind=None):
    """Show a browser over a list of Clip: a menu of kinds and a slider. kind: Clip -> text (default: its modality, else its category).

    A page that is not running shows no widgets: call `explorer_page(clip)` in the next cell.
    """
    if not clips:
        raise KitError("explorer was handed no clips; make the stage that holds them first.")
    kind = kind or (lambda clip: clip.factors.get("modality") or clip.video_category)
    if not is_notebook():
        print("  ".join(f"{name}: {count} clips" for name, count in Counter(map(kind, clips)).items()), flush=True)
        return
    import ipywidgets
    from IPython.display import display

    groups = {name: [clip for clip in clips if kind(clip) == name] for name in sorted({kind(clip) for clip in clips})}
    menu = ipywidgets.Dropdown(options=[(f"{name} ({len(group)})", name) for name, group in groups.items()], description="kind")
    slider = ipywidgets.IntSlider(min=1, max=len(groups[menu.value]), description="clip", continuous_update=False)
    place = ipywidgets.Output()

    def draw(_=None):
        slider.max = len(groups[menu.value])
        with place:
            place.clear_output(wait=True)
            explorer_page(groups[menu.value][slider.value - 1])

    menu.observe(draw, "value")
    slider.observe(draw, "value")
    # Nothing is drawn before the reader moves: a page run without a reader has nobody to draw into the widget for.
    hint = ipywidgets.Label("Choose a kind or move the slider; the clip appears below.")
    display(ipywidgets.VBox([ipywidgets.HBox([menu, slider]), hint, place]))


def explorer_page(clip):
    """Show one Clip: filmstrip, player and its record."""
    motion = f" Camera: {clip.camera_motion_type}." if clip.camera_motion_type else ""
    player(clip, alt=f"{clip.video_category}: {clip.detailed_caption or clip.brief_caption or clip.video_name}{motion}")
    facts = {"brief caption": clip.brief_caption, "detailed caption": clip.detailed_caption, "category": clip.video_category,
             "size": f"{clip.resolution} pixels, {clip.duration:.1f} s at {clip.fps:g} frames a second", "source": clip.source,
             "licence": clip.licence, "split": clip.split, "concepts": clip.concepts,
             "factors": [f"{key} = {value}" for key, value in clip.factors.items()]}
    table({key: value for key, value in facts.items() if value}, caption=clip.video_name)
