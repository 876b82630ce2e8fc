"""Sliders that move a picture; where nothing is live (a page, a script) one picture at the values they start with."""

from .bundle import is_notebook, starter

WIDE = "min(100%, 440px)"

# ipywidgets ties the words beside a slider to nothing: this names its handle for a screen reader. The sliders may be drawn after it.
NAMES = """(function name(mark, tries) {
  var root = mark.closest('.widget-vbox');
  if (root) root.querySelectorAll('.widget-slider').forEach(function (slider) {
    var words = slider.querySelector('.widget-label'), handle = slider.querySelector('.noUi-handle');
    if (words && handle) handle.setAttribute('aria-label', words.textContent);
  });
  if (tries) setTimeout(function () { name(mark, tries - 1); }, 200);
})(this, 20)"""


def sliders(draw, **ranges):
    """Show a slider a setting and what `draw(**values)` displays, drawn anew when one is moved.

    ranges: name=(low, high, step, start); whole numbers give whole numbers. The picture at the start values is always part of the page.
    """
    draw(**{name: start for name, (_, _, _, start) in ranges.items()})
    if is_notebook():
        from IPython.display import display

        display(form(draw, ranges))


def form(draw, ranges):
    """The widget behind `sliders`: labelled, to be moved with arrow keys, the picture below drawn when a slider is let go."""
    import ipywidgets as widgets

    made = {}
    for name, (low, high, step, start) in ranges.items():
        kind = widgets.IntSlider if all(isinstance(value, int) for value in (low, high, step, start)) else widgets.FloatSlider
        made[name] = kind(min=low, max=high, step=step, value=start, description=name.replace("_", " "), continuous_update=False,
                          style={"description_width": "initial"}, layout=widgets.Layout(width=WIDE))
    place = widgets.Output()

    def again(_=None):
        place.clear_output(wait=True)
        with place:
            draw(**{name: slider.value for name, slider in made.items()})

    for slider in made.values():
        slider.observe(again, "value")
    return widgets.VBox([widgets.HTML(f"Move a slider: the picture is drawn again below.{starter(NAMES)}"), *made.values(), place])
