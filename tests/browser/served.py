"""A study with its server, and a rater who works in a browser, for the tests of this folder."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np

from medgen_kit import video
from medgen_kit.evaluate import study
from medgen_kit.evaluate.study import GRADES, QUESTIONS

NAMES = ("wan-base", "medgen-lora")                         # of the folders of videos; nobody but the key may know them
WAIT = 30_000                                               # milliseconds


def make_study(root, pairs=20):
    """A study of two folders of small videos, with two raters; returns its folder."""
    rng = np.random.default_rng(0)
    prompts = {}
    for number in range(pairs):
        name = f"ward-{number:02d}.mp4"
        prompts[name] = f"Echocardiogram, four chambers, view {number}."
        for side, name_of_side in enumerate(NAMES):
            frames = rng.integers(40 * side, 40 * side + 60, (6, 96, 128, 3)).astype(np.uint8) + np.uint8(5 * number)
            video.write(root / name_of_side / name, frames, 8)
    (root / "prompts.json").write_text(json.dumps(prompts))
    folder, _ = study.create(root / "study", root / NAMES[0], root / NAMES[1], root / "prompts.json", seed=3)
    study.add_raters(folder, 2)
    return folder


def free_port():
    """A port that nothing listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def hears_interrupts():
    """What a background job of a shell ignores, the process that this starts does not."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


class Server:
    """`medgen-kit study serve` as a process of its own."""

    def __init__(self, folder):
        self.folder, self.port, self.url = folder, free_port(), ""
        self.url = f"http://127.0.0.1:{self.port}"

    def start(self):
        """Start, and wait until the port answers."""
        self.process = subprocess.Popen([sys.executable, "-m", "medgen_kit", "study", "serve", str(self.folder), "--port", str(self.port)],
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, preexec_fn=hears_interrupts)
        for _ in range(300):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            assert self.process.poll() is None, self.process.communicate()[0]
            time.sleep(0.1)
        raise AssertionError("the server did not start within 30 seconds")

    def kill(self):
        """SIGKILL: no time to tidy up."""
        self.process.kill()
        self.process.wait()

    def stop(self):
        """Ctrl-C."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(20)

    def get(self, path):
        """(status, body) of a plain request; redirects are followed."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=60) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()


class Rater:
    """A person at a browser who answers by a plan: `choice` says what for which item, in terms of clips."""

    def __init__(self, browser, server, number):
        row = study.links(server.folder, server.url)[number]
        self.name, self.link, self.folder, self.number = row["rater"], row["link"], server.folder, number
        self.rows = study.items_of(server.folder, self.name)
        self.heard, self.urls = [], set()
        self.page = browser.new_context(viewport={"width": 1000, "height": 900}).new_page()
        self.page.set_default_timeout(WAIT)
        self.page.on("request", lambda request: self.urls.add(request.url))
        self.page.on("websocket", lambda line: line.on("framereceived", lambda data: self.heard.append(
            data if isinstance(data, bytes) else data.encode())))

    def enter(self):
        """Open the link and wait for the form."""
        self.page.goto(self.link)
        self.page.wait_for_selector(".kit-study .kit-button")

    def wait_for(self, number):
        """Wait until pair `number`, counted from 1, is up and drawn."""
        self.page.wait_for_function("(wanted) => document.querySelector('.kit-progress b')?.textContent.startsWith(wanted + ' of ')"
                                    " && document.querySelectorAll('.kit-study input[type=radio][name]').length === 17", arg=str(number))

    def at(self):
        """Number of the pair that is shown, from 1."""
        return int(re.match(r"\d+", self.page.inner_text(".kit-progress b")).group())

    def choice(self, number):
        """Places of the answers to pair `number`: two grades (0..3), three questions (0 first, 1 second, 2 both fail)."""
        rng = np.random.default_rng([self.number, number])
        return rng.integers(0, 4, 2).tolist() + rng.integers(0, 3, 3).tolist()

    def fill(self, number, groups=range(5)):
        """Answer with the mouse, without storing."""
        for group in groups:
            self.page.locator(".kit-group").nth(group).locator("label:has(input)").nth(self.choice(number)[group]).click()

    def store(self):
        """Press the button."""
        self.page.click("text=Store and go on")

    def clips(self):
        """SHA-256 of the two videos as the browser has them, first and second."""
        return self.page.evaluate("""async () => Promise.all([...document.querySelectorAll('.kit-study video')].map(async (video) => {
            const bytes = await (await fetch(video.src || video.querySelector('source').src)).arrayBuffer();
            const hash = await crypto.subtle.digest('SHA-256', bytes);
            return [...new Uint8Array(hash)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
        }))""")

    def expected(self):
        """{(item, question, clip): answer} that the plan leads to, in codes."""
        out = {}
        for number, row in enumerate(self.rows, 1):
            codes = [Path(row[side]).stem for side in ("first", "second")]
            first, second, *asked = self.choice(number)
            out |= {(row["item"], study.DISTORTION, code): GRADES[grade] for code, grade in zip(codes, (first, second))}
            out |= {(row["item"], name, ""): [*codes, "both fail"][answer] for name, answer in zip(QUESTIONS, asked)}
        return out


def children(pid):
    """Processes that a process has started, by /proc; [] where there is none."""
    found = []
    for place in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = place.read_text().rsplit(")", 1)[1].split()
            found += [int(place.parent.name)] if int(fields[1]) == pid and fields[0] != "Z" else []
    return found


def alive(pid):
    """True while a process runs."""
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    return False
