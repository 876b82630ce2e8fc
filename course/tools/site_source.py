"""The site's source: pages of the repository put together for Sphinx, their links checked and moved, lessons with what their run showed."""

import json
import os
import re
import shutil
from pathlib import Path

from course.tools import shown
from course.tools.pages import title
from medgen_kit.clip import write_text
from medgen_kit.errors import KitError

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("README.md", "notebooks/[0-9][0-9]_*.ipynb", "course/*.md", "course/*/*.md", "course/exercises/*.ipynb", "data_cards/*.md",
         "data_cards/paper/*.md")
FOR_TEACHERS = ("course/solutions/", "course/answers/")          # only in a build with --teacher
LEFT_OUT = ("course/site/", "course/tools/")
FOLDERS = {                      # title and first words of the page of a folder that has no README.md
    "course/exercises": (
        "Exercises", "They check themselves and say what is missing. Download one, open it in JupyterLab, replace each `...`."),
    "course/solutions": ("Solutions", "For teachers. The notebooks that the exercises are made from."),
    "course/answers": ("Answer keys", "For teachers. What is right, what is commonly wrong, and why."),
    "course/lessons": ("Lesson plans", "Ninety minutes for each notebook: steps, board, questions with answers, misconceptions."),
    "course/plans": ("Sessions by the minute", "The course in three lengths."),
    "course/quizzes": ("Quizzes", "Five questions for each lesson. Decide first, then open the answer."),
    "data_cards": ("Cards of data and models", "What each dataset and model is, where it comes from, and what it must not be used for.")}
FENCE = re.compile(r"(^ {0,3}(?:```|~~~).*?^ {0,3}(?:```|~~~)[^\n]*$)", re.S | re.M)
LINK = re.compile(r"(!?)\[((?:`[^`]*`|!\[[^\]]*\]\([^)]*\)|[^\[\]`])*)\]\((?![a-z][a-z0-9+.-]*:|[#/])([^)\s#]+)(#[^)\s]*)?\)", re.I)
ANCHOR = re.compile(r'<a id="([\w.:-]+)"></a>')
HANDBOOK = "MedGen Kit: the handbook"
LONG = 18                        # lines of printed text before a box with a scroll bar holds them


class Source:
    """Pages and files of one build. folder: what Sphinx reads. pages: paths in the repository, as text, of all that becomes a page."""

    def __init__(self, folder, root=ROOT, teacher=False):
        self.folder, self.root, self.teacher, self.broken = Path(folder), Path(root), teacher, []
        found = sorted({str(path.relative_to(root).as_posix()) for kind in self.kinds() for path in Path(root).glob(kind)})
        self.pages = [page for page in found if not page.startswith(LEFT_OUT) and (teacher or not page.startswith(FOR_TEACHERS))]
        self.lessons = [page for page in self.pages if page.startswith("notebooks/")]
        self.pictures = {}                                       # lesson: the largest picture of its "Result first"
        self.drawn = set()                                       # pages that draw with plotly

    def kinds(self):
        return (*PAGES, *(f"{name}*.ipynb" for name in FOR_TEACHERS if self.teacher))

    def write(self, lessons=None, slides=False):
        """Write everything that Sphinx reads, except its settings. lessons: {name: notebook with its outputs}.

        slides: the lessons link to slides/NAME.html. KitError with all links that lead nowhere.
        """
        shutil.rmtree(self.folder, ignore_errors=True)
        for page in self.pages:
            if page.endswith(".ipynb"):
                self.notebook(page, (lessons or {}).get(Path(page).stem), slides)
            else:
                write_text(self.folder / page, self.text(self.root / page, page))
        for folder in self.folders():
            self.index(folder)
        write_text(self.folder / "drawn.json", json.dumps(sorted(self.drawn)))
        self.settled()

    def settled(self):
        """KitError with all links so far that lead nowhere."""
        if self.broken:
            raise KitError("links that lead nowhere:\n  " + "\n  ".join(self.broken))

    def folders(self):
        """Folders with pages, apart from those whose pages the start page lists itself."""
        return sorted({os.path.dirname(page) for page in self.pages} - {"", "notebooks", "course", "data_cards/paper"})

    def text(self, path, page):
        """A Markdown file, ready: links moved, the YAML header of a card shown folded away at its end."""
        text = path.read_text(encoding="utf-8")
        if page == "README.md":                                  # in a list of hits it is not to be taken for the start page
            text = re.sub(r"\A# .+", f"# {HANDBOOK}", text)
        head = re.match(r"---\n(.*?)\n---\n", text, re.S)
        if not head:
            return self.linked(text, page)
        fold = ("\n\n<details><summary>The card's machine-readable header</summary>\n\n```yaml\n" + head[1] + "\n```\n\n</details>\n")
        return self.linked(text[head.end():], page) + fold

    def linked(self, text, page):
        """Markdown whose relative links hold in the site. A folder leads to its page, a file that is no page is carried along."""
        parts = FENCE.split(text)
        return "".join(part if k % 2 else LINK.sub(lambda match: self.link(match, page), ANCHOR.sub(r"[]{#\1}", part))
                       for k, part in enumerate(parts))

    def link(self, match, page):
        """One relative link of a page: kept, led elsewhere, or turned into plain words where the reader may not go."""
        mark, words, target, part = match[1], match[2], match[3], match[4] or ""
        words = LINK.sub(lambda inner: self.link(inner, page), words)
        path = os.path.normpath(os.path.join(os.path.dirname(page), target))
        there = self.root / path
        if path.startswith("..") or not there.exists():
            self.broken.append(f"{page}: {target}")
            return match[0]
        if path in self.pages:
            return f"{mark}[{words}]({target}{part})"
        if there.is_dir():
            home = self.home(path)
            return f"[{words}]({os.path.relpath(home, os.path.dirname(page) or '.')})" if home else words
        if path.startswith(FOR_TEACHERS) and not self.teacher:
            return words
        place = path if mark else f"_static/files/{path}"
        (self.folder / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(there, self.folder / place)
        return match[0] if mark else f'<a href="{os.path.relpath(place, os.path.dirname(page) or ".")}">{words}</a>'

    def home(self, folder):
        """The page of a folder; None when it has none."""
        if folder in (".", "notebooks"):
            return "index.md"
        if f"{folder}/README.md" in self.pages:
            return f"{folder}/README.md"
        return f"{folder}/index.md" if folder in self.folders() else None

    def index(self, folder):
        """The page of a folder: its README.md with the list of its pages below, or a page made for it."""
        inside = [page for page in self.pages if os.path.dirname(page) == folder and not page.endswith("/README.md")]
        below = [f"{page[len(folder) + 1:]}" for page in self.pages if page.startswith(f"{folder}/paper/")]
        names = "\n".join([*map(os.path.basename, inside), *below])
        if f"{folder}/README.md" in self.pages:
            place = self.folder / folder / "README.md"
            write_text(place, place.read_text(encoding="utf-8") + f"\n\n```{{toctree}}\n:hidden:\n\n{names}\n```\n")
            return
        heading, words = FOLDERS.get(folder, (os.path.basename(folder).replace("_", " ").capitalize(), ""))
        write_text(self.folder / folder / "index.md", f"# {heading}\n\n{words}\n\n```{{toctree}}\n:maxdepth: 1\n\n{names}\n```\n")

    def notebook(self, page, nb, slides):
        """A notebook as the site shows it, and beside it the notebook itself to download."""
        import nbformat

        nb = nbformat.from_dict(nb) if nb else nbformat.read(self.root / page, 4)            # a copy
        stem, lesson = Path(page).stem, page in self.lessons
        depth = "../" * page.count("/")
        files = shown.Files(self.folder / "_static" / "shown", f"{depth}_static/shown/")
        own = self.folder / "_static" / page
        own.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self.root / page, own)
        state = nb.metadata.get("widgets", {}).get(shown.STATE, {}).get("state", {})
        nb.cells = [cell for cell in nb.cells if "injected-parameters" not in cell.metadata.get("tags", [])]
        first = 0
        for number, cell in enumerate(nb.cells):
            if cell.cell_type == "markdown":
                first = first or number * cell.source.startswith("## 1.")
                cell.source = self.linked(cell.source, page)
            elif cell.cell_type == "code":
                self.code(cell, files, f"{stem}-{number}", page, state, first == 0)
        nb.cells[0].source += "\n\n" + self.ways(page, lesson, slides, depth)
        nb.metadata = {"language_info": {"name": "python", "pygments_lexer": "ipython3"},
                       **{key: nb.metadata[key] for key in ("kernelspec", "language_info", "widgets") if key in nb.metadata}}
        (self.folder / page).parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(nb, self.folder / page)

    def code(self, cell, files, name, page, state, early):
        """A code cell: its outputs as HTML, with alt texts; the cell for Colab folded away. early: before the first section."""
        import nbformat

        cell.source, outputs = shown.plain_code(cell.source), []
        for it in shown.shown(cell, files, name):
            if it.kind == "picture" and early:
                self.pictures[page] = max(it, self.pictures.get(page, it), key=area)
            if it.kind == "plot":
                self.drawn.add(page.removesuffix(".ipynb"))
            if it.kind == "stream":
                outputs.append(nbformat.v4.new_output("stream", name="stdout", text=it.text))
                if it.text.count("\n") > LONG:
                    outputs[-1] = html_output(f'<div class="long" role="region" tabindex="0" aria-label="Printed text"><pre>'
                                              f"{escaped(it.text)}</pre></div>")
            elif it.kind == "widget":
                note = shown.widget_note(it.raw, state)
                outputs += [it.raw] if note != shown.ABSENT else []
                outputs += [html_output(f'<p class="caption">{note}</p>')] if note else []
            else:
                outputs.append(html_output(it.figure()))
        if not cell.source.strip():
            return
        cell.metadata = {"tags": ["hide-input"]} if "colab" in cell.metadata.get("tags", []) else {}
        cell.outputs = outputs
        cell.execution_count = cell.execution_count or 1         # myst-nb shows no outputs of a cell that was not run

    def ways(self, page, lesson, slides, depth):
        """One line below the title: where else this lesson is."""
        stem, links = Path(page).stem, [f'<a href="{depth}_static/{page}" download>Download the notebook</a>']
        if lesson:
            links += [f'<a href="{depth}slides/{stem}.html">Slides</a>'] if slides else []
            links += [f'<a href="{depth}{folder}/{stem}.html">{word}</a>' for folder, word in (("course/lessons", "Lesson plan"),
                      ("course/quizzes", "Quiz")) if f"{folder}/{stem}.md" in self.pages]
            links += [f'<a href="{depth}{other[:-6]}.html">Exercises</a>' for other in self.pages
                      if other.startswith(f"course/exercises/{stem[:2]}")][:1]
        return f'<p class="ways">{" ".join(links)}</p>'

    def lesson_cards(self):
        """The lessons of the start page: a picture, the title and the question of each, as HTML."""
        import nbformat

        cards = []
        for page in self.lessons:
            nb, picture = nbformat.read(self.root / page, 4), self.pictures.get(page)
            number, _, name = title(nb, page).partition(" · ")
            question = re.search(r"^\*(.+)\*$", nb.cells[0].source, re.M)
            image = picture.html.replace("../_static/", "_static/") if picture else ""
            words = (f'<strong><span class="number">{number}</span> {escaped(name)}</strong>'
                     f'<span>{escaped(question[1]) if question else ""}</span>')
            cards.append(f'<a class="lesson" href="{page[:-6]}.html">{image}<span class="lesson-words">{words}</span></a>')
        return f'<div class="lessons">{"".join(cards)}</div>'


def area(it):
    """Pixels of a picture."""
    width, height = re.search(r'width="(\d+)" height="(\d+)"', it.html).groups()
    return int(width) * int(height)


def html_output(text):
    """A display output of a notebook that is HTML."""
    import nbformat

    return nbformat.v4.new_output("display_data", data={"text/html": text})


def escaped(text):
    """Text for HTML."""
    import html

    return html.escape(text, False)
