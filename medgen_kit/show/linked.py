"""Pages that a control picks by itself, in a notebook, on Colab and on a web page where no kernel runs."""


def pages(controls, page, at=()):
    """A widget that shows `page(places)`, HTML, where places are what the controls stand at; moving one needs no kernel.

    controls: [(widget, name of its whole-number trait, how many places it has)]. Every page is made beforehand and travels with the
    notebook's state. ipywidgets before 8 (Colab) has no Stack: there the kernel answers, and a page is made when it is asked for.
    """
    import ipywidgets as widgets

    if not hasattr(widgets, "Stack"):
        return asked(controls, page)
    (control, trait, count), *rest = controls
    children = [pages(rest, page, (*at, k)) if rest else widgets.HTML(page((*at, k))) for k in range(count)]
    stack = widgets.Stack(children, selected_index=getattr(control, trait))
    widgets.jslink((control, trait), (stack, "selected_index"))
    return stack


def asked(controls, page):
    """The same, answered by the kernel."""
    import ipywidgets as widgets

    def here(_=None):
        return page(tuple(getattr(control, trait) for control, trait, _ in controls))

    place = widgets.HTML(here())
    for control, trait, _ in controls:
        control.observe(lambda _: setattr(place, "value", here()), trait)
    return place
