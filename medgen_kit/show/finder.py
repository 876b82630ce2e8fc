"""The frame of every browser here: words to search, menus, pages of a list, what was chosen. What is searched and shown is handed in."""

import html
import math

PAGE = 10                        # lines of the list that are seen at a time
EVERY = "all"


class Finder:
    """A widget that searches. view: what is shown; words, menus {name: menu}: the filters; rows: what they leave; list, said, place.

    noun: what is counted. total: how many there are. menus: {name: (options, value)}. search(words, *values of the menus and switches) ->
    sequence. line(row) -> text of the list. body(row, words) -> HTML of the one that was chosen. switches: {name: (label, value)}.
    """

    def __init__(self, noun, total, menus, search, line, body, words="", switches=None, head=""):
        import ipywidgets as widgets

        self.noun, self.total, self.search, self.line, self.body, self.number = noun, total, search, line, body, 0
        wide = {"style": {"description_width": "initial"}}
        self.words = widgets.Text(words, description="search", placeholder="words of a caption", continuous_update=False, **wide)
        self.menus = {name: widgets.Dropdown(options=options, value=value, description=name, **wide)
                      for name, (options, value) in menus.items()}
        self.switches = {name: widgets.Checkbox(value, description=label, indent=False)
                         for name, (label, value) in (switches or {}).items()}
        self.back, self.on = widgets.Button(description="previous page"), widgets.Button(description="next page")
        self.said, self.place = widgets.HTML(), widgets.HTML()
        self.list = widgets.Select(rows=PAGE + 1, description=f"{noun}s", **wide, layout=widgets.Layout(width="min(100%, 860px)"))
        filters = [self.words, *self.menus.values(), *self.switches.values()]
        for widget in filters:
            widget.observe(self.fill, "value")
        self.back.on_click(lambda _: self.turn(-1))
        self.on.on_click(lambda _: self.turn(1))
        self.list.observe(lambda change: self.show(change["new"]), "value")
        self.view = widgets.VBox([*([widgets.HTML(f"<b>{html.escape(head)}</b>")] if head else []),
                                  widgets.HBox(filters, layout=widgets.Layout(flex_flow="row wrap")),
                                  widgets.HBox([self.back, self.on, self.said]), self.list, self.place])
        self.fill()

    def fill(self, _=None):
        """Apply the filters and show the first page."""
        self.rows = self.search(self.words.value, *(widget.value for widget in (*self.menus.values(), *self.switches.values())))
        self.turn(-self.number)

    def turn(self, by):
        """Go `by` pages on; nothing is chosen there, and nothing is drawn before the reader chooses."""
        last = max(0, math.ceil(len(self.rows) / PAGE) - 1)
        self.number = min(last, max(0, self.number + by))
        start = self.number * PAGE
        self.list.options = [(f"choose a {self.noun}", -1), *((self.line(row), start + k)
                                                              for k, row in enumerate(self.rows[start:start + PAGE]))]
        self.back.disabled, self.on.disabled = self.number == 0, self.number == last
        where = f"{len(self.rows):,} of {self.total:,} {self.noun}s, page {self.number + 1:,} of {last + 1:,}"
        self.said.value = f'<span role="status">{where}</span>'
        self.list.value = -1

    def show(self, place):
        """Show the row at this place of `rows`; -1 clears."""
        self.place.value = "" if place is None or place < 0 else self.body(self.rows[place], self.words.value)


def menu(counts, chosen=""):
    """Options of a menu from [(name, count)], commonest first; the chosen value is one of them in any case."""
    counts = [*counts, *([(chosen, 0)] if chosen and chosen not in dict(counts) else [])]
    return [(EVERY, ""), *((f"{name} ({count:,})", name) for name, count in counts)]
