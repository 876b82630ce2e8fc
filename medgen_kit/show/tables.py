"""Tables with a header row, for the page and as plain text."""

import html
import math

from .bundle import CAPTION, is_notebook

CELL = "padding:4px 10px; text-align:{}; vertical-align:top; border-bottom:1px solid #ddd"
NARROW = "; white-space:nowrap"         # a short cell is not broken


def table(rows, caption="", digits=3):
    """Show rows (a list of dicts, a dict of name -> value, or a pandas DataFrame) as a table; numbers with `digits` decimals."""
    columns, body = cells(rows, digits)
    lines = [caption] if caption else []
    lines += text_lines(columns, body)
    if not is_notebook():
        print("\n".join(lines), flush=True)
        return
    from IPython.display import display

    display({"text/html": page(columns, body, caption), "text/plain": "\n".join(lines)}, raw=True)


def cells(rows, digits=3):
    """(column names, rows of (text, is a number)) of anything `table` takes."""
    if hasattr(rows, "to_dict") and hasattr(rows, "columns"):
        rows = rows if str(type(rows.index).__name__) == "RangeIndex" else rows.reset_index()
        rows = rows.to_dict("records")
    elif isinstance(rows, dict):
        rows = [{"name": key, "value": value} for key, value in rows.items()]
    columns = list(dict.fromkeys(key for row in rows for key in row))
    body = [[(written(row.get(c), digits), isinstance(row.get(c), (int, float))) for c in columns] for row in rows]
    return [str(c) for c in columns], body


def written(value, digits=3):
    """One value as text: floats rounded, nothing for None or NaN, yes and no for truth values."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or isinstance(value, float) and math.isnan(value):
        return "\u2013"
    if isinstance(value, float) or type(value).__name__.startswith("float"):
        text = f"{value:,.{digits}f}"
        return text if text.strip("-0.,") else text.lstrip("-")             # no minus before a zero
    if isinstance(value, int) and abs(value) >= 10_000:
        return f"{value:,}"
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def text_lines(columns, body):
    """The table as aligned text."""
    grid = [columns, *[[text for text, _ in row] for row in body]]
    widths = [max(len(row[k]) for row in grid) for k in range(len(columns))]
    sides = numeric(columns, body)
    return ["  ".join(text.rjust(w) if r else text.ljust(w) for text, w, r in zip(row, widths, sides)).rstrip() for row in grid]


def numeric(columns, body):
    """For each column, whether all that stands in it is numbers (they are set to the right)."""
    return [bool(body) and all(row[k][1] or row[k][0] == "\u2013" for row in body) and any(row[k][1] for row in body)
            for k in range(len(columns))]


def page(columns, body, caption=""):
    """The table as HTML, header cells marked as such."""
    rows, sides = "", ["right" if right else "left" for right in numeric(columns, body)]
    for row in body:
        cells_of = [(html.escape(text), CELL.format(side) + (NARROW if len(text) <= 18 else "")) for (text, _), side in zip(row, sides)]
        rows += "<tr>" + "".join(f'<td style="{look}">{text}</td>' for text, look in cells_of) + "</tr>"
    head = "".join(f'<th scope="col" style="{CELL.format(side)}">{html.escape(c)}</th>' for c, side in zip(columns, sides))
    note = CAPTION.format(html.escape(caption)) if caption else ""
    return f'{note}<table style="border-collapse:collapse; font-size:14px"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'
