"""Small pieces of HTML that the sections of the report are put together from: numbers, intervals, bars, tables."""

import html

ARROWS = {1: "higher is better", -1: "lower is better", 0: "takes no side"}


def words(name):
    """A metric's name as words."""
    return html.escape(name.replace("_", " "))


def number(value, digits):
    """A value as text, a dash where there is none."""
    return "\u2013" if value is None else f"{value:,.{digits}f}"


def interval(entry, digits, between=" "):
    """The value of an aggregate, with its interval where it has one."""
    value, low, high = (number(entry[key], digits) for key in ("value", "low", "high"))
    return f"<b>{value}</b>" + (f"{between}<span class=ci>[{low}, {high}]</span>" if entry["low"] is not None else "")


def bar(name, entry, own, real, wide=210, high=26):
    """An inline drawing of one metric (range of the clips `own`, interval, mean, mean of the real clips), with its numbers as its words."""
    if entry["value"] is None:
        return ""
    digits, middle, marks = entry["digits"], high / 2, [*own, *([] if real is None else [real])]
    first, last = min(marks), max(marks)

    def x(value):
        return round(8 + (wide - 16) * ((value - first) / (last - first) if last > first else 0.5), 1)

    said = f"{words(name)}: clips from {number(min(own), digits)} to {number(max(own), digits)}, mean {number(entry['value'], digits)}"
    drawn = f"<line class=range x1={x(min(own))} x2={x(max(own))} y1={middle} y2={middle} />"
    if entry["low"] is not None:
        drawn += f"<line class=spread x1={x(entry['low'])} x2={x(entry['high'])} y1={middle} y2={middle} />"
    drawn += f"<circle class=mean cx={x(entry['value'])} cy={middle} r=5 />"
    if real is not None:
        said += f", real clips {number(real, digits)}"
        drawn += f'<path class=real d="M{x(real)} {middle - 6} l6 6 l-6 6 l-6 -6 z" />'
    return f'<svg width={wide} height={high} viewBox="0 0 {wide} {high}" role=img aria-label="{html.escape(said, True)}">{drawn}</svg>'


def table(names, rows, mark="", sorts=False):
    """An HTML table from its columns and ready-made rows; with `sorts` the columns' names are buttons."""
    titles = (f"<button>{html.escape(name)}</button>" if sorts else html.escape(name) for name in names)
    head, own = "".join(f"<th scope=col>{title}</th>" for title in titles), f" id={mark}" if mark else ""
    return f"<div class=wide tabindex=0><table{own}><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"


def row(name, *cells, look=""):
    """A row of a table from its first cell (ready-made HTML) and the others: HTML, or (HTML, classes of the cell)."""
    made = (cell if isinstance(cell, tuple) else (cell, "") for cell in cells)
    rest = "".join(f'<td class="{kind}">{text}</td>' if kind else f"<td>{text}</td>" for text, kind in made)
    return f"<tr{f' class={look}' if look else ''}><th scope=row>{name}</th>{rest}</tr>"


def figure(source, alt, caption):
    """A picture with its words and caption (ready-made HTML); a sentence where there is no picture."""
    image = f'<img src="{source}" alt="{html.escape(alt, True)}" loading=lazy>' if source else "<p>The file can not be read any more.</p>"
    return f"<figure>{image}<figcaption>{caption}</figcaption></figure>"


def details(title, body, opened=False):
    """A part that the reader can open and close."""
    return f"<details{' open' * opened}><summary>{title}</summary>{body}</details>"
