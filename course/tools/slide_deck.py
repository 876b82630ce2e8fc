"""From a notebook's fixed anatomy to slides: title, result first, each section's idea and pictures, code by hand, limits, recap.

Nothing is written for the slides alone, so they never say anything else than the lesson. Long prose is split at its sentences; the
speaker's notes of each slide hold the whole text of its cell. A slide whose picture was drawn by a model says SYNTHETIC: the lessons
write the word in capitals into the caption or the alt text of every such picture, and of no other.
"""

import html
import math
import re
from dataclasses import dataclass, replace

from course.tools.shown import plain_code, shown

LINES, LETTERS = 5, 440          # of text on a slide; in large type up to FEW letters
FEW = 300
BESIDE = (4, 300)                # lines and letters beside or below a picture
ROWS, COLUMNS, CELL = 7, 7, 70   # of a table on a slide
WHOLE = 14                       # rows of a table that is worth a slide; a longer one is for reading. One table a section.
PICTURES = 3                     # of one cell; of more, which a training drew as it went on, the last is shown
SEE = re.compile(r"^(?:\*\*)?What you should see(?:\*\*)?[:.,]?(?:\*\*)?\s*", re.I)
ASIDE = ("Result first", "By hand once", "Limits and harm", "Exercises", "Recap", "References and next")
SHORT = r"(?<!\be\.g)(?<!\bi\.e)(?<!\bal)(?<!\bvs)(?<!\bFig)(?<!\bcf)(?<!\bNo)(?<!\bapprox)"      # a full stop that ends no sentence
END = re.compile(SHORT + r"([.!?][\"')*]*)\s+(?=[\"'(*\[\0A-Z0-9])")
PARTS = re.compile(r";\s+")
HANGS = re.compile(r"(And|But|So|Then|It|Its|They|Their|This|That|These|Those|There|Both|Otherwise|Nobody|Nothing else|Each|Now)\b")
JOINED = 190                     # letters of sentences that hang together
KEPT = re.compile(r"\$\$.+?\$\$|\$[^$\n]+?\$|`[^`\n]+`|\[[^\]]*\]\([^)]*\)", re.S)
FLAT, WHITE = 8, 180             # times as wide as it is high: a strip that is cut into two rows, where no pixel of a column is darker
SMALLEST, WIDTH, HEIGHT = 16, 864, 500                           # letters of code, and the room for them, in pixels
SIZE = re.compile(r'<img [^>]*width="(\d+)" height="(\d+)"')


@dataclass
class Slide:
    """One slide. kind: title, text, picture, table or code. body: HTML below the title. notes: Markdown for the speaker."""

    kind: str
    title: str
    body: str
    notes: str = ""
    synthetic: bool = False


def deck(nb, files, name):
    """The slides of a lesson, a list of Slide. files: as in `shown`. name: of the notebook, for the drawings' ids."""
    cells = [cell for cell in nb.cells if cell.cell_type == "markdown" or cell.get("outputs") or cell.source.strip()]
    slides = opening(cells[0].source, cells[1].source)
    section, tables, told = None, set(), ""
    for number, cell in enumerate(cells[2:], 2):
        if cell.cell_type == "markdown":
            told = cell.source
            heading = re.match(r"## (.+)\n?", cell.source)
            text = cell.source[heading.end():] if heading else cell.source
            section = re.sub(r"^(\d+)\. ", "\\1 \u00b7 ", heading[1].strip()) if heading else section
            if SEE.match(text):
                see(slides, section, SEE.sub("", text), cell.source)
            elif section == "References and next":
                slides += last(text)
            elif section:
                slides += texts(section, text, cell.source)
        elif section == "By hand once":
            slides.append(code_slide(section, cell, told))
        elif section and section not in ASIDE[2:]:
            made = media(section, [halved(it, files) for it in shown(cell, files, f"{name}-{number}")])
            slides += [slide for slide in made if slide.kind != "table" or section not in tables]
            tables |= {section for slide in made if slide.kind == "table"}
    return slides


def opening(first, card):
    """The title with its question, and what the lesson teaches."""
    heading, question = re.match(r"# (.+)", first)[1], re.search(r"^\*(.+)\*$", first, re.M)
    number, _, name = heading.rpartition(" · ")
    rows = dict(re.findall(r"\| \*\*(.+?)\*\* \| (.+?) \|", card))
    lesson = f'<p class="lesson">MedGen Kit{" · lesson " + html.escape(number) if number else ""}</p>'
    ask = f'<p class="question">{inline(question[1])}</p>' if question else ""
    mark = '<p class="mark">Every generated clip is synthetic and never for clinical use.</p>'
    title = Slide("title", name, f"{lesson}<h1>{inline(name)}</h1>{ask}{mark}", first)
    goals = [part.strip() for part in PARTS.split(rows.get("You will", "")) if part.strip()]
    return [title, *([Slide("text large", "You will", listed(goals), card)] if goals else [])]


def texts(title, text, notes):
    """Slides of prose: its sentences, at most five to a slide. The second and further ones say so in their title; each has the notes."""
    parts = portions(lines(text), LINES, LETTERS)
    return [Slide("text" if sum(map(len, part)) > FEW else "text large", title + (f" ({k})" if k > 1 else ""), listed(part), notes)
            for k, part in enumerate(parts, 1)]


def lines(text):
    """The sentences and list items of Markdown, in order; tables, pictures and blocks of code stay in the lesson."""
    found = []
    text = re.sub(r"^ *```.*?^ *```[^\n]*$|^#{3,} ", "", text, flags=re.S | re.M)
    for block in re.split(r"\n\s*\n", text.strip()):
        if block.lstrip().startswith(("|", "![", "<")):
            continue
        items = re.split(r"^\s*(?:[-*]|\d+\.)\s+", block, flags=re.M) if re.search(r"^\s*(?:[-*]|\d+\.)\s", block, re.M) else [None, block]
        for item in items if items[0] else items[1:]:
            flat = " ".join(item.split())
            found += [flat] if len(flat) <= 170 and items[0] is not None and len(items) > 2 else joined(sentences(flat))
    return [line for line in found if line]


def sentences(text):
    """Prose as its sentences; a full stop inside a formula, code or a link ends none."""
    kept = []

    def hide(match):
        kept.append(match[0])
        return f"\0{len(kept) - 1}\0"

    parts = END.sub("\\1\n", KEPT.sub(hide, text)).split("\n")
    return [re.sub("\0(\\d+)\0", lambda match: kept[int(match[1])], part).strip() for part in parts]


def joined(parts):
    """Sentences, with those that begin by pointing back joined to the one before, since alone they say nothing."""
    found = []
    for part in parts:
        if found and HANGS.match(part) and len(found[-1]) + len(part) < JOINED:
            found[-1] += " " + part
        else:
            found.append(part)
    return found


def portions(items, count, letters):
    """Lines in groups that fit on a slide, as even as they can be."""
    need = max(1, math.ceil(len(items) / count), math.ceil(sum(map(len, items)) / letters))
    while items:
        groups, fill = [[]], sum(map(len, items)) / need
        for item in items:
            held = sum(map(len, groups[-1]))
            full = len(groups[-1]) == count or held + len(item) > letters
            if groups[-1] and (full or len(groups) < need and held + len(item) / 2 > fill):
                groups.append([])
            groups[-1].append(item)
        return groups
    return []


def media(title, outputs):
    """A slide for each picture and drawing and for the first table of a cell; a film stands below its filmstrip."""
    found = [it for it in outputs if it.kind in ("picture", "plot", "film") or it.kind == "table" and it.html.count("<tr") <= WHOLE + 1]
    pictures = [it for it in found if it.kind == "picture"]
    if len(pictures) > PICTURES:
        found = [it for it in found if it.kind != "picture" or it is pictures[-1]]
    tables = [it for it in found if it.kind == "table"]
    found, slides = [it for it in found if it not in tables[1:]], []
    for before, it in zip([None, *found], found):
        if it.kind == "film" and before is not None and before.kind == "picture" and not before.caption:
            slides[-1] = picture_slide(title, before, it)
        else:
            slides.append(table_slide(title, it) if it.kind == "table" else picture_slide(title, it))
    return slides


def picture_slide(title, it, film=None):
    """A picture as large as the slide allows, with its caption."""
    caption = (film or it).caption
    page = it.html.replace(' loading="lazy"', "").replace("<video ", '<video class="alone" ' if film is None else "<video ")
    line = f'<p class="caption">{html.escape(shortened(caption, 240))}</p>' if caption else ""
    size = SIZE.search(page)
    shape = f' style="aspect-ratio: {size[1]} / {size[2]}"' if size else ""
    both = f'<div class="pair">{page}{film.html}</div>' if film else f'<div class="one"{shape}>{page}</div>'
    return Slide("picture", title, f'<div class="show">{both}{line}</div>', f"{it.alt}\n\n{caption}", generated(f"{caption} {it.alt}"))


def generated(words):
    """True for what a model drew, by its caption or alt text: SYNTHETIC. In small letters the word is about drawn or simulated clips."""
    return "SYNTHETIC" in words


def halved(it, files):
    """A very flat strip with its right half below its left one, cut where it is white; anything else as it is."""
    import io

    import numpy as np
    from PIL import Image

    size = SIZE.search(it.html) if it.kind == "picture" else None
    if not size or int(size[1]) <= FLAT * int(size[2]):
        return it
    with Image.open(files.folder / re.search(r'src="([^"]+)"', it.html)[1].removeprefix(files.before)) as image:
        strip = image.convert("RGB")
    darkest, middle = np.asarray(strip).min((0, 2)), strip.width // 2
    cut = max(range(middle - middle // 5, middle + middle // 5), key=lambda x: (darkest[x], -abs(x - middle)))
    if darkest[cut] < WHITE:
        return it
    rows = Image.new("RGB", (max(cut, strip.width - cut), 2 * strip.height + 8), "white")
    rows.paste(strip.crop((0, 0, cut, strip.height)), (0, 0))
    rows.paste(strip.crop((cut, 0, *strip.size)), (0, strip.height + 8))
    buffer = io.BytesIO()
    rows.save(buffer, "PNG")
    page = re.sub(r'src="[^"]+"', f'src="{files.put(buffer.getvalue(), "png")}"', it.html)
    return replace(it, html=SIZE.sub(lambda tag: tag[0].replace(f'width="{size[1]}" height="{size[2]}"',
                                                                f'width="{rows.width}" height="{rows.height}"'), page))


def table_slide(title, it):
    """The first rows of a table; what is left out is said."""
    rows = re.findall(r"<tr>(.*?)</tr>", it.html, re.S)
    grid = [re.findall(r"<(t[hd])([^>]*)>(.*?)</t[hd]>", row, re.S) for row in rows]
    head, body = grid[0], grid[1:]
    said = []
    if len(body) > ROWS:
        said.append(f"{ROWS} of {len(body)} rows")
    if len(head) > COLUMNS:
        said.append(f"{COLUMNS} of {len(head)} columns")

    def cell(tag, look, words):
        return f"<{tag}{look}>{html.escape(shortened(html.unescape(words), CELL))}</{tag}>"

    shown_rows = [row[:COLUMNS] for row in [head, *body[:ROWS]]]
    wide = [max(min(len(html.unescape(row[k][2])), CELL) for row in shown_rows if k < len(row)) for k in range(len(shown_rows[0]))]
    letters = sum(wide) + 2 * len(wide)
    small = " smaller" if letters > 105 else " small" if letters > 65 else ""
    lines_of = "".join("<tr>" + "".join(cell(*one) for one in row) + "</tr>" for row in shown_rows[1:])
    rest = f'<p class="rest">{", ".join(said)}; the lesson has all.</p>' if said else ""
    caption = f'<p class="caption">{html.escape(shortened(it.caption, 240))}</p>' if it.caption else ""
    table = (f'<table class="shown{small}"><thead><tr>{"".join(cell(*one) for one in shown_rows[0])}</tr></thead>'
             f"<tbody>{lines_of}</tbody></table>")
    return Slide("table", title, f"{caption}{table}{rest}", it.caption, generated(it.caption))


def see(slides, title, text, notes):
    """What the reader should see: beside the last picture when there is room for both, else a slide of its own."""
    text = text[:1].upper() + text[1:]
    said, slide = lines(text), slides[-1]
    size = SIZE.search(slide.body)
    if slide.kind == "picture" and "<video" not in slide.body and (len(said) <= BESIDE[0] and sum(map(len, said)) <= BESIDE[1]):
        tall = size and int(size[1]) < 1.45 * int(size[2])
        slide.body = (f'<div class="{"beside" if tall else "below"}">{slide.body}<div class="see"><h3>What you should see</h3>'
                      f"{listed(said)}</div></div>")
        slide.notes = f"{slide.notes}\n\n{notes}"
        return
    slides += [Slide(made.kind, "What you should see" + made.title.removeprefix(title), made.body, made.notes)
               for made in texts(title, text, notes)]


def code_slide(title, cell, told):
    """Code in colour with what it printed, in letters that let its longest line fit, but never too small: then it goes on below.

    told: the Markdown before the cell, for the notes.
    """
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer

    source = plain_code(cell.source).strip()
    printed = "".join(output.text for output in cell.outputs if output.output_type == "stream" and output.name == "stdout").strip()
    printed = "\n".join(shortened(line, 110) for line in printed.splitlines()[:5])
    length, most = max(map(len, source.splitlines())), WIDTH / (0.605 * SMALLEST)
    count = sum(math.ceil(len(line) / most) or 1 for line in source.splitlines())
    high = (HEIGHT - 24 * len(printed.splitlines())) / (1.3 * count)
    letters = max(SMALLEST, min(20, math.floor(WIDTH / (0.605 * length)), math.floor(high)))
    page = "".join(f'<span class="line">{line or " "}</span>'
                   for line in highlight(source, PythonLexer(), HtmlFormatter(nowrap=True)).splitlines())
    notes = f"{told}\n\n```python\n{source}\n```"
    out = f'<pre class="printed">{html.escape(printed)}</pre>' if printed else ""
    return Slide("code", title, f'<pre class="code" style="font-size:{letters}px"><code>{page}</code></pre>{out}', notes)


def last(text):
    """What comes next, from the end of the lesson; the references are notes."""
    following = [line for line in lines(text) if line.startswith("Next")]
    return [Slide("text large", "Next", listed(following), text)] if following else []


def listed(items):
    """Lines as a list, with formulas, emphasis and code."""
    def look(item):
        return ' class="formula"' if item.startswith("$$") else ""

    return '<ul class="lines">' + "".join(f"<li{look(item)}>{inline(item)}</li>" for item in items) + "</ul>"


def inline(text):
    """Markdown of one line as HTML."""
    return re.sub(r"^\s*<p>(.*)</p>\s*$", r"\1", page_of(text), flags=re.S).strip()


def page_of(text):
    """Markdown as HTML for a slide or its notes: a link inside the course is plain words and a heading a line, since slides stand alone."""
    from nbconvert.filters.markdown import markdown2html

    text = re.sub(r"\[([^\]]*)\]\((?!https?:)[^)]*\)", r"\1", text)
    return markdown2html(re.sub(r"^#+ +(.+)$", r"**\1**\n", text, flags=re.M))


def shortened(text, count):
    """Text of at most `count` letters, cut between words."""
    return text if len(text) <= count else text[:count - 1].rsplit(" ", 1)[0] + " \u2026"
