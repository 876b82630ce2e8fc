"""The quizzes of course/quizzes as sheets to print, keys, pages that answer, and Moodle's GIFT: python course/tools/quiz.py.

A quiz is Markdown that reads well by itself: questions as headings, four choices, and a folded answer with a reason for each choice.
This tool needs nothing but Python. It refuses a quiz that is not whole, with the file and the question.
"""

import argparse
import html
import random
import re
import sys
from dataclasses import dataclass, replace
from pathlib import Path

QUIZZES = Path(__file__).resolve().parents[1] / "quizzes"
LETTERS = "ABCD"
KINDS = ("recall", "compute", "read", "judge")
FIVE = 5
SYMBOLS = {r"\lfloor": "⌊", r"\rfloor": "⌋", r"\dots": "…", r"\geq": "≥", r"\epsilon": "ε", r"\,": "\u2009"}
STYLE = ("body{font:16px/1.45 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem;color:#111;background:#fff}"
         "h1{font-size:1.5rem}h2{font-size:1.05rem;margin:0 0 .2rem}section,fieldset{margin:0 0 1.4rem;break-inside:avoid}"
         "fieldset{border:1px solid #999;border-radius:6px;padding:.8rem 1rem}legend{font-weight:600}ol{list-style:none;padding-left:.4rem}"
         "li,label{margin:.25rem 0}label{display:block}.small{color:#444;font-size:.9rem}.lines span{display:inline-block;width:45%}"
         "input:focus-visible,button:focus-visible{outline:3px solid #1a6fb5}button{font:inherit;padding:.3rem .8rem}"
         ".said{min-height:3rem}")
SCRIPT = """
const state = new Map();
document.querySelectorAll('fieldset').forEach((box, n) => box.addEventListener('change', event => {
  const choice = event.target, right = choice.dataset.right === 'yes';
  if (!state.has(n)) state.set(n, right);
  box.querySelector('.said').innerHTML = '<strong>' + (right ? 'Right. ' : 'Not this one. ') + '</strong>' + choice.dataset.reason;
  document.getElementById('score').textContent =
    [...state.values()].filter(Boolean).length + ' of ' + state.size + ' right at the first try';
}));
document.getElementById('again').addEventListener('click', () => {
  state.clear();
  document.querySelectorAll('input').forEach(one => { one.checked = false; });
  document.querySelectorAll('.said').forEach(one => { one.textContent = ''; });
  document.getElementById('score').textContent = '';
});
"""


class QuizError(ValueError):
    """A quiz is not whole; the text names the file, the question and what to do."""


@dataclass(frozen=True)
class Question:
    """One question. choices and reasons: four texts each, in the order of the letters. right: place of the right choice, 0 to 3."""

    title: str
    kind: str
    level: int
    stem: str
    choices: tuple
    reasons: tuple
    right: int

    def shuffled(self, rng):
        """The same question with its choices in another order."""
        order = rng.sample(range(len(self.choices)), len(self.choices))
        return replace(self, choices=tuple(self.choices[k] for k in order), reasons=tuple(self.reasons[k] for k in order),
                       right=order.index(self.right))


@dataclass(frozen=True)
class Quiz:
    """A quiz: the name of its lesson ("04_align"), its title and its questions."""

    name: str
    title: str
    questions: tuple


def read(path):
    """The Quiz in a Markdown file. QuizError when a question lacks a choice, a reason, or its one right answer."""
    text = Path(path).read_text(encoding="utf-8")
    head, *parts = re.split(r"^## (?=\d+\. )", text, flags=re.M)
    title = re.match(r"# (.+)\n", head)
    if not title or len(parts) != FIVE:
        raise QuizError(f"{Path(path).name}: needs a title and {FIVE} questions ('## 1. ...'); it has {len(parts)}.")
    questions = tuple(question(part, f"{Path(path).name}, question {n}", n) for n, part in enumerate(parts, 1))
    return Quiz(Path(path).stem, title[1], questions)


def question(part, where, number):
    """The Question in the text after its '## '."""
    whole = re.fullmatch(r"(\d+)\. (.+?)\n\n\*(\w+), level (\d)\*\n\n(.+?)\n\n(- \*\*A\.\*\*.+?)\n\n<details>\n"
                         r"<summary>Answer</summary>\n\n(- .+?)\n\n</details>\s*", part, re.S)
    if not whole:
        raise QuizError(f"{where}: write title, '*kind, level n*', the question, the choices '- **A.** ...' and the folded answer, "
                        "with one empty line between them, as in the other quizzes.")
    count, title, kind, level, stem, choices, reasons = whole.groups()
    if int(count) != number:
        raise QuizError(f"{where}: it is numbered {count}.")
    if kind not in KINDS or not 1 <= int(level) <= 3:
        raise QuizError(f"{where}: the kind is one of {', '.join(KINDS)}, the level 1 to 3.")
    offered = dict(re.findall(r"^- \*\*([A-Z])\.\*\* (.+?)(?=\n- |\Z)", choices, re.S | re.M))
    told = re.findall(r"^- \*\*([A-Z]) is (right|wrong)\.\*\* (.+?)(?=\n- |\Z)", reasons, re.S | re.M)
    right = [letter for letter, verdict, _ in told if verdict == "right"]
    if list(offered) != list(LETTERS) or sorted(letter for letter, *_ in told) != list(LETTERS):
        raise QuizError(f"{where}: needs the choices A to D once each, and for each 'is right.' or 'is wrong.' with a reason.")
    if len(right) != 1:
        raise QuizError(f"{where}: exactly one choice is right; here it is {', '.join(right) or 'none'}.")
    flat = {letter: " ".join(reason.split()) for letter, _, reason in told}
    return Question(title, kind, int(level), " ".join(stem.split()), tuple(" ".join(offered[c].split()) for c in LETTERS),
                    tuple(flat[c] for c in LETTERS), LETTERS.index(right[0]))


def every(folder=QUIZZES):
    """All quizzes of a folder, in the order of the lessons."""
    return [read(path) for path in sorted(Path(folder).glob("[0-9][0-9]_*.md"))]


def arranged(quiz, seed):
    """The quiz with its choices in the order of a seed; seed 0 is the order as written."""
    if seed == 0:
        return quiz
    rng = random.Random(f"{seed} {quiz.name}")
    return replace(quiz, questions=tuple(one.shuffled(rng) for one in quiz.questions))


def formula(tex):
    """A short formula as HTML. QuizError on a command that is not in SYMBOLS."""
    for command, sign in SYMBOLS.items():
        tex = tex.replace(command, sign)
    if "\\" in tex:
        raise QuizError(f"the formula '{tex}' holds a command that the sheets can not show. Known: {' '.join(SYMBOLS)}.")
    return re.sub(r"_(?:\{([^}]*)\}|(\w))", lambda m: f"<sub>{m[1] or m[2]}</sub>", html.escape(tex))


def rich(text):
    """Markdown of a question (formulas, code, emphasis) as HTML."""
    def one(part):
        if part.startswith("$"):
            return f"<i>{formula(part[1:-1])}</i>"
        if part.startswith("`"):
            return f"<code>{html.escape(part[1:-1])}</code>"
        return re.sub(r"\*(\S(?:[^*]*\S)?)\*", r"<em>\1</em>", html.escape(part))
    return "".join(one(part) for part in re.split(r"(\$[^$]+\$|`[^`]+`)", text))


def page(title, body, script="", style=STYLE):
    """An HTML page that stands alone."""
    return (f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
            f"<title>{html.escape(title)}</title><style>{style}</style></head>\n<body>{body}"
            f"{f'<script>{script}</script>' if script else ''}</body></html>\n")


def sheet(quiz, seed=0):
    """A page to print, without answers."""
    rows = "".join(f"<section><h2>{n}. {rich(one.stem)}</h2><ol>"
                   + "".join(f"<li>☐ {letter}. {rich(choice)}</li>" for letter, choice in zip(LETTERS, one.choices)) + "</ol></section>"
                   for n, one in enumerate(quiz.questions, 1))
    form = f"<p class=small>Form {seed}. One answer each. Ten minutes.</p>"
    return page(quiz.title, f"<h1>{html.escape(quiz.title)}</h1><p class=lines><span>Name:</span><span>Date:</span></p>{form}{rows}")


def key(quiz, seed=0):
    """The key of the sheet with the same seed: letters first, then every reason."""
    letters = " ".join(f"{n}{LETTERS[one.right]}" for n, one in enumerate(quiz.questions, 1))
    rows = "".join(f"<section><h2>{n}. {rich(one.stem)}</h2><p class=small>{one.kind}, level {one.level}</p><ol>"
                   + "".join(f"<li>{'<strong>' * (k == one.right)}{letter}. {rich(choice)}{'</strong> (right)' * (k == one.right)}<br>"
                             f"<span class=small>{rich(reason)}</span></li>"
                             for k, (letter, choice, reason) in enumerate(zip(LETTERS, one.choices, one.reasons))) + "</ol></section>"
                   for n, one in enumerate(quiz.questions, 1))
    return page(f"Key: {quiz.title}", f"<h1>Key: {html.escape(quiz.title)}, form {seed}</h1><p><strong>{letters}</strong></p>{rows}")


def practice(quiz, seed=0):
    """A page to learn with: it explains each choice when it is taken, and needs no network."""
    boxes = []
    for n, one in enumerate(quiz.questions, 1):
        choices = "".join(f'<label><input type="radio" name="q{n}" data-right="{"yes" if k == one.right else "no"}" '
                          f'data-reason="{html.escape(rich(reason))}"> {rich(choice)}</label>'
                          for k, (choice, reason) in enumerate(zip(one.choices, one.reasons)))
        boxes.append(f'<fieldset><legend>{n}. {rich(one.title)}</legend><p>{rich(one.stem)}</p>{choices}'
                     '<p class="said" aria-live="polite"></p></fieldset>')
    end = '<p id="score" aria-live="polite"></p><button type="button" id="again">Start again</button>'
    return page(quiz.title, f"<h1>{html.escape(quiz.title)}</h1>{''.join(boxes)}{end}", SCRIPT)


def gift(quizzes):
    """All questions in Moodle's GIFT format (HTML texts), a category for each lesson and the reason of each choice as feedback."""
    def safe(text):
        return re.sub(r"([\\~=#{}:])", r"\\\1", rich(text))
    lines = []
    for quiz in quizzes:
        lines += [f"$CATEGORY: MedGen Kit/{quiz.name}", ""]
        for n, one in enumerate(quiz.questions, 1):
            lines += [f"// {one.kind}, level {one.level}", f"::{quiz.name[:2]}.{n} {safe(one.title)}::[html]{safe(one.stem)} {{"]
            lines += [f"    {'=' if k == one.right else '~'}{safe(choice)}#{safe(reason)}"
                      for k, (choice, reason) in enumerate(zip(one.choices, one.reasons))]
            lines += ["}", ""]
    return "\n".join(lines)


def write(out, quizzes, seed=0):
    """Write sheet, key and practice page of each quiz and one GIFT file into a folder; returns the paths.

    Sheet and key bear the number of their form, so that another form never takes the place of a key whose sheets are printed.
    """
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    texts = {f"{quiz.name}.form-{seed}.{kind.__name__}.html": kind(arranged(quiz, seed), seed) for quiz in quizzes for kind in (sheet, key)}
    texts |= {f"{quiz.name}.practice.html": practice(arranged(quiz, seed), seed) for quiz in quizzes}
    part = "" if len(quizzes) == len(every()) else "-" + "-".join(quiz.name[:2] for quiz in quizzes)
    texts[f"moodle{part}.gift.txt"] = gift(quizzes)
    for name, text in texts.items():
        (out / name).write_text(text, encoding="utf-8")
    return [out / name for name in texts]


def main(words=None):
    asked = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    asked.add_argument("lessons", nargs="*", help="numbers of lessons, for example 04 05; none: all")
    asked.add_argument("--out", default="build/quizzes", help="folder for the pages (build/quizzes)")
    asked.add_argument("--seed", type=int, default=0, help="order of the choices: another number is another form of the sheet and its key")
    given = asked.parse_args(words)
    try:
        quizzes = [quiz for quiz in every() if not given.lessons or quiz.name[:2] in given.lessons]
        if not quizzes:
            raise QuizError(f"there is no quiz for {', '.join(given.lessons)}. Lessons: {', '.join(quiz.name[:2] for quiz in every())}.")
        files = write(given.out, quizzes, given.seed)
    except QuizError as error:
        sys.exit(str(error))
    print(f"{len(quizzes)} quizzes, {len(files)} files in {given.out}: "
          f"sheet and key of form {given.seed} and practice page of each, and {files[-1].name}")


if __name__ == "__main__":
    main()
