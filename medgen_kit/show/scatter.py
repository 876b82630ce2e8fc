"""A map of clips: points coloured by kind, and the clip of the point that was chosen."""

import html

import numpy as np

from ..errors import KitError
from .bundle import is_notebook, starter
from .charts import COLOURS, figure
from .linked import pages
from .movies import film_tag, player

WIDTH, HEIGHT, EDGE = 640, 420, 14                  # of the map, pixels
STORED = 160                                        # pixels of a side of a stored film: a map holds hundreds
MARKERS = "osD^vP*XdH"                              # beside the colour, for a reader who cannot tell colours apart
DRAWN = {"o": '<circle r="5"/>', "s": '<rect x="-4.5" y="-4.5" width="9" height="9"/>', "D": '<path d="M0-6 6 0 0 6-6 0z"/>',
         "^": '<path d="M0-6 6 5H-6z"/>', "v": '<path d="M0 6 6-5H-6z"/>', "P": '<path d="M-2-6H2V-2H6V2H2V6H-2V2H-6V-2H-2z"/>',
         "*": '<path d="M0-7 2-2H7L3 1 5 6 0 3-5 6-3 1-7-2H-2z"/>', "X": '<path d="M-6-4-4-6 0-2 4-6 6-4 2 0 6 4 4 6 0 2-4 6-6 4-2 0z"/>',
         "d": '<path d="M0-7 4 0 0 7-4 0z"/>', "H": '<path d="M0-6 5-3V3L0 6-5 3V-3z"/>'}

# A click, Enter or the space bar writes the point's number into the field below the map, as typing would; what was typed gets a ring.
# One point at a time lies in the tab order; the arrow keys go to the next one. Jupyter's own shortcuts are held off.
CLICK = """(function (mark) {
  var root = mark.closest('.medgen-clip-map');
  if (!root || root.dataset.ready) return;
  root.dataset.ready = 'on'; root.setAttribute('data-lm-suppress-shortcuts', 'true');
  function choose(point) {
    var field = root.querySelector('input');
    if (!point || !field) return;
    Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set.call(field, point.dataset.clip);
    field.dispatchEvent(new Event('input', {bubbles: true}));
    field.dispatchEvent(new Event('change', {bubbles: true}));
  }
  function enter(point) {
    root.querySelectorAll('[data-clip]').forEach(function (one) { one.setAttribute('tabindex', one === point ? '0' : '-1'); });
    point.focus();
  }
  root.addEventListener('click', function (event) { choose(event.target.closest('[data-clip]')); });
  root.addEventListener('keydown', function (event) {
    var point = event.target.closest('[data-clip]'), all = Array.from(root.querySelectorAll('[data-clip]')), at = all.indexOf(point);
    var to = {ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: all.length - 1}[event.key];
    if (!point || event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key === 'Enter' || event.key === ' ') choose(point);
    else if (to !== undefined) enter(all[Math.max(0, Math.min(all.length - 1, to))]);
    else return;
    event.preventDefault(); event.stopPropagation();
  });
  root.addEventListener('change', function (event) {
    root.querySelectorAll('[data-clip] .ring').forEach(function (ring) {
      var chosen = ring.parentNode.dataset.clip === event.target.value.trim();
      ring.style.display = chosen ? 'inline' : 'none'; ring.parentNode.setAttribute('aria-pressed', chosen);
    });
  });
})(this)"""
RING = '<circle class="ring" r="10" fill="none" stroke="black" stroke-width="2.5" style="display:none"/>'


def clip_map(points, clips, kinds, titles, alt, caption="", fps=8):
    """Show a map of clips and, as a widget, the same map to click: the clip of a point appears below it.

    points: [N, 2]. clips: uint8 [N, T, H, W, 3] or a list of N [T, H, W, 3]. kinds: N texts, a colour and a marker each. titles: N texts.
    """
    made = ClipMap(points, clips, kinds, titles, fps)
    figure(made.figure(), alt, caption)
    if is_notebook():
        from IPython.display import display

        display(made.form())


def clip_map_page(points, clips, kinds, titles, number, fps=8):
    """Show clip `number` (from 1) of a map, with its nearest neighbours by title: what a click in `clip_map` does."""
    made = ClipMap(points, clips, kinds, titles, fps)
    player(made.clip(number), made.words(number), fps, made.words(number))


class ClipMap:
    """Points, clips and words of a map; clips are numbered from 1. `form` makes the widget."""

    def __init__(self, points, clips, kinds, titles, fps=8):
        self.points, self.clips, self.fps = np.asarray(points, float), clips, fps
        self.kinds, self.titles = list(map(str, kinds)), list(map(str, titles))
        sizes = {len(self.points), len(clips), len(self.kinds), len(self.titles)}
        if len(sizes) != 1 or self.points.ndim != 2 or self.points.shape[1] != 2 or not len(self.points):
            raise KitError(f"a map needs points [N, 2] and as many clips, kinds and titles; it got {list(self.points.shape)} and "
                           f"{len(clips)}, {len(self.kinds)}, {len(self.titles)}.")
        if not np.isfinite(self.points).all():
            raise KitError("a point of the map is not a number. Leave that clip out.")
        names = sorted(set(self.kinds))
        if len(names) > len(MARKERS):
            raise KitError(f"a map can tell {len(MARKERS)} kinds apart, not {len(names)}. Group them first.")
        self.look = {name: (COLOURS[k], MARKERS[k]) for k, name in enumerate(names)}

    def clip(self, number):
        """The clip with this number, from 1."""
        if not 1 <= number <= len(self.clips):
            raise KitError(f"there is no clip {number}; the map has clips 1 to {len(self.clips)}.")
        return self.clips[number - 1]

    def words(self, number):
        """Kind and title of a clip."""
        return f"{number}. {self.kinds[number - 1]}: {self.titles[number - 1]}"

    def nearest(self, number, count=3):
        """Numbers of the nearest other clips on the map."""
        far = np.linalg.norm(self.points - self.points[number - 1], axis=1)
        return [int(k) + 1 for k in np.argsort(far, kind="stable") if k != number - 1][:count]

    def figure(self):
        """The map as a matplotlib figure; axes without numbers, since only nearness means something."""
        import matplotlib.pyplot as plt

        fig, ax = plt.subplots(figsize=(9, 4.6))
        for name, (colour, marker) in self.look.items():
            own = self.points[[kind == name for kind in self.kinds]]
            ax.scatter(*own.T, color=colour, marker=marker, s=55, label=f"{name} ({len(own)})", edgecolors="white", linewidths=0.4)
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set(visible=True, color="#bbbbbb", linewidth=1)
        ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
        return fig

    def picture(self):
        """The map as SVG; every point is a button with its words and a ring that is seen when it is chosen."""
        low, span = self.points.min(0), np.ptp(self.points, 0)
        place = EDGE + (self.points - low) / np.where(span > 0, span, 1) * (np.array([WIDTH, HEIGHT]) - 2 * EDGE)
        dots = []
        for number, ((x, y), kind) in enumerate(zip(place, self.kinds), 1):
            colour, marker = self.look[kind]
            words = html.escape(self.words(number), True)
            dots.append(f'<g data-clip="{number}" role="button" tabindex="{-(number > 1)}" aria-pressed="false" aria-label="{words}" '
                        f'transform="translate({x:.1f} {HEIGHT - y:.1f})" fill="{colour}" stroke="white" stroke-width="0.6" '
                        f'style="cursor:pointer"><title>{words}</title>{DRAWN[marker]}{RING}</g>')
        return (f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" style="max-width:100%; background:white; border:1px solid #bbb" '
                f'role="group" aria-label="Map of {len(self.points)} clips; the arrow keys go from clip to clip, Enter shows one">'
                f'{"".join(dots)}</svg>')

    def page(self, number):
        """HTML of one clip: words, a small player, and what lies nearest."""
        near = "".join(f"<li>{html.escape(self.words(other))}</li>" for other in self.nearest(number))
        text, frames = self.words(number), self.clip(number)
        return (f'<p role="status"><b>{html.escape(text)}</b></p>{film_tag(frames, text, self.fps, side=STORED)}'
                f"<p>Nearest on the map:</p><ul>{near}</ul>")

    def key(self):
        """The colours and markers in words, as HTML."""
        return " ".join(f'<span style="white-space:nowrap; margin-right:14px"><svg width="14" height="14" viewBox="-7 -7 14 14" '
                        f'fill="{colour}" aria-hidden="true">{DRAWN[marker]}</svg> {html.escape(name)}</span>'
                        for name, (colour, marker) in self.look.items())

    def form(self):
        """The widget: the map, by mouse or keyboard, a field for a number that does the same, and the clip."""
        import ipywidgets as widgets

        board = widgets.HTML(self.picture())
        field = widgets.BoundedIntText(value=0, min=0, max=len(self.clips), description="clip number",
                                       style={"description_width": "initial"})
        start = widgets.HTML(f"{self.key()}<br>Click a point. By keyboard: Tab goes to the map, the arrow keys from point to point, Enter "
                             f"shows the clip; or type its number below.{starter(CLICK)}")
        place = pages([(field, "value", len(self.clips) + 1)], lambda at: self.page(at[0]) if at[0] else "")
        box = widgets.VBox([start, board, field, place])
        box.add_class("medgen-clip-map")
        return box
