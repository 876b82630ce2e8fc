"""The rating form in ipywidgets: one pair at a time, two clips, three questions, two grades, and nothing that tells whose a clip is."""

import secrets
import time
from pathlib import Path

import ipywidgets as widgets

from ...errors import KitError
from . import store, words
from .making import items_of
from .store import ANSWERS, DISTORTION, GRADES, QUESTIONS

SIDES = ANSWERS[:2]
LOOK = Path(__file__).with_name("web") / "form.css"


class RatingForm(widgets.VBox):
    """The form of one rater; it starts where the rater left.

    asked: {question, or (DISTORTION, side): its RadioButtons}. at: place of the pair that is shown in the rater's order; None on a page of
    text. What is entered is kept as a draft at once; "Store and go on" stores a pair whole.
    """

    PAUSE = 0.4                              # seconds in which a second click of a double click is not an answer to the next pair

    def __init__(self, folder, rater):
        store.enrol(folder, rater)
        self.folder, self.rater, self.items, self.at = Path(folder), rater, items_of(folder, rater), None
        self.look = widgets.HTML(f"<style>{LOOK.read_text(encoding='utf-8')}</style>")
        self.head, self.prompt, self.said, self.text = (widgets.HTML() for _ in range(4))
        self.players = {side: widgets.Video(value=b"", autoplay=True, loop=True, controls=True) for side in SIDES}
        self.asked = {name: radio(words.OPTIONS) for name in QUESTIONS}
        self.asked |= {(DISTORTION, side): radio([(grade, grade) for grade in GRADES]) for side in SIDES}
        self.comment = widgets.Textarea(placeholder="Anything that explains your answers (optional)", rows=2)
        self.replay = button("Play both from the start", self.play_again, "kit-replay")
        self.back, self.go = button("Back", self.go_back), button("Store and go on", self.go_on, "kit-go")
        self.begin, self.review = button("Start", self.resume, "kit-go"), button("Back", self.go_back)
        self.body = self.lay_out()
        super().__init__()
        self.add_class("kit-study")
        for entry in (*self.asked.values(), self.comment):
            entry.observe(self.keep_draft, "value")
        self.enter()

    def lay_out(self):
        """The page of a pair: both clips, then the questions, so that the Tab key does not run through a player between two answers."""
        clips, grades = [], []
        for side in SIDES:
            title = widgets.HTML(f"<div class='kit-side'>{side.capitalize()} clip</div>")
            ask = widgets.HTML(f"<div class='kit-ask'><b>Distortion</b><span>How distorted is the {side} clip?</span></div>")
            clips.append(styled(widgets.VBox([title, self.players[side]]), "kit-clip"))
            grades.append(styled(widgets.VBox([ask, self.asked[DISTORTION, side]]), "kit-group", "kit-grade"))
        groups = [styled(widgets.VBox([widgets.HTML(words.question(name)), self.asked[name]]), "kit-group") for name in QUESTIONS]
        return [self.head, self.prompt, styled(widgets.HBox([*clips, *grades]), "kit-clips"), self.replay,
                styled(widgets.HBox(groups), "kit-questions"),
                styled(widgets.VBox([widgets.HTML("<div class='kit-small'>Comment</div>"), self.comment]), "kit-comment"),
                self.said, styled(widgets.HBox([self.back, self.go]), "kit-buttons"), widgets.HTML(words.details())]

    def enter(self):
        """The page on which this rater goes on."""
        if closed := store.facts(self.folder)["closed"]:
            self.page(words.closed(closed[:10]))
        elif store.done(self.folder, self.rater):
            self.resume()
        else:
            self.page(words.start(self.rater, len(self.items)), self.begin)

    def page(self, text, *buttons):
        """A page of text in place of a pair."""
        self.at, self.text.value = None, f"<div class='kit-text'>{text}</div>"
        self.children = [self.look, self.text, styled(widgets.HBox(buttons), "kit-buttons")]

    def resume(self, _=None):
        """The first pair that is not answered, or the last page."""
        finished = store.done(self.folder, self.rater)
        left = [place for place, item in enumerate(self.items) if item["item"] not in finished]
        if left:
            self.show_pair(left[0])
        else:
            self.page(words.end(len(self.items)), self.review)

    def show_pair(self, place):
        """Bring up one pair, with what this rater stored or entered before."""
        item = self.items[place]
        self.at, self.shown, self.showing, self.clock = place, store.now(), secrets.token_hex(8), time.monotonic()
        self.code = {side: Path(item[side]).stem for side in SIDES}
        self.head.value = words.head(place + 1, len(self.items), len(store.done(self.folder, self.rater)))
        self.prompt.value = words.prompt(item["prompt"])
        for side, player in self.players.items():
            player.value = (self.folder / item[side]).read_bytes()
        self.fill()
        self.back.disabled, self.said.value = place == 0, ""
        self.children = [self.look, *self.body]

    def play_again(self, _=None):
        """Both clips from their first frame, together."""
        for player in self.players.values():
            player.send_state("value")

    def fill(self):
        """Put what was stored, or entered later as a draft, into the form."""
        stored, said, kept = store.entered(self.folder, self.rater, self.items[self.at]["item"])
        side_of = {code: side for side, code in self.code.items()}
        values = {name: side_of.get(stored.get(name), stored.get(name)) for name in QUESTIONS}
        values |= {(DISTORTION, side): stored.get((DISTORTION, code)) for side, code in self.code.items()}
        self.quiet = True
        for where, entry in self.asked.items():
            entry.value = kept.get(draft_name(where), values[where])
        self.comment.value = kept.get("comment", said)
        self.quiet = False

    def keep_draft(self, _):
        """Keep what is entered so far."""
        if self.at is None or self.quiet:
            return
        self.said.value = ""
        kept = {draft_name(where): entry.value for where, entry in self.asked.items()} | {"comment": self.comment.value}
        try:
            store.draft(self.folder, self.rater, self.items[self.at]["item"], kept)
        except KitError as error:
            self.said.value = words.said(str(error))

    def go_on(self, _=None):
        """Store the pair and bring up the next one; or say what is missing."""
        if time.monotonic() - self.clock < self.PAUSE:
            return
        missing = [where if isinstance(where, str) else f"distortion of the {where[1]} clip" for where, entry in self.asked.items()
                   if entry.value is None]
        if missing:
            self.said.value = words.said(f"Please answer this too: {', '.join(missing)}.")
            return
        try:
            store.save_sides(self.folder, self.rater, self.items[self.at], {where: entry.value for where, entry in self.asked.items()},
                             self.shown, self.showing, self.comment.value)
        except KitError as error:
            self.said.value = words.said(str(error))
            return
        if self.at + 1 < len(self.items):
            self.show_pair(self.at + 1)
            self.said.value = words.said("Stored.", good=True)
        else:
            self.resume()

    def go_back(self, _=None):
        """The pair before this one; from the last page the last pair."""
        self.show_pair(len(self.items) - 1 if self.at is None else max(0, self.at - 1))


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
