"""The words of the rating form: what each question and each grade means, for a doctor who has never seen the study."""

from html import escape

from ..grading import GRADES
from .store import QUESTIONS

ASKED = dict(zip(QUESTIONS, (
    "Which clip shows better what the text says?",
    "Which clip is medically more correct?",
    "Which clip is of better picture quality?")))
MEANINGS = dict(zip(QUESTIONS, (
    "Compare each clip with the text: the organ or scene, the finding, the instrument, the movement. What the text does not name does not "
    "count.",
    "Judge as a specialist: anatomy, proportions, how tissue and instruments behave, how this kind of examination really looks.",
    "Judge the picture alone: sharpness, colours, noise, flicker, smooth and natural movement.")))
OPTIONS = (("First clip", "first"), ("Second clip", "second"), ("Both fail", "both fail"))
GRADED = dict(zip(GRADES, (
    "Nothing is bent, melted, torn or appears from nowhere.",
    "You notice something when you look for it; it does not disturb.",
    "Clearly visible; it disturbs, but one can still see what is meant.",
    "Shapes or movement are broken; the clip can not be used.")))
CHANGED = "You changed this pair and have not stored it yet. Until you press Store and go on, your earlier answers count."
QUICK = "That was too quick to be an answer to this pair. Look at both clips, then press the button again."
SYNTHETIC = "The clips are marked SYNTHETIC. They are for this comparison only, never for diagnosis, treatment or advice to a patient."


def meanings():
    """What questions and grades mean, as HTML."""
    questions = "".join(f"<tr><th scope='row'>{escape(name)}</th><td>{escape(ASKED[name])} {escape(text)}</td></tr>"
                        for name, text in MEANINGS.items())
    grades = "".join(f"<tr><th scope='row'>{escape(name)}</th><td>{escape(text)}</td></tr>" for name, text in GRADED.items())
    return ("<h2>Three questions about the pair</h2>"
            "<p>Answer <b>First clip</b>, <b>Second clip</b>, or <b>Both fail</b> when neither is acceptable in this respect. There is no "
            f"&ldquo;equal&rdquo;: when both are good, choose the slightly better one.</p><table>{questions}</table>"
            "<h2>One grade for each clip: how distorted is it?</h2>"
            "<p>Distortion is what no camera and no body would do: shapes that bend, melt or tear, parts that appear or vanish, movement "
            f"that breaks off. Judge each clip by itself.</p><table>{grades}</table>")


def title(text, level):
    """The title of a page: of level 1 where the page stands alone, 2 in a notebook, which has a title of its own."""
    return f"<h{level} class='kit-title'>{text}</h{level}>"


def start(rater, items, level=1):
    """The first page, as HTML. level: of its title."""
    return (title("Which video is better?", level) +
            f"<p class='kit-lead'>You will see <b>{items} pairs</b> of short videos. Both videos of a pair "
            "belong to the same text. You are not told where they come from, and sides and order are drawn by lot.</p>"
            f"{meanings()}<h2>How it works</h2><ul><li>Each pair is stored when you press <b>Store and go on</b>. You can stop at any "
            "time, close the window, and go on later with the same link. What you have entered for a pair and not stored yet "
            "is there again when the page is loaded anew.</li><li><b>Back</b> shows earlier pairs; you can change your "
            "answers until the study is closed.</li><li>Mouse, touch or keyboard: <kbd>Tab</kbd> goes from question to question, the arrow "
            "keys choose. A number key, <kbd>1</kbd> to <kbd>4</kbd>, chooses and moves on to the next question; "
            "<kbd>Enter</kbd> goes to the button and presses it.</li><li>Your answers are kept with the "
            f"time under the name <b>{escape(rater)}</b>, not under your own.</li></ul><p class='kit-warn'>{SYNTHETIC}</p>")


def head(number, items, finished, changed, showing):
    """The line with the progress, as HTML. number: of the pair that is shown, from 1. finished: how many are stored; changed: how many of
    these were changed later and not stored again. showing: the mark of this coming up, which the page sends back."""
    more = f", {changed} of them changed and not stored again" if changed else ""
    return (f"<div class='kit-progress' data-showing='{showing}'><span><b>{number} of {items}</b></span>"
            f"<progress max='{items}' value='{finished}' aria-label='pairs stored'></progress><span>{finished} stored{more}</span></div>")


def prompt(text):
    """The text that both clips belong to, as HTML."""
    return f"<div class='kit-prompt'><div class='kit-small'>The text</div><p>{escape(text)}</p></div>"


def details():
    """The meanings again, folded, as HTML."""
    return f"<details><summary>What do the questions and grades mean?</summary>{meanings()}<p class='kit-warn'>{SYNTHETIC}</p></details>"


def question(name):
    """The heading of a question, as HTML."""
    return f"<div class='kit-ask'><b>{escape(name)}</b><span>{escape(ASKED[name])}</span></div>"


def said(text, good=False):
    """A sentence to the rater that screen readers speak, as HTML."""
    return f"<div class='{'kit-good' if good else 'kit-bad'}' role='{'status' if good else 'alert'}'>{escape(text)}</div>" if text else ""


def unreadable(item):
    """A pair whose clips can not be read, in words."""
    return (f"The clips of the pair called '{item}' can not be read. What you stored before is safe. Please tell the person who runs the "
            "study, and try again when the clips are back.")


def end(items, level=1):
    """The last page, as HTML. level: of its title."""
    return (f"{title('Thank you.', level)}<p class='kit-lead'>You have answered all {items} pairs, and every answer is stored.</p>"
            "<p>When all raters are done, the study is closed and the answers are counted: which clips were preferred, and how well the "
            "raters agree. Only then is it looked up which clip came from where. Your answers stay under your rater's name, without your "
            "own.</p><p>You can close this window now. With <b>Back</b> you can still look at your answers and change them until the study "
            "is closed.</p>")


def closed(day, changed, level=1):
    """The page of a study that takes no more answers, as HTML. changed: pairs with a change that was not stored. level: of its title."""
    pairs = "one pair" if changed == 1 else f"{changed} pairs"
    lost = f"<p>You had changed {pairs} and not stored the change: there your earlier answers count.</p>" if changed else ""
    return (f"{title('This study is closed.', level)}<p class='kit-lead'>It was closed on {escape(day)}. Answers stored before are safe. "
            f"Thank you.</p>{lost}")
