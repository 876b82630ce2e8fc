"""`python -m medgen_kit` and `accelerate launch -m medgen_kit`: the command line."""

from .cli import app

app()
