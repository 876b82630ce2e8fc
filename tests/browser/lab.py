"""JupyterLab with a server of its own, on copies of the lessons, and a page in which a lesson is opened and run."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from tests.browser.served import free_port, hears_interrupts

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "only-for-this-test"
SETTINGS = {"@jupyterlab/apputils-extension/notification.jupyterlab-settings":
            {"fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": True},
            "@jupyterlab/notebook-extension/tracker.jupyterlab-settings": {"windowingMode": "none"}}
RUN = 420_000                                              # milliseconds that a lesson may take on profile smoke


class Lab:
    """`jupyter lab` in a folder with copies of some lessons."""

    def __init__(self, folder, lessons):
        self.folder, self.port = folder, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        for name in lessons:
            shutil.copy(ROOT / "notebooks" / f"{name}.ipynb", folder)
        for name, content in SETTINGS.items():
            path = folder / "settings" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(content))

    def start(self):
        """Start, and wait until it answers."""
        own = {"JUPYTERLAB_SETTINGS_DIR": "settings", "JUPYTERLAB_WORKSPACES_DIR": "workspaces", "JUPYTER_CONFIG_DIR": "config",
               "JUPYTER_RUNTIME_DIR": "runtime", "MEDGEN_RUNS": os.environ.get("MEDGEN_RUNS", self.folder / "runs")}
        environment = {**os.environ, "MEDGEN_PROFILE": "smoke", "OMP_NUM_THREADS": "1",
                       **{name: str(self.folder / place) for name, place in own.items()}}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1", f"--port={self.port}", "--allow-root",
             f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={self.folder}", "--LabApp.extension_manager=readonly"],
            env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=self.folder, preexec_fn=hears_interrupts)
        for _ in range(600):
            with contextlib.suppress(OSError):
                self.sessions()
                return
            assert self.process.poll() is None, self.process.communicate()[0][-2000:]
            time.sleep(0.1)
        raise AssertionError("JupyterLab did not start within a minute")

    def stop(self):
        """Two interrupts, as at a terminal; then, if need be, the hard way."""
        for _ in range(2):
            if self.process.poll() is None:
                self.process.send_signal(signal.SIGINT)
                time.sleep(0.5)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()

    def sessions(self):
        """What the server says of its kernels."""
        with urllib.request.urlopen(f"{self.url}/api/sessions?token={TOKEN}", timeout=10) as answer:
            return json.load(answer)

    def open(self, browser, lesson):
        """A page with the lesson, its kernel connected and idle."""
        page = browser.new_context(viewport={"width": 1300, "height": 1000}).new_page()
        page.set_default_timeout(60_000)
        page.faults = []
        page.on("pageerror", lambda error: page.faults.append(str(error)))
        page.goto(f"{self.url}/lab/tree/{lesson}.ipynb?token={TOKEN}&reset")
        cells = len(json.loads((self.folder / f"{lesson}.ipynb").read_text())["cells"])
        page.wait_for_function("(count) => document.querySelectorAll('.jp-Notebook .jp-Cell').length === count", arg=cells)
        for _ in range(600):                               # a click before the kernel listens is lost without a word
            mine = [one["kernel"] for one in self.sessions() if one["path"] == f"{lesson}.ipynb"]
            if mine and mine[0]["execution_state"] == "idle" and mine[0]["connections"] > 0:
                break
            time.sleep(0.1)
        else:
            raise AssertionError(f"the kernel of {lesson} did not come up")
        page.wait_for_selector(".jp-StatusBar-TextItem:has-text('Idle'), .jp-Notebook-ExecutionIndicator[data-status=idle]")
        return page


def run_all(page):
    """Run > Run All Cells; returns when every code cell has its number."""
    page.click(".lm-MenuBar-itemLabel:text-is('Run')")
    page.click(".lm-Menu-itemLabel:text-is('Run All Cells')")
    page.wait_for_function("""() => { const cells = [...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')];
        const states = cells.map((cell) => cell.textContent);
        return states.length && !states.some((text) => text.includes('*')) && states.every((text) => /\\d/.test(text)); }""",
                           timeout=RUN, polling=500)


def errors(page):
    """Last lines of the errors that cells have raised."""
    return page.evaluate("""() => [...document.querySelectorAll(`.jp-RenderedText[data-mime-type="application/vnd.jupyter.stderr"],
        .jp-OutputArea-output[data-mime-type="application/vnd.jupyter.error"]`)].map((one) => one.textContent.slice(-300))
        .filter((text) => /Error|Traceback/.test(text))""")
