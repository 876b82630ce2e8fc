"""Draws what it is handed: figures, filmstrips, players, tables. Every picture carries an alt text and stays small.

A leaf: it imports only the base, and everything it offers displays something and returns None.
"""

from .audit import SpotCheck, spot_check
from .browser import explorer, explorer_page
from .bundle import is_notebook
from .charts import figure, plotly, style
from .choice import chooser, chooser_page
from .diagram import flow
from .metadata import caption_browser, caption_page, concept_chart, metadata_chart, metadata_plotly
from .movies import player
from .planner import planner
from .progress import TrainingMonitor, monitor
from .report import ReportView, report_view, rows_sorted
from .scatter import clip_map, clip_map_page
from .sliders import sliders
from .strips import filmstrip, filmstrip_image, sheet, sheet_image
from .tables import table

__all__ = ["ReportView", "SpotCheck", "TrainingMonitor", "caption_browser", "caption_page", "chooser", "chooser_page", "clip_map",
           "clip_map_page", "concept_chart", "explorer", "explorer_page", "figure", "filmstrip", "filmstrip_image", "flow", "is_notebook",
           "metadata_chart", "metadata_plotly", "monitor", "planner", "player", "plotly", "report_view", "rows_sorted", "sheet",
           "sheet_image", "sliders", "spot_check", "style", "table"]
