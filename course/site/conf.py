"""Settings of Sphinx for the course's site. `make site` copies this file beside the pages that it puts together."""

import json
from pathlib import Path

project = "MedGen Kit"
html_title = "MedGen Kit"
html_favicon = "_static/favicon.svg"
language = "en"
extensions = ["myst_nb"]
exclude_patterns = ["_static", ".doctrees"]

nb_execution_mode = "off"
nb_code_prompt_show = "The cell for Colab"
nb_code_prompt_hide = "The cell for Colab"
# Beside the page, and so without `crossorigin`: widgets work on a page that is opened from a folder. The search lists its hits there too,
# but without their lines, which a browser does not let it read.
nb_ipywidgets_js = {"require.js": {}, "embed-amd.js": {}}
nb_render_markdown_format = "myst"
myst_enable_extensions = ["colon_fence", "dollarmath", "attrs_inline"]     # attrs: the anchors of the glossary
myst_dmath_allow_digits = False                                  # $5 and $6 are prices
myst_heading_anchors = 4
mathjax_path = "mathjax.js"

html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["course.css"]
html_js_files = ["course.js"]
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False                                      # README names the licences
html_use_index = False
html_theme_options = {
    "announcement": "Every generated clip is <strong>synthetic</strong> and never for clinical use.",
    "light_css_variables": {"color-brand-primary": "#0b5c8a", "color-brand-content": "#0b5c8a"},
    "dark_css_variables": {"color-brand-primary": "#7cc4ee", "color-brand-content": "#7cc4ee"},
}

DRAWN = set(json.loads((Path(__file__).parent / "drawn.json").read_text(encoding="utf-8")))


def add_plotly(app, page, template, context, doctree):
    """Load plotly on the pages that draw with it, before require.js can catch it."""
    if page in DRAWN:
        app.add_js_file("plotly.min.js", priority=100)


def setup(app):
    """What Sphinx calls first."""
    app.connect("html-page-context", add_plotly)
