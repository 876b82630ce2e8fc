"""What the handouts share: a game, a strip of a clip, and the pages that are printed on A4."""

import base64
import html
import io
import random
from dataclasses import dataclass

import numpy as np

from course.tools import quiz

MIXED = "Some pictures on this sheet are SYNTHETIC or simulated: never for clinical use."
SIMULATED = "Simulated pictures (brains: cut from an average): never for clinical use."
GENERATED = "SYNTHETIC pictures, made by a model: never for clinical use."
STYLE = """
@page { size: A4; margin: 13mm }
* { box-sizing: border-box }
body { font: 11pt/1.4 system-ui, sans-serif; max-width: 184mm; margin: 8mm auto; padding: 0 3mm; color: #000; background: #fff }
h1 { font-size: 17pt; margin: 0 0 2mm } h2 { font-size: 14pt; margin: 0 0 1.5mm; break-after: avoid }
h3 { font-size: 11.5pt; margin: 0 0 1mm }
p { margin: 0 0 2.5mm } a { color: #0b5cad } header { border-bottom: .4mm solid #000; margin-bottom: 4mm }
.game + .game { break-before: page; margin-top: 12mm } .names span { display: inline-block; width: 48% }
.small { font-size: 9.5pt; color: #333 } .mark { font-weight: 600 } .whole, tr, figure { break-inside: avoid }
figure { margin: 0 0 3.5mm } figcaption { margin-bottom: .8mm; white-space: nowrap }
figure img { display: block; width: 100%; height: auto }
.two { display: grid; grid-template-columns: 1fr 1fr; gap: 0 6mm } .two figure { margin-bottom: 2.5mm } .wide figure { width: 90% }
.four { display: grid; grid-template-columns: repeat(4, 1fr); gap: 0 4mm }
.four figure { margin-bottom: 1.2mm } .four figcaption { margin: 0; font-size: 9.5pt }
.slim { width: 68% } .slim figure { margin-bottom: 2mm } .half img { width: 70% } .half figure { margin-bottom: 2mm }
.half { border-bottom: .3mm dashed #555; margin-bottom: 4mm; padding-bottom: 2mm; break-inside: avoid } .half:last-child { border: 0 }
.levels { display: grid; grid-template-columns: repeat(5, 1fr); text-align: center; font-size: 10pt }
.line { border-bottom: .3mm solid #333; display: inline-block; height: 1em }
.rule { display: block; height: 9mm; border-bottom: .25mm solid #666 }
table { border-collapse: collapse; width: 100%; margin: 1mm 0 4mm } caption { text-align: left; padding-bottom: 1mm }
td, th { border: .25mm solid #666; padding: 1mm 1.8mm; text-align: left; vertical-align: top; font-size: 10pt }
thead { display: table-header-group } .blank td { height: 9mm }
.cards { display: grid; grid-template-columns: repeat(5, 1fr); margin-bottom: 6mm }
.cards span { border: .3mm dashed #555; padding: 7mm 1mm; text-align: center; font-size: 15pt }
ol.letters { list-style: upper-alpha; padding-left: 7mm } ol.letters li { margin-bottom: 1.6mm }
.two + ol.letters { font-size: 10pt; line-height: 1.3 } .two + ol.letters li { margin-bottom: 1mm }
@media print { body { margin: 0; max-width: none; padding: 0 } .game + .game { margin-top: 0 } }
"""


@dataclass(frozen=True)
class Game:
    """One game. task: HTML that says what students do. sheet: HTML of the pictures or tables. key: HTML for the teacher.

    mark: the line about synthetic pictures, "" where there are none.
    """

    name: str
    task: str
    sheet: str
    key: str
    mark: str = ""


def lots(seed, *names):
    """A random.Random of its own for one game: the same seed and names draw the same order."""
    return random.Random(" ".join(map(str, (seed, *names))))


def strip(frames, count=4, width=200, words=""):
    """Some frames of a clip, uint8 [T, H, W, 3], side by side as a JPEG for <img src>. Time runs to the right.

    count: frames shown. width: pixels of one frame. words: large letters under the frames, inside the picture.
    """
    from PIL import Image, ImageDraw

    from medgen_kit.show import strips

    tiles = strips.enlarge(strips.pick(strips.checked(frames), count), width)
    row = np.hstack([np.pad(tile, ((0, 0), (0, strips.GAP * (k < len(tiles) - 1)), (0, 0)), constant_values=255)
                     for k, tile in enumerate(tiles)])
    size = max(12, width // 9) if words else 0
    image = Image.new("RGB", (row.shape[1], row.shape[0] + round(1.4 * size)), "white")
    image.paste(Image.fromarray(row), (0, 0))
    if words:
        ImageDraw.Draw(image).text((0, row.shape[0] + 1), words, strips.INK, strips.font(size))
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=88)
    return f"data:image/jpeg;base64,{base64.b64encode(stream.getvalue()).decode()}"


def figure(name, frames, count=4, width=200, words="", ask="", below="", role="in order of time"):
    """A strip under its name. The alt text says how many frames there are and nothing of what they show.

    ask: HTML beside the name, to fill in. below: HTML under the strip. A clip of few frames is shown as large as the others.
    """
    shown = min(count, len(frames))
    alt = f"{name}: {shown} frames {role}." if shown > 1 else f"{name}: one frame."
    narrow = f' style="width:{100 * shown / count:.0f}%"' if shown < count else ""
    return (f'<figure><figcaption><strong>{escape(name)}</strong> {ask}</figcaption><img alt="{escape(alt)}"{narrow} '
            f'src="{strip(frames, count, width, words)}">{below}</figure>')


def escape(text):
    return html.escape(str(text), True)


def line(name, wide=52):
    """A word and a line to write on."""
    return f'{escape(name)} <span class="line" style="width:{wide}mm"></span> '


def table(rows, caption="", blank=False):
    """Dicts with equal keys as an HTML table. blank: rows high enough to write in."""
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in rows[0])
    body = "".join("<tr>" + "".join(f"<td>{escape(value)}</td>" for value in row.values()) + "</tr>" for row in rows)
    above = f"<caption>{escape(caption)}</caption>" if caption else ""
    return f'<table{" class=blank" if blank else ""}>{above}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def page(title, body):
    return quiz.page(title, body, style=STYLE)


def sheet(title, games, seed):
    """The page for students: every game begins a page, with lines for names and, where there are made pictures, the line that says so."""
    parts = [f'<section class="game"><header><h1>{escape(game.name)}</h1><p class="small">{escape(title)}. Form {seed}.</p></header>'
             '<p class="names"><span>Names:</span><span>Date:</span></p>'
             + (f'<p class="mark">{escape(game.mark)}</p>' if game.mark else "")
             + f"<p>{game.task}</p>{game.sheet}</section>" for game in games]
    return page(title, "".join(parts))


def key(title, games, seed, made):
    """The page for the teacher. made: what the pages were made from, in words."""
    parts = [f'<section><h2>{escape(game.name)}</h2>{game.key}</section>' for game in games]
    return page(f"Key: {title}", f"<header><h1>Key: {escape(title)}, form {seed}</h1><p class='small'>For the teacher. {escape(made)}</p>"
                                 f"</header>{''.join(parts)}")
