"""The rating form in ipywidgets: one pair at a time, two clips, three questions, two grades, and nothing that tells whose a clip is."""

import asyncio
import json
import secrets
import time
from pathlib import Path

import ipywidgets as widgets

from ...errors import KitError
from . import store, words
from .making import items_of
from .store import ANSWERS, DISTORTION, GRADES, QUESTIONS

SIDES = ANSWERS[:2]
MISSING = "kit-missing"                      # CSS class of a question that has still to be answered
LOOK = Path(__file__).with_name("web") / "form.css"


class RatingForm(widgets.VBox):
    """The form of one rater; it starts where the rater left. lock: hash of the token of the link that opened it, "" in a notebook.

    asked: {question, or (DISTORTION, side): its RadioButtons}. at: place of the pair that is shown in the rater's order; None on a page of
    text. What is entered is kept as a draft at once; "Store and go on" stores a pair whole. Every pair gets widgets of its own, so that a
    choice that is still on its way when the pair is stored can not fall on the next one.
    """

    PAUSE = 0.4                              # seconds in which a second click of a double click is not an answer to the next pair
    LATE = 0.3                               # seconds in which a choice may come in after the click that followed it

    def __init__(self, folder, rater, lock=""):
        store.enrol(folder, rater)
        self.folder, self.rater, self.lock, self.items, self.at, self.drawn = Path(folder), rater, lock, items_of(folder, rater), None, []
        self.level = 1 if lock else 2                                        # of titles: a notebook has one of its own
        super().__init__()
        self.add_class("kit-study")
        self.look = widgets.HTML(f"<style>{LOOK.read_text(encoding='utf-8')}</style>")
        self.enter()

    def enter(self):
        """The page on which this rater goes on."""
        if closed := store.facts(self.folder)["closed"]:
            self.page(words.closed(closed[:10], len(store.changed(self.folder).get(self.rater, ())), self.level))
        elif store.done(self.folder, self.rater):
            self.resume()
        else:
            self.begin = button("Start", self.resume, "kit-go")
            self.page(words.start(self.rater, len(self.items), self.level), self.begin)

    def page(self, text, *buttons):
        """A page of text in place of a pair."""
        self.at, self.text = None, widgets.HTML(f"<div class='kit-text'>{text}</div>")
        self.draw([self.text, styled(widgets.HBox(buttons), "kit-buttons")])

    def draw(self, parts):
        """Show these widgets, and close those that were shown before."""
        before, self.drawn, self.children = self.drawn, parts, [self.look, *parts]
        while before:
            part = before.pop()
            before += getattr(part, "children", ())
            part.close()

    def attempt(self, action, *given):
        """Do something; what stands against it is told to the rater. True when it was done."""
        try:
            action(*given)
            return True
        except store.LinkEnded as error:
            self.page(words.said(str(error)))
        except KitError as error:
            if self.at is None:
                self.page(words.said(str(error)), button("Try again", self.resume, "kit-go"))
            else:
                self.said.value = words.said(str(error))
        return False

    def resume(self, _=None):
        """The first pair that is not answered, or whose change is not stored, or the last page."""
        self.attempt(self.next_pair)

    def next_pair(self):
        """`resume`, with errors."""
        finished = store.done(self.folder, self.rater) - store.changed(self.folder).get(self.rater, set())
        left = [place for place, item in enumerate(self.items) if item["item"] not in finished]
        if left:
            self.show_pair(left[0])
        else:
            self.review = button("Back", self.go_back)
            self.page(words.end(len(self.items), self.level), self.review)

    def show_pair(self, place, note=""):
        """Bring up one pair, with what this rater stored or entered before. note: a sentence about the pair before.

        All is read before anything changes: where something can not be read, the pair that is shown stays the one that is answered.
        """
        item, clips = self.items[place], self.clips_of(place)
        finished, changed = len(store.done(self.folder, self.rater)), store.changed(self.folder).get(self.rater, ())
        *before, self.storing = store.entered(self.folder, self.rater, item["item"], self.lock)
        self.at, self.shown, self.showing, self.clock = place, store.now(), secrets.token_hex(8), time.monotonic()
        self.code = {side: Path(item[side]).stem for side in SIDES}
        self.head = widgets.HTML(words.head(place + 1, len(self.items), finished, len(changed), self.showing))
        unsaid = words.said(words.CHANGED) if item["item"] in changed else ""
        self.prompt, self.said = widgets.HTML(words.prompt(item["prompt"])), widgets.HTML(words.said(note, good=True) + unsaid)
        self.players = {side: widgets.Video(value=clips[side], autoplay=True, loop=True, controls=True) for side in SIDES}
        self.asked = {name: radio(words.OPTIONS) for name in QUESTIONS}
        self.asked |= {(DISTORTION, side): radio([(grade, grade) for grade in GRADES]) for side in SIDES}
        self.comment = widgets.Textarea(placeholder="Anything that explains your answers (optional)", rows=2)
        self.fill(*before)
        for entry in (*self.asked.values(), self.comment):
            entry.observe(self.keep_draft, "value")
        self.draw(self.lay_out())

    def clips_of(self, place):
        """Both clips of a pair: {side: the file's bytes}."""
        try:
            return {side: (self.folder / self.items[place][side]).read_bytes() for side in SIDES}
        except OSError as error:
            raise KitError(words.unreadable(self.items[place]["item"])) from error

    def lay_out(self):
        """The page of a pair: both clips, then the questions, so that the Tab key does not run through a player between two answers."""
        clips, grades, self.groups = [], [], {}
        for side in SIDES:
            title = widgets.HTML(f"<div class='kit-side'>{side.capitalize()} clip</div>")
            ask = widgets.HTML(f"<div class='kit-ask'><b>Distortion</b><span>How distorted is the {side} clip?</span></div>")
            clips.append(styled(widgets.VBox([title, self.players[side]]), "kit-clip"))
            grades.append(styled(widgets.VBox([ask, self.asked[DISTORTION, side]]), "kit-group", "kit-grade"))
            self.groups[DISTORTION, side] = grades[-1]
        groups = [styled(widgets.VBox([widgets.HTML(words.question(name)), self.asked[name]]), "kit-group") for name in QUESTIONS]
        self.groups |= dict(zip(QUESTIONS, groups))
        replay, self.back = button("Play both from the start", self.play_again, "kit-replay"), button("Back", self.go_back)
        self.go = button("Store and go on", self.pressed, "kit-go kit-store")
        self.back.disabled = self.at == 0
        self.sent = styled(widgets.Textarea(), "kit-sent")
        self.sent.observe(self.told, "value")
        return [self.head, self.prompt, styled(widgets.HBox([*clips, *grades]), "kit-clips"), replay,
                styled(widgets.HBox(groups), "kit-questions"),
                styled(widgets.VBox([widgets.HTML("<div class='kit-small'>Comment</div>"), self.comment]), "kit-comment"),
                self.said, styled(widgets.HBox([self.back, self.go]), "kit-buttons"), self.sent, widgets.HTML(words.details())]

    def fill(self, stored, said, kept):
        """Put what was stored, or entered later as a draft, into the form: what `store.entered` gives."""
        side_of = {code: side for side, code in self.code.items()}
        values = {name: side_of.get(stored.get(name), stored.get(name)) for name in QUESTIONS}
        values |= {(DISTORTION, side): stored.get((DISTORTION, code)) for side, code in self.code.items()}
        for where, entry in self.asked.items():
            entry.value = values[where]
        self.comment.value = said
        self.stored = self.entries()
        for where, entry in self.asked.items():
            if (value := kept.get(draft_name(where))) is not None:
                entry.value = value
        self.comment.value = kept.get("comment", said)

    def entries(self):
        """What stands in the form now: {name of a question in a draft, or "comment": value}."""
        return {draft_name(where): entry.value for where, entry in self.asked.items()} | {"comment": self.comment.value.strip()}

    def play_again(self, _=None):
        """Both clips from their first frame, together."""
        for player in self.players.values():
            player.send_state("value")

    def keep_draft(self, _):
        """Keep what is entered so far."""
        if self.at is None:
            return
        self.said.value = ""
        self.mark(where for where, group in self.groups.items() if MISSING in group._dom_classes and self.asked[where].value is None)
        kept = None if self.entries() == self.stored else self.entries() | {"comment": self.comment.value}
        self.attempt(store.draft, self.folder, self.rater, self.items[self.at]["item"], kept, self.lock, self.storing)

    def mark(self, missing):
        """Mark these questions as those that are not answered, and no others."""
        missing = set(missing)
        for where, group in self.groups.items():
            (group.add_class if where in missing else group.remove_class)(MISSING)

    def told(self, change):
        """The served page pressed "Store and go on": it sends what it shows, since a choice made just before may come in after it."""
        page = json.loads(change["new"] or "{}")
        self.sent.value = ""                             # tells the page that somebody listens
        if page.get("showing") != self.showing:
            return
        groups = [*((DISTORTION, side) for side in SIDES), *QUESTIONS]                # in the order of the page
        for where, place in zip(groups, page["places"]):
            self.asked[where].index = place
        self.comment.value = page["comment"]
        self.go_on()

    def pressed(self, _=None):
        """The button in a notebook: wait a moment for a choice that the browser sends after the click."""
        try:
            asyncio.get_running_loop().call_later(self.LATE, self.go_on, self.showing)
        except RuntimeError:
            self.go_on()

    def go_on(self, showing=None):
        """Store the pair and bring up the next one; or say what is missing. showing: only while this one is up still."""
        if self.at is None or showing not in (None, self.showing):
            return
        if time.monotonic() - self.clock < self.PAUSE:
            self.said.value = words.said(words.QUICK)
            return
        missing = [where for where, entry in self.asked.items() if entry.value is None]
        self.mark(missing)
        if missing:
            names = [where if isinstance(where, str) else f"distortion of the {where[1]} clip" for where in missing]
            self.said.value = words.said(f"Please answer this too: {', '.join(names)}.")
            return
        if not self.attempt(self.store_pair):
            return
        if self.at + 1 < len(self.items):
            self.attempt(self.show_pair, self.at + 1, "Stored.")
        else:
            self.resume()

    def store_pair(self):
        """Store what stands in the form, with errors."""
        given = {where: entry.value for where, entry in self.asked.items()}
        self.storing = store.save_sides(self.folder, self.rater, self.items[self.at], given, self.shown, self.showing, self.comment.value,
                                        self.lock)
        self.stored = self.entries()

    def go_back(self, _=None):
        """The pair before this one; from the last page the last pair."""
        self.attempt(self.show_pair, len(self.items) - 1 if self.at is None else max(0, self.at - 1))


def draft_name(where):
    """The name of a question in a draft."""
    return where if isinstance(where, str) else " ".join(where)


def radio(options):
    """A group of radio buttons with nothing chosen."""
    return widgets.RadioButtons(options=options, value=None)


def button(text, press, style=""):
    """A button that calls `press`."""
    made = styled(widgets.Button(description=text), "kit-button", *style.split())
    made.on_click(press)
    return made


def styled(widget, *names):
    """The widget with CSS classes."""
    for name in names:
        widget.add_class(name)
    return widget
