"""Clips that were made beforehand, one for each setting: a slider a setting picks which one is shown."""

import html
import itertools

import numpy as np

from ..errors import KitError
from .bundle import image_tag, is_notebook, starter
from .linked import pages
from .movies import film_tag, player
from .sliders import NAMES, WIDE
from .strips import filmstrip_image, sheet, warned

PICTURED = 6                     # clips of the picture that is part of every page


def chooser(clips, settings, alt, caption="", fps=8, start=None, columns=2, frames=5, limit_kb=40):
    """Show a picture of some of the clips and, as a widget, a slider for each setting with the clip that belongs to it.

    clips: uint8 [n_1, ..., n_k, T, H, W, 3]. settings: {name: its n_i values}, in the order of the axes. start: {name: value} to begin
    with, default the first of each. alt, caption: of the picture, which shows up to six clips.
    """
    made = Choice(clips, settings, alt, fps, start, caption)
    shown = made.evenly(PICTURED)
    sheet([made.clip(at) for at in shown], [made.words(at) for at in shown], alt, caption, frames, columns, limit_kb=limit_kb)
    if is_notebook():
        from IPython.display import display

        display(made.form())


def chooser_page(clips, settings, alt, fps=8, **chosen):
    """Show the one clip of `chosen` (name=value for each setting) as `player` does: what stands behind the sliders of `chooser`."""
    made = Choice(clips, settings, alt, fps, chosen)
    player(made.clip(made.start), f"{alt} {made.words(made.start)}.", fps, made.words(made.start))


class Choice:
    """Which clip belongs to which values. start: places of the values to begin with. `form` makes the sliders."""

    def __init__(self, clips, settings, alt, fps=8, start=None, caption=""):
        self.clips, self.alt, self.fps, self.caption = np.asarray(clips), alt, fps, caption
        self.settings = {name: list(values) for name, values in settings.items()}
        sizes = tuple(len(values) for values in self.settings.values())
        if self.clips.dtype != np.uint8 or self.clips.shape[:-4] != sizes or not sizes or 0 in sizes:
            raise KitError(f"the settings name {' x '.join(map(str, sizes)) or 'no'} clips, but there are clips {self.clips.dtype} "
                           f"{list(self.clips.shape)}. Give uint8 with one axis for each setting, then [T, H, W, 3].")
        for name, value in (start or {}).items():
            if value not in self.settings.get(name, ()):
                raise KitError(f"{name}={value!r} is not there. There is: "
                               + "; ".join(f"{key}: {', '.join(map(str, values))}" for key, values in self.settings.items()) + ".")
        self.start = tuple(values.index((start or {}).get(name, values[0])) for name, values in self.settings.items())

    def clip(self, at):
        """The clip [T, H, W, 3] at places `at`, one for each setting."""
        return self.clips[tuple(at)]

    def words(self, at):
        """The values at these places, for a person."""
        return ", ".join(f"{name.replace('_', ' ')} {values[k]}" for (name, values), k in zip(self.settings.items(), at))

    def evenly(self, count):
        """Up to `count` places spread over all combinations, in order."""
        every = list(itertools.product(*(range(len(values)) for values in self.settings.values())))
        return [every[k] for k in np.unique(np.linspace(0, len(every) - 1, min(count, len(every))).astype(int))]

    def page(self, at):
        """HTML of one clip: its filmstrip and a player."""
        text = f"{self.alt} {self.words(at)}."
        strip = image_tag(filmstrip_image(self.clip(at), fps=self.fps, warning=warned(self.caption)), text)
        return (f'<p role="status"><b>{html.escape(self.words(at))}</b></p>{strip}<br>{film_tag(self.clip(at), text, self.fps)}'
                f"<p><i>{html.escape(self.caption)}</i></p>")

    def form(self):
        """The widget: a labelled slider for each setting, moved with the arrow keys too, and the clip below."""
        import ipywidgets as widgets

        sliders = [widgets.SelectionSlider(options=[(str(value), k) for k, value in enumerate(values)], value=self.start[n],
                                           description=name.replace("_", " "), style={"description_width": "initial"},
                                           layout=widgets.Layout(width=WIDE))
                   for n, (name, values) in enumerate(self.settings.items())]
        place = pages([(slider, "index", len(values)) for slider, values in zip(sliders, self.settings.values())], self.page)
        return widgets.VBox([widgets.HTML(f"Move a slider; the arrow keys do it too.{starter(NAMES)}"), *sliders, place])
