"""The lessons with what their cells showed: of a finished run where its code is today's, else as the repository stores them."""

from pathlib import Path

from medgen_kit.run import runs_root


def lessons(paths, run="cpu"):
    """({name: notebook}, a sentence that says where the outputs come from). paths: the notebooks. run: name of a run folder."""
    import nbformat

    found, fresh = {}, 0
    for path in map(Path, paths):
        nb, executed = nbformat.read(path, 4), runs_root() / run / "notebooks" / path.name
        taken = executed.is_file() and take_outputs(nb, nbformat.read(executed, 4))
        fresh += bool(taken)
        found[path.stem] = nb
    rest = "" if fresh == len(found) else f", the other {len(found) - fresh} with those stored in the repository"
    return found, f"{fresh} of {len(found)} lessons have the outputs of the run {run}{rest}."


def take_outputs(nb, executed):
    """Give a notebook the outputs of its executed copy; False, and nothing changed, when the code differs or a cell failed."""
    own, ran = counted(nb), counted(executed)
    failed = any(output.output_type == "error" for cell in ran for output in cell.outputs)
    if failed or [cell.source for cell in own] != [cell.source for cell in ran]:
        return False
    for cell, done in zip(own, ran):
        cell.outputs, cell.execution_count = done.outputs, done.execution_count
    if "widgets" in executed.metadata:
        nb.metadata["widgets"] = executed.metadata["widgets"]
    return True


def counted(nb):
    """The code cells that a run depends on: not the one for Colab, which does nothing elsewhere, nor the one that papermill adds."""
    left_out = {"colab", "injected-parameters"}
    return [cell for cell in nb.cells if cell.cell_type == "code" and not left_out & set(cell.metadata.get("tags", []))]
