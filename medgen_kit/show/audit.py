"""The spot check as a form: one clip at a time, three answers by button or key, undo, resume. It stores nothing: it calls back.

The set of a clip (survivor or reject) is never shown, so that nobody can answer by it.
"""

import base64
import html
import time
from pathlib import Path

import numpy as np

from .. import video
from ..errors import KitError, VideoError
from . import movies, strips
from .bundle import is_notebook, png, send_image, starter

ANSWERS = {"1": "clean", "2": "slightly noisy", "3": "bad"}
LIMIT_KB = 1500                  # of one clip on its way to the page; a Jupyter server drops more than 1 MB a second over three seconds
LEAST = 0.3                      # seconds: an answer given sooner is a double click
WIDEST, MOST = 640, 300          # pixels and frames of a clip that has to be encoded again

# Keys work wherever the focus is inside the form; a click on the clip puts it there. A picture of one pixel starts this when the page
# has drawn it; Jupyter's own shortcuts (1 to 3 make headings of a cell) are held off inside the form.
KEYS = """(function find(mark, tries) {
  var root = mark.closest('.medgen-spot-check');
  if (!root) { if (tries) setTimeout(function () { find(mark, tries - 1); }, 100); return; }
  if (root.dataset.keys) return;
  var pad = root.querySelector('[role=note]');
  root.dataset.keys = 'on'; root.setAttribute('data-lm-suppress-shortcuts', 'true');
  root.addEventListener('keydown', function (event) {
    var key = event.key.toLowerCase();
    if (event.repeat || event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.target.tagName === 'INPUT' || !/^[123us]$/.test(key)) return;
    event.preventDefault(); event.stopPropagation();
    var button = root.querySelector('.medgen-key-' + key);
    if (event.target.tagName === 'VIDEO') pad.focus({preventScroll: true});
    if (button && !button.disabled) button.click();
  });
  root.addEventListener('click', function (event) {
    if (!/^(INPUT|BUTTON)$/.test(event.target.tagName)) setTimeout(function () { pad.focus({preventScroll: true}); }, 50);
  });
})(this, 100)"""
BLUE = "#0b5cad"                 # white letters on it can be read; on the blue of ipywidgets they can not
FIT = "max-width:min(100%, 640px); max-height:60vh"
PAD = ('<div tabindex="0" role="note" aria-label="Keys of the spot check" style="padding:6px 10px; border:1px dashed currentColor; '
       'border-radius:6px; max-width:640px; cursor:pointer">Keys: <b>1</b> clean, <b>2</b> slightly noisy, <b>3</b> bad, <b>u</b> undo. '
       f"Click here once to use them.{starter(KEYS)}</div>")


def spot_check(items, film, on_answer, on_undo=None, answered=()):
    """Show the form of a spot check; it opens at the first clip that is not answered.

    items: list of dicts or DataFrame with clip_id, stage and, if wanted, question. film: item -> what to show: a video file, frames uint8
    [T, H, W, 3], or (frames, frames a second). on_answer(item, answer, seconds) stores an answer, on_undo() takes the latest back and
    returns it as a dict (None: nothing there). answered: keys (stage, clip_id) that need no second look.

    Where nothing is live (a script, a saved page) there is a picture of the clip and no form.
    """
    form = SpotCheck(items, film, on_answer, on_undo, answered)
    if form.at is None:
        print(form.message if form.items else "There is no clip to look at.", flush=True)
    else:
        item = form.items[form.at]
        where = f"Spot check, clip {form.at + 1} of {len(form.items)}, stage {item['stage']}"
        if form.broken:
            print(f"{where}: {form.broken}", flush=True)
        else:
            picture = strips.filmstrip_image(strips.pick(form.frames()[0], 5), labels=[""] * min(5, len(form.frames()[0])), columns=5)
            send_image(picture, f"{where}: frames of the clip. The form asks: clean, slightly noisy or bad?",
                       "A still of the form: the answers are given in a running notebook.")
    if is_notebook():
        from IPython.display import display

        display(form.view)


class SpotCheck:
    """The form behind `spot_check`. view: the widget. buttons: {key: button}. at: number of the clip shown, None when all are answered."""

    def __init__(self, items, film, on_answer, on_undo=None, answered=(), clock=time.monotonic):
        self.items = items.to_dict("records") if hasattr(items, "to_dict") else list(items)
        if not all({"clip_id", "stage"} <= set(item) for item in self.items):
            raise KitError("every item of a spot check needs clip_id and stage; hand in the rows of curate.audit.parts.")
        self.film, self.on_answer, self.on_undo, self.clock = film, on_answer, on_undo, clock
        self.answered, self.skipped, self.message, self.broken, self.since, self.at = set(answered), set(), "", "", 0.0, None
        self._build()
        self.show_next()

    def _build(self):
        import ipywidgets as widgets

        self.counter, self.question, self.screen, self.said = (widgets.HTML() for _ in range(4))
        self.buttons = {}
        for key, name in {**ANSWERS, "u": "undo", "s": "skip"}.items():
            button = widgets.Button(description=f"{name} ({key})", tooltip=f"{name}, key {key}", layout={"width": "170px"},
                                    button_style="primary" if key in ANSWERS else "")
            if key in ANSWERS:
                button.style.button_color = BLUE
            button.add_class(f"medgen-key-{key}")
            button.on_click(lambda _, key=key: self.press(key))
            self.buttons[key] = button
        self.field = widgets.Text(placeholder="or type 1, 2, 3 or u here", description="key", layout={"width": "320px"})
        self.field.observe(self._typed, "value")
        rows = [widgets.HBox([self.buttons[key] for key in keys], layout={"flex_flow": "row wrap"}) for keys in ("123", "us")]
        self.view = widgets.VBox([self.counter, self.question, self.screen, *rows, widgets.HTML(PAD), self.field, self.said])
        self.view.add_class("medgen-spot-check")

    def press(self, key):
        """What a button, a key or a letter in the text field does."""
        self.say("")
        if key == "u":
            self.undo()
        elif key == "s" and self.broken:
            self.skipped.add(self.key(self.at))
            self.show_next()
        elif key in ANSWERS:
            self.answer(ANSWERS[key])

    def answer(self, name):
        """Store the answer to the clip that is shown and go on; an answer within LEAST seconds is a double click and does not count."""
        seconds = self.clock() - self.since
        if self.at is None or self.broken or seconds < LEAST:
            return
        try:
            self.on_answer(self.items[self.at], name, seconds)
        except KitError as error:
            self.say(str(error))
            return
        self.answered.add(self.key(self.at))
        self.show_next()

    def undo(self):
        """Take the latest answer back, also one of an earlier sitting, and show its clip again."""
        try:
            row = self.on_undo() if self.on_undo else None
        except KitError as error:
            self.say(str(error))
            return
        if row is None:
            self.say("There is no answer to take back.")
            return
        key = (row["stage"], row["clip_id"])
        self.answered.discard(key)
        places = [k for k in range(len(self.items)) if self.key(k) == key]
        self.show(places[0]) if places else self.show_next()
        self.say(f"Taken back: {row['answer']}." + ("" if places else " That clip is not in this list."))

    def key(self, number):
        """(stage, clip_id) of an item."""
        return self.items[number]["stage"], self.items[number]["clip_id"]

    def show_next(self):
        """Show the first clip without an answer."""
        self.show(next((k for k in range(len(self.items)) if self.key(k) not in self.answered and self.key(k) not in self.skipped), None))

    def show(self, number):
        """Show clip `number`; None ends the check."""
        self.at, self.broken = number, ""
        done = sum(self.key(k) in self.answered for k in range(len(self.items)))
        self.counter.value = f'<span role="status">{done} of {len(self.items)} answered</span>'
        if number is None:
            self.question.value, self.screen.value = "", ""
            self.say(f"All {done} clips are answered: thank you." if done == len(self.items) else
                     f"{done} of {len(self.items)} clips are answered; {len(self.skipped)} could not be shown.")
        else:
            item = self.items[number]
            look_for = item.get("question") or ""
            self.question.value = (f"<b>Stage: {html.escape(str(item['stage']))}</b>" + (f". Look for: {html.escape(look_for)}." if look_for
                                   else "") + "<br>How does the clip look: clean, slightly noisy, or bad?")
            self._play(number)
        for key, button in self.buttons.items():
            button.disabled = {"u": self.on_undo is None, "s": not self.broken}.get(key, number is None or bool(self.broken))
        self.since = self.clock()

    def _play(self, number):
        try:
            self.screen.value = screen(self.film(self.items[number]), f"Clip {number + 1} of {len(self.items)}")
        except Exception as error:            # whatever a film cannot do, the check goes on
            kind = "" if isinstance(error, KitError) else f"{type(error).__name__}: "
            self.screen.value, self.broken = "", f"this clip cannot be shown. {kind}{error}"
            self.say(self.broken + " Press skip (s); it stays unanswered.")

    def frames(self):
        """(frames, frames a second) of the clip that is shown."""
        return loaded(self.film(self.items[self.at]))

    def say(self, text):
        """A message under the form, read out by a screen reader."""
        self.message, self.said.value = text, f'<span role="alert">{html.escape(text)}</span>' if text else ""

    def _typed(self, change):
        typed = change["new"].strip().lower()[-1:]
        if typed:
            self.field.value = ""
            self.press(typed)


def loaded(shown):
    """(frames uint8 [T, H, W, 3], frames a second) of a file, of frames (8 a second) or of such a pair."""
    if isinstance(shown, tuple):
        return strips.checked(shown[0]), float(shown[1])
    if isinstance(shown, np.ndarray):
        return strips.checked(shown), 8.0
    info = video.probe(shown)
    shrink = min(1, WIDEST / info.width)
    count = min(info.frames, MOST)
    return video.read(shown, count=count, size=(round(info.height * shrink), round(info.width * shrink)))[0], count / info.duration


def screen(shown, alt, limit_kb=LIMIT_KB):
    """HTML that plays a clip in a loop. An H.264 MP4 that is light enough is shown byte for byte; anything else is encoded again."""
    data = untouched(shown, limit_kb)
    if data is None:
        frames, fps = loaded(shown)
        if len(frames) == 1:
            return picture(frames[0], alt)
        data = movies.encode(frames, fps, limit_kb)
    return (f'<video autoplay loop muted playsinline controls style="{FIT}" aria-label="{html.escape(alt, True)}" '
            f'src="data:video/mp4;base64,{base64.b64encode(data).decode()}"></video>')


def untouched(shown, limit_kb):
    """The bytes of a file that any browser plays, None for anything else. VideoError for a file that is none."""
    if isinstance(shown, (tuple, np.ndarray)):
        return None
    path = Path(shown)
    if not path.is_file():
        raise VideoError(path, "missing", "there is no such file. Was the folder moved?")
    plays = path.suffix.lower() == ".mp4" and video.probe(path).codec == "h264"
    return path.read_bytes() if plays and path.stat().st_size <= limit_kb * 750 else None


def picture(frame, alt):
    """HTML of a single frame."""
    from PIL import Image

    data = base64.b64encode(png(Image.fromarray(frame))).decode()
    return f'<img style="{FIT}" alt="{html.escape(alt, True)}" src="data:image/png;base64,{data}">'
