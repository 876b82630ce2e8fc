"""The course runner: progress, a failing cell named, going on from there, pages, Ctrl-C."""

import asyncio
import gc
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from urllib.parse import unquote

import pytest
from jupyter_core.utils import ensure_async, ensure_event_loop
from tiny import write

from course.tools import pages, run_course as tool
from course.tools.execute import Listener, NotebookFailed, execute
from medgen_kit import profiles
from medgen_kit.errors import KitError
from medgen_kit.run import Run

Line, run_course = tool.Line, tool.run_course
ROOT = Path(__file__).resolve().parents[2]
DRAW = """print("Making stage 'sources' of run 'x' (profile 'smoke') ...")
print("  sources: 10 of 20")
from IPython.display import display
display({"image/png": "iVBORw0KGgo=", "text/plain": "a red dot"}, metadata={"image/png": {"alt": "a red dot"}}, raw=True)
open("count.txt", "a").write("x")"""
FAIL = """# a comment
import os
from medgen_kit.errors import KitError
if not os.path.exists("ready.txt"): raise KitError("put the file ready.txt here")
print(profile, run_name)"""


@pytest.fixture
def runs(tmp_path, monkeypatch):
    monkeypatch.setenv("MEDGEN_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(tool, "package_hash", lambda: "the same code")
    return tmp_path / "runs"


def test_fails_plainly_then_goes_on(tmp_path, runs):
    folder = tmp_path / "notebooks"
    folder.mkdir()
    write(folder / "00_first.ipynb", DRAW, title="First")
    write(folder / "01_second.ipynb", FAIL, title="Second")
    said = []
    with pytest.raises(NotebookFailed) as stopped:
        run_course("smoke", "mine", folder=folder, say=said.append)
    text = str(stopped.value)
    assert "01_second.ipynb stopped in cell 3" in text and "import os" in text and "KitError: put the file ready.txt here" in text
    assert any("making 'sources'" in line for line in said) and not any("sources: 10 of 20" in line for line in said)
    assert sum("finished in" in line for line in said) == 1 and any(re.search(r"\[ 1/2\] 00_first .*left", line) for line in said)
    assert (runs / "mine" / "notebooks" / "00_first.ipynb").is_file()

    (folder / "ready.txt").touch()
    said.clear()
    index = run_course("smoke", "mine", folder=folder, say=said.append)
    assert (folder / "count.txt").read_text() == "x", "a finished notebook is not run again"
    assert said[0] == "Profile smoke, run mine, seed 0." and "done before" in said[1]
    assert said[-1].endswith(f"profile 'smoke', seed 0. Report: {index}")
    report = json.loads((runs / "mine" / "report.json").read_text())["course"]
    assert set(report["notebooks"]) == {"00_first", "01_second"}
    assert report["seconds"] == pytest.approx(sum(report["notebooks"].values()), abs=0.2)
    assert json.loads((runs / "mine" / "course.json").read_text()).keys() == {"00_first", "01_second"}
    page = (index.parent / "00_first.html").read_text()
    assert re.search(r"<img[^>]*alt=['\"]a red dot['\"]", page) and "injected" not in page
    assert not re.search(r"<(script|link)[^>]*(src|href)=\"https?:", page), "the page must not need the network"
    assert 'href="01_second.html"' in index.read_text() and "Second" in index.read_text()
    assert "smoke mine" in (index.parent / "01_second.html").read_text()

    write(folder / "00_first.ipynb", DRAW + "\nprint(1)", title="First")
    said.clear()
    run_course("smoke", "mine", folder=folder, say=said.append)
    assert (folder / "count.txt").read_text() == "xx" and sum("done before" in line for line in said) == 1

    # an edit that fails takes the page of before with it, so undoing the edit does not bring a failed page back as "done before"
    write(folder / "00_first.ipynb", DRAW + "\nraise SystemError", title="First")
    with pytest.raises(NotebookFailed):
        run_course("smoke", "mine", folder=folder, say=said.append)
    write(folder / "00_first.ipynb", DRAW + "\nprint(1)", title="First")
    said.clear()
    run_course("smoke", "mine", folder=folder, say=said.append)
    assert sum("done before" in line for line in said) == 1 and "00_first" in said[1] and "done before" not in said[1]


def test_wrong_arguments(tmp_path, runs):
    with pytest.raises(KitError, match="did you mean 'smoke'"):
        run_course("smok", folder=tmp_path)
    with pytest.raises(KitError, match="plain folder name"):
        run_course("smoke", "../away", folder=tmp_path)
    with pytest.raises(KitError, match="no notebooks"):
        run_course("smoke", "mine", folder=tmp_path)


def test_an_empty_profile_means_cpu_and_says_so(tmp_path, runs, monkeypatch):
    write(tmp_path / "00_a.ipynb", "print(profile, seed)")
    monkeypatch.delenv("MEDGEN_PROFILE")
    said = []
    run_course("", folder=tmp_path, seed=5, say=said.append)
    assert said[0] == "Profile cpu (none was given), run cpu, seed 5." and (runs / "cpu" / "report.json").is_file()
    assert "cpu 5" in (runs / "cpu" / "html" / "00_a.html").read_text()


def test_make_hands_over_profile_name_and_seed():
    def said(*given):
        plain = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}       # `make test` runs this
        done = subprocess.run(["make", "-n", "course", *given], cwd=ROOT, capture_output=True, text=True, env=plain | {"SEED": ""})
        return done.stdout.splitlines()[-1]

    assert said("SEED=5", "PROFILE=smoke").endswith('--profile "smoke" --name "smoke" --seed "5"')
    assert said("PROFILE=").endswith('--profile "" --name "" --seed "0"')


def test_two_courses_on_one_run(tmp_path, runs):
    from filelock import FileLock

    write(tmp_path / "00_a.ipynb", "1")
    (runs / "mine" / ".locks").mkdir(parents=True)
    with FileLock(str(runs / "mine" / ".locks" / "course.lock")), pytest.raises(KitError, match="another course"):
        run_course("smoke", "mine", folder=tmp_path)


def test_ctrl_c_is_clean(tmp_path, runs):
    mark = tmp_path / "pid.txt"
    write(tmp_path / "00_a.ipynb", f"import os, time\nopen({str(mark)!r}, 'w').write(str(os.getpid()))\ntime.sleep(60)")
    tool = str(ROOT / "course" / "tools" / "run_course.py")
    command = [sys.executable, tool, "--profile", "smoke", "--name", "mine", "--folder", str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
                               preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))
    deadline = time.time() + 40
    while not (mark.is_file() and mark.read_text()) and time.time() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    text, _ = process.communicate(timeout=40)
    assert process.returncode == 130 and "the same command goes on" in text and "Traceback" not in text, text
    assert not list((runs / "mine" / "notebooks").glob("*")), "nothing half-done is left"
    for _ in range(50):
        try:
            os.kill(int(mark.read_text()), 0)
        except ProcessLookupError:
            break
        time.sleep(0.1)
    else:
        raise AssertionError("the kernel still runs")


def test_ctrl_c_leaves_no_task_in_the_event_loop(tmp_path, monkeypatch, caplog):
    """The kernel is taken away so slowly that the client, still waiting for its cell, would find it dead and say so when all is over."""
    from jupyter_client.manager import AsyncKernelManager

    plain, mark = AsyncKernelManager.cleanup_resources, tmp_path / "running.txt"

    async def slow(self, *given, **named):
        await asyncio.sleep(1.5)
        await ensure_async(plain(self, *given, **named))

    def press():
        while not mark.exists():
            time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGINT)
    monkeypatch.setattr(AsyncKernelManager, "cleanup_resources", slow)
    write(tmp_path / "00_a.ipynb", f"import time\nopen({str(mark)!r}, 'w')\ntime.sleep(60)")
    before = signal.signal(signal.SIGINT, signal.default_int_handler)          # what runs in the background may have been told to ignore it
    threading.Thread(target=press, daemon=True).start()
    try:
        with pytest.raises(KeyboardInterrupt):
            execute(tmp_path / "00_a.ipynb", tmp_path / "out.ipynb")
    finally:
        signal.signal(signal.SIGINT, before)
    assert not asyncio.all_tasks(ensure_event_loop())
    gc.collect()
    assert "never retrieved" not in caplog.text


def test_progress_words():
    said, lines = [], []
    listener = Listener(said.append)
    for piece in ("Making stage 'al", "ign' of run 'cpu' ...\n  align: step 1", " of 2\nother\n"):
        listener.write(piece)
    assert said == ["making 'align'", "align: step 1 of 2"]
    line = Line("[ 1/2] 00", 90, time.time(), lines.append)
    for text in said + ["align: step 2 of 2"]:
        line.stage(text)
    line.end("finished")
    assert lines[0].endswith("about 1 min 30 s left") and lines[-1] == "[ 1/2] 00 finished"
    assert [line.split("  ")[-1] for line in lines[1:-1]] == ["making 'align'"] and line.text == "align: step 2 of 2"


def test_links_lead_from_the_pages_to_pages_and_files(tmp_path, runs):
    run, origin = Run.open(profiles.load("smoke"), "mine"), tmp_path / "my lessons"
    (origin / "more").mkdir(parents=True)
    text = ("See [two](01_b.ipynb#part), [none](07_c.ipynb), [file](more/../more/note.md), [web](https://a.b/c.ipynb), "
            "[here](#part), ![a picture](more/p.png), `[code](01_b.ipynb)`")
    (origin / "more" / "note.md").write_text("x")
    notebooks = [write(origin / f"{name}.ipynb", "1", title=text) for name in ("00_a", "01_b")]
    run.report("tiny", motion_unseen=0.5, per_factor={"echo.view": -0.0001, "good": True})
    index = pages.write(run, notebooks, {"00_a": 1, "01_b": 2}, origin)
    page = (index.parent / "00_a.html").read_text()
    body = page[page.index("<body"):]
    hrefs = [unquote(one) for one in re.findall(r'<a [^>]*?href="([^"]+)"', body)]
    assert hrefs[0] == "index.html" and "01_b.html#part" in hrefs and "https://a.b/c.ipynb" in hrefs and "#part" in hrefs
    assert "[code](01_b.ipynb)" in body, "code is left alone"
    note = next(one for one in hrefs if one.endswith("note.md"))
    assert (index.parent / note).resolve() == origin / "more" / "note.md"
    assert (index.parent / next(one for one in hrefs if "07_c" in one)).resolve() == origin / "07_c.ipynb"
    text = index.read_text()
    assert "Each table holds what one stage or lesson measured" in text and "<td>motion unseen</td>" in text
    assert '<td>per factor echo view</td><td class="n">0</td>' in text and "-0" not in text[text.index("<h2>Figures"):]


def test_formulas_and_plotly_need_no_network(tmp_path):
    text = pages.formulas("cost 5 $ or $x_t = 1$ and $$\\frac{1}{2}$$ but `$code$`, $\\nosuchthing{x}$")
    assert text.count("data:image/svg+xml") == 2 and "`$code$`" in text and "cost 5 $ or" in text
    assert "<code>\\nosuchthing{x}</code>" in text
    figure = {"data": [{"type": "bar", "y": [1, 2]}], "layout": {}}
    plot = {"output_type": "display_data", "data": {"application/vnd.plotly.v1+json": figure, "text/plain": 'two "bars"'}}
    drawn = pages.page_output(plot, "plot1")["data"]["text/html"]
    assert 'aria-label="two &quot;bars&quot;"' in drawn and "cdn" not in drawn.lower()
    assert drawn.count("<script>") == drawn.count('"modeBarButtonsToRemove": ["sendChartToCloud"]') == 1, "no button sends a plot away"


def test_make_test_tells_every_verdict(monkeypatch, capfd):
    from course.tools import run_tests

    good, bad = [sys.executable, "-c", "import os; print(os.environ['MEDGEN_PROFILE'])"], [sys.executable, "-c", "raise SystemExit(3)"]
    monkeypatch.setattr(run_tests, "steps", lambda: [("first", bad), ("second", good)])
    assert run_tests.main() == 1
    said = capfd.readouterr().out
    assert "FAILED  first" in said and "passed  second" in said and "target on 2 quiet cores: 12 min; met" in said and "smoke" in said
    monkeypatch.setattr(run_tests, "steps", lambda: [("second", good)])
    assert run_tests.main() == 0
    with pytest.raises(SystemExit) as left:
        run_tests.main(["--help"])
    assert left.value.code == 0 and "== " not in (said := capfd.readouterr().out.split("target")[-1]) and "ruff" in said


def test_make_test_runs_the_browser_where_there_is_one(monkeypatch, capfd):
    from course.tools import browser, run_tests

    monkeypatch.setattr(run_tests, "chromium", lambda: "chromium")
    assert any("tests/browser" in command for _, command in run_tests.steps())
    monkeypatch.setattr(run_tests, "chromium", lambda: None)
    assert not any("tests/browser" in command for _, command in run_tests.steps())
    assert run_tests.main(["--browser"]) == 1 and "sudo apt install chromium" in capfd.readouterr().out
    monkeypatch.setattr(run_tests, "steps", lambda: [])
    assert run_tests.main() == 0 and "were not run: no Chromium was found" in capfd.readouterr().out
    monkeypatch.setenv("MEDGEN_CHROMIUM", "no-such-browser")
    assert browser.chromium() is None
    monkeypatch.setenv("MEDGEN_CHROMIUM", sys.executable)
    assert browser.chromium() == sys.executable
    monkeypatch.delenv("MEDGEN_CHROMIUM")
    monkeypatch.setenv("PATH", "")
    assert browser.chromium() is None
