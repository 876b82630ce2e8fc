"""Right answers keep their points, whatever honest people write around them; what is left out is named."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

sys.path[:0] = [str(Path(__file__).parent)]

from medgen_kit.exercise import grade, plain, sandbox, task                 # noqa: E402
from sheets import CALLS, EULER, GUIDED, graded, notebook, secret           # noqa: E402

MAGICS = {
    "inline": ["%matplotlib inline\n" + GUIDED], "shell": ["!pip install x\nfiles = !ls\n" + GUIDED], "help": ["len?\n" + GUIDED],
    "named": ["get_ipython().run_line_magic('matplotlib', 'inline')\n" + GUIDED],
    "imported": ["from IPython import get_ipython\nget_ipython().system('ls')\n" + GUIDED],
    "time": ["%%time\n" + GUIDED], "timeit": ["%%timeit -n 1\n%matplotlib inline\n" + GUIDED],
    "capture": ["%%capture said\n" + GUIDED, "said.show()"],
    "timed": ["%time factor = 1\n" + GUIDED.replace("guidance_scale *", "factor * guidance_scale *")],
    "awaited": ["import asyncio\nawait asyncio.sleep(0)\nasync def one():\n    return 1\nfactor = await one()\n"
                + GUIDED.replace("guidance_scale *", "factor * guidance_scale *")]}
IMPORTS = {
    "generate": ["from medgen_kit import generate\n" + GUIDED], "diffusers": ["import diffusers\n" + GUIDED],
    "plotly": ["import plotly.express as px\nfrom plotly.subplots import make_subplots\nfig = make_subplots(2, 2)\nfig.show\n" + GUIDED],
    "matplotlib": ["import matplotlib.ticker, matplotlib.pyplot as plt\nfrom matplotlib.colors import ListedColormap\n"
                   "counts, edges, bars = plt.hist([1, 2, 2])\nassert counts.sum() == 3\nplt.show()\n" + GUIDED],
    "show": ["import medgen_kit.show.movies\nfrom medgen_kit import show\nfrom medgen_kit.show import strips\nfrom IPython.display "
             "import HTML, display\n"
             "show.style()\nshow.no_such_picture(1)\ndisplay(HTML('x'))\nstrips.any['x'] = 1\n" + GUIDED],
    "torch": ["import torch\n" + GUIDED.replace("return ", "return torch.tensor(").replace("- v_empty)", "- v_empty)).to(torch.float32)")]}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return graded(tmp_path_factory.mktemp("honest"), MAGICS | IMPORTS, "guided", trust=bool(sandbox.ready()))


@pytest.mark.parametrize("name", [*MAGICS, *IMPORTS])
def test_points_stay(found, name):
    assert found[name]["guided"] == (2, "")


ANSWERS = {
    "complex": "return np.array([1+2j])", "objects": "return np.array([object()], dtype=object)",
    "deep": "return [[[[[[[[[[[[[[1]]]]]]]]]]]]]]",
    "bytes": "return {b'x': (b'y', np.longdouble(1))}", "surrogate": "return chr(0xd800)", "own": "return Own()",
    "huge": "return 10**5000"}
OWN = "import numpy as np\nclass Own:\n    plain = {'array': object()}\n    def __call__(self): pass\n"


def test_an_answer_without_a_form_costs_its_own_exercise(tmp_path):
    students = {name: [OWN, f"def guided(a, b, g):\n    {text}", EULER, CALLS] for name, text in ANSWERS.items()}
    for name, said in graded(tmp_path, students, trust=bool(sandbox.ready())).items():
        assert said["euler"] == (2, "") and said["network_calls"] == (1, ""), (name, said)
        assert said["guided"][0] == 0 and "ends its own process" not in said["guided"][1], (name, said)


def test_cells_that_are_left_out_are_named(tmp_path):
    students = {"bash": ["%%bash\nls", "x = 1"], "script": ["%%javascript\n" + GUIDED], "none": ["x = 1"]}
    said = {name: one["guided"][1] for name, one in graded(tmp_path, students, "guided", trust=bool(sandbox.ready())).items()}
    assert said["bash"].startswith("`guided` is not there after all cells ran (the cell that begins `%%bash`: it is left out, as %%bash")
    assert "%%javascript is not Python" in said["script"]
    assert said["none"] == "`guided` is not there after all cells ran."


def test_a_cell_for_colab_is_not_run(tmp_path):
    notebook(tmp_path / "in" / "ada.ipynb", "def guided(*given):\n    return 0", GUIDED, tags=["colab"])
    notebook(tmp_path / "in" / "bob.ipynb", GUIDED, tags=["colab"])
    rows = grade.grade(tmp_path / "in", secret(tmp_path, "guided"), tmp_path / "out.csv", trust=bool(sandbox.ready()))
    assert [row["points"] for row in rows] == [2, 0] and "is not there" in rows[1]["reason"]


@pytest.mark.parametrize("value, expected", [
    (np.ma.array([1.0, 2.0], mask=[0, 1]), [1, 2]), (np.array([np.longdouble(0.5)]), [0.5]),
    (pd.Series({"a": 1.0, "b": 2}), {"dict": [["a", 1], ["b", 2]]}), (pd.Series([3, 4]), [3, 4]), (pd.Index([3, 4]), [3, 4]),
    (pd.DataFrame({"a": [1, 2], "b": [3, 4]}), [[1, 3], [2, 4]]), (pd.Series(["x", "y"]), ["x", "y"]),
    (torch.tensor([0.5, 2.0], dtype=torch.bfloat16), [0.5, 2]), (torch.tensor(0.25, requires_grad=True), 0.25),
    (torch.tensor([1, 2]), [1, 2]), (torch.tensor([True]), [True]), (np.array([1, "a", None], dtype=object), [1, "a", None])])
def test_tables_and_tensors_are_as_good_as_lists(value, expected):
    assert plain.same(plain.plain(value), expected)


def test_entries_without_a_form_are_named_by_their_kind():
    found = plain.plain([np.array([1 + 2j]), np.array([None, object()], dtype=object), np.array(["2020"], dtype="datetime64[D]")])
    assert found == [{"array": [{"kind": "complex"}]}, {"array": [None, {"kind": "object"}]}, {"array": [{"kind": "date"}]}]


def test_a_series_answers_where_a_dictionary_is_asked():
    one = task.every()["balance_weights"]
    case = one.parts()[0]["cases"][0]
    answer = pd.Series(one.solve(*plain.restored(case["inputs"])))
    assert plain.same(plain.plain(answer), case["expected"])


@pytest.mark.parametrize("got, expected, equal", [(1.00009, 1, True), (1.00012, 1, False), (9e-7, 0, True), (1.2e-6, 0, False)])
def test_the_tolerances(got, expected, equal):
    assert plain.same(got, expected) is equal and plain.same([-got], [-expected]) is equal
