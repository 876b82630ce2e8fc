"""The refresher stores what a reader needs and nothing that changes by itself."""

import nbformat
import pytest
from tiny import write

from course.tools import refresh as tool
from course.tools.execute import NotebookFailed
from medgen_kit.errors import KitError


def dirty():
    """A notebook as papermill leaves it, with everything that must go."""
    nb = nbformat.v4.new_notebook(metadata={"kernelspec": {"name": "my-env", "display_name": "mine"}, "papermill": {"x": 1}, "widgets": {}})
    new = nbformat.v4.new_output
    widget = new("display_data", data={"application/vnd.jupyter.widget-view+json": {}, "text/plain": "IntSlider()"})
    picture = new("display_data", data={"image/png": "AAAA", "text/plain": "a line"}, metadata={"image/png": {"alt": "a line"}, "old": 1})
    words = [new("stream", name="stdout",
                 text="Making stage 'taste' of run 'cpu' (profile 'cpu') ...\n  taste: step 1 of 9, 3 s left\nfive\n"),
             new("stream", name="stderr", text="a warning"),
             new("stream", name="stdout", text=f"at {tool.ROOT}/notebooks and /tmp/abc123/x.mp4 <f at 0x7f0011223344>\n")]
    nb.cells = [nbformat.v4.new_code_cell("p = 1", metadata={"tags": ["parameters"], "papermill": {"d": 1}}, execution_count=1),
                nbformat.v4.new_code_cell("p = 2", metadata={"tags": ["injected-parameters"]}, execution_count=2),
                nbformat.v4.new_code_cell("say()", outputs=words, execution_count=3, metadata={"execution": {"t": "1"}}),
                nbformat.v4.new_code_cell("slide()", outputs=[widget], execution_count=4),
                nbformat.v4.new_code_cell("draw()", outputs=[picture], execution_count=5)]
    return nb


def test_clean():
    nb = dirty()
    ids = [cell.id for cell in nb.cells]
    clean = tool.clean(nb)
    assert clean.metadata == tool.METADATA
    assert [cell.id for cell in clean.cells] == ids[:1] + ids[2:]
    assert [cell.metadata for cell in clean.cells] == [{"tags": ["parameters"]}, {}, {}, {}]
    assert [cell.execution_count for cell in clean.cells] == [None, 1, None, 2]
    assert [output.text for output in clean.cells[1].outputs] == ["five\nat notebooks and TEMPORARY <f at 0x...>\n"]
    assert clean.cells[2].outputs == []
    assert clean.cells[3].outputs[0].metadata == {"image/png": {"alt": "a line"}}
    nbformat.validate(clean)


def test_error_and_weight_are_refused(tmp_path):
    nb = dirty()
    nb.cells[2].outputs = [nbformat.v4.new_output("error", ename="ValueError", evalue="no", traceback=[])]
    with pytest.raises(KitError, match="ValueError"):
        tool.clean(nb)
    heavy = tool.clean(dirty())
    heavy.cells[3].outputs[0].data["image/png"] = "A" * 400_000
    with pytest.raises(KitError, match="cell 4"):
        tool.store(heavy, tmp_path / "heavy.ipynb")
    assert not list(tmp_path.iterdir())


def test_refresh_twice_gives_the_same_file_and_check_sees_a_change(tmp_path, monkeypatch):
    monkeypatch.setattr(tool, "BUILD", tmp_path / "build")
    monkeypatch.setenv("MEDGEN_PROFILE", "cpu")
    path = write(tmp_path / "00_a.ipynb", "# NBVAL_CHECK_OUTPUT\nimport os\nprint(1 / 4, os.environ['MEDGEN_PROFILE'])")
    said = []
    tool.refresh(["00"], "smoke", folder=tmp_path, say=said.append)
    first = path.read_bytes()
    tool.refresh([], "smoke", folder=tmp_path, say=said.append)
    assert path.read_bytes() == first and b"0.25 smoke" in first
    tool.refresh(["00"], "smoke", folder=tmp_path, check=True, say=said.append)
    assert said[-1].endswith("1 checked cells are the same")
    with pytest.raises(KitError, match="0.25 cpu"):
        tool.refresh(["00"], "cpu", folder=tmp_path, check=True, say=said.append)
    assert path.read_bytes() == first


def test_a_failing_cell_leaves_the_stored_notebook(tmp_path, monkeypatch):
    monkeypatch.setattr(tool, "BUILD", tmp_path / "build")
    monkeypatch.setenv("MEDGEN_PROFILE", "smoke")
    path = write(tmp_path / "01_b.ipynb", "1 / 0")
    before = path.read_bytes()
    with pytest.raises(NotebookFailed, match="ZeroDivisionError"):
        tool.refresh(["01"], "smoke", folder=tmp_path, say=lambda line: None)
    assert path.read_bytes() == before
    with pytest.raises(KitError, match="no notebook"):
        tool.refresh(["77"], "smoke", folder=tmp_path)
