"""The site and its slides in a real browser: search, theme, pictures, drawings, widgets, a phone, keys; nothing spills over a slide."""

import functools
import http.server
import shutil
import threading
from pathlib import Path

import nbformat
import numpy as np
import pytest

from course.tools import site
from course.tools.shown import STATE, WIDGET

ROOT = Path(__file__).resolve().parents[2]
LESSONS = sorted(path.stem for path in (ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
SPILLS = """() => {
  const slide = document.querySelector('.slides section.present'), box = slide.getBoundingClientRect(), out = [];
  const seen = [...slide.querySelectorAll('*')].filter(e => !e.closest('aside.notes, mjx-assistive-mml, .plotly-graph-div, svg'));
  for (const e of seen) {
    const r = e.getBoundingClientRect();
    if (!r.width && !r.height) continue;
    const out_of_it = r.right > box.right + 1 || r.bottom > box.bottom + 1 || r.left < box.left - 1 || r.top < box.top - 1;
    if (out_of_it) out.push('spills: ' + e.tagName);
    if (e.tagName === 'PRE' && (e.scrollWidth > e.clientWidth + 1 || e.scrollHeight > e.clientHeight + 1)) out.push('clipped: code');
    if (e.tagName === 'IMG' && (!e.complete || !e.naturalWidth)) out.push('no picture: ' + e.src);
    if (e.tagName === 'IMG' && r.height < 60) out.push('too small: ' + e.alt);
    if (e.tagName === 'IMG' && !e.alt.trim()) out.push('no alt text');
  }
  const parts = seen.filter(e => e.matches('.one, .pair, .caption, .see, h2, table, .rest, ul, pre'));
  for (const a of parts) for (const b of parts) {
    if (a === b || a.contains(b) || b.contains(a)) continue;
    const p = a.getBoundingClientRect(), q = b.getBoundingClientRect();
    if (Math.min(p.right, q.right) - Math.max(p.left, q.left) > 2 && Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top) > 2)
      out.push('lies over another: ' + a.className + ' ' + b.className);
  }
  return out.length ? [(slide.querySelector('h1, h2') || slide).innerText, ...out.slice(0, 4)] : [];
}"""


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        """Nothing is told."""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The address of the whole site, built from the stored lessons and two that were run and have a widget."""
    if shutil.which("npm") is None:
        pytest.skip("there is no npm, which fetches the site's JavaScript")
    folder = tmp_path_factory.mktemp("site")
    run_with_widgets(folder / "runs" / "cpu" / "notebooks")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEDGEN_RUNS", str(folder / "runs"))
        site.build("cpu", folder / "site", say=lambda line: None)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder / "site"))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


def run_with_widgets(folder):
    """Lessons 04 and 06 as a run leaves them: the state of a real map and of a real chooser in their files."""
    from medgen_kit.show.choice import Choice
    from medgen_kit.show.scatter import ClipMap

    clips = np.random.default_rng(0).integers(0, 255, (3, 2, 4, 32, 32, 3)).astype(np.uint8)
    folder.mkdir(parents=True)
    board = ClipMap([[0, 0], [1, 0], [0, 1]], clips[:, 0], ["heart", "brain", "heart"], ["one", "two", "three"])
    leave(folder / "04_align.ipynb", "show.clip_map(", board.form())
    leave(folder / "06_sample.ipynb", "show.chooser(", Choice(clips, {"guidance_scale": [1.0, 2.0, 4.0], "steps": [5, 9]}, "Noise.").form())


def leave(path, call, widget):
    """Write the stored lesson of this name to `path`, with `widget` as what its first cell with `call` has shown."""
    from ipywidgets.embed import dependency_state, embed_data

    data = embed_data(views=[widget], state=dependency_state([widget]))
    nb = nbformat.read(ROOT / "notebooks" / path.name, 4)
    cell = next(cell for cell in nb.cells if call in cell.source)
    cell.outputs.append(nbformat.v4.new_output("display_data", data={WIDGET: data["view_specs"][0], "text/plain": "VBox()"}))
    nb.metadata["widgets"] = {STATE: data["manager_state"]}
    nbformat.write(nb, path)


@pytest.fixture
def page(browser, built):
    """A page that notes what went wrong in `page.faults`; nothing may come from outside."""
    context = browser.new_context(viewport={"width": 1200, "height": 900}, color_scheme="light")
    made = context.new_page()
    made.faults = []
    made.on("console", lambda message: made.faults.append(message.text) if message.type == "error" else None)
    made.on("pageerror", lambda error: made.faults.append(str(error)))
    made.on("response", lambda answer: made.faults.append(f"{answer.status}: {answer.url}") if answer.status >= 400 else None)
    made.on("request", lambda request: None if request.url.startswith((built, "data:", "blob:")) else made.faults.append(request.url))
    yield made
    assert made.faults == []
    context.close()


def test_search_finds_a_lesson(page, built):
    page.goto(built)
    page.locator("input[name=q]").first.fill("InfoNCE")
    page.keyboard.press("Enter")
    page.locator("#search-results a", has_text="Align").first.click()
    page.wait_for_url("**/notebooks/04_align.html*")
    assert page.locator("h1").inner_text().startswith("4 · Align")


def test_the_theme_is_switched_and_stays(page, built):
    page.goto(built)
    colour = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(colour)
    while page.evaluate("document.body.dataset.theme") != "dark":
        page.locator("button.theme-toggle:visible").first.click()
    dark = page.evaluate(colour)
    assert dark != light
    page.goto(f"{built}course/glossary.html")
    assert page.evaluate("document.body.dataset.theme") == "dark" and page.evaluate(colour) == dark


def test_every_lesson_shows_its_pictures_with_words(page, built):
    plots = widgets = 0
    for lesson in LESSONS:
        page.goto(f"{built}notebooks/{lesson}.html")
        page.evaluate("document.querySelectorAll('img').forEach(one => { one.loading = 'eager'; })")
        page.wait_for_function("[...document.images].every(one => one.complete)")
        bad = page.evaluate("[...document.images].filter(one => !one.naturalWidth || one.width > 1 && !one.alt.trim()).map(one => one.src)")
        assert bad == [] and page.locator("article img").count() >= 5, lesson
        drawn = page.locator(".plotly-graph-div")
        for k in range(drawn.count()):
            drawn.nth(k).locator(".main-svg").first.wait_for()
            assert len(drawn.nth(k).locator("..").get_attribute("aria-label")) > 15
            plots += 1
        widgets += page.locator("script[type='application/vnd.jupyter.widget-view+json']").count()
    assert plots >= 1 and widgets == 2


def test_sliders_pick_the_clip_without_a_kernel(page, built):
    page.goto(f"{built}notebooks/06_sample.html")
    box = page.locator(".jupyter-widgets.widget-vbox", has_text="guidance scale").first
    told = box.locator("p[role=status]")
    told.wait_for()
    assert told.inner_text() == "guidance scale 1.0, steps 5"
    for handle, then in ((0, "guidance scale 2.0, steps 5"), (1, "guidance scale 2.0, steps 9"), (0, "guidance scale 4.0, steps 9")):
        box.locator(".noUi-handle").nth(handle).focus()
        page.keyboard.press("ArrowRight")
        box.locator("p[role=status]", has_text=then).wait_for()
        assert box.locator("video").count() == box.locator("img[alt]").count() == 1
    assert page.get_by_text("answer in a running notebook").count() == 0


def test_a_click_on_the_map_shows_the_clip_without_a_kernel(page, built):
    page.goto(f"{built}notebooks/04_align.html")
    board = page.locator(".medgen-clip-map[data-ready=on]")
    board.locator("[data-clip='2']").click()
    board.locator("p[role=status]", has_text="2. brain: two").wait_for()
    assert board.locator(".ring:visible").count() == 1 and board.locator("[data-clip='2'] .ring").is_visible()
    field = board.locator("input")
    field.fill("3")
    field.press("Enter")
    board.locator("p[role=status]", has_text="3. heart: three").wait_for()
    assert board.locator("video").count() == 1 and board.locator("[data-clip='3'] .ring").is_visible()


def test_formulas_are_drawn(page, built):
    page.goto(f"{built}notebooks/05_train.html")
    page.locator("mjx-container svg").first.wait_for()
    assert page.locator("mjx-merror").count() == 0


@pytest.mark.parametrize("width", [320, 375, 768, 1080, 1152, 1320, 1366, 1440])
def test_no_width_needs_scrolling_sideways(page, built, width):
    page.set_viewport_size({"width": width, "height": 800})
    lessons = [f"notebooks/{lesson}" for lesson in LESSONS if width < 400 or lesson == "05_train"]
    for name in ("index", *lessons, "course/glossary", "course/syllabus", "course/lessons/05_train",
                 "course/quizzes/05_train", "data_cards/MedVideoCap-55K", "README", "slides/index"):
        page.goto(f"{built}{name}.html")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name


@pytest.mark.parametrize("lesson", LESSONS)
def test_nothing_spills_over_a_slide(page, built, lesson):
    page.set_viewport_size({"width": 960, "height": 700})
    page.goto(f"{built}slides/{lesson}.html")
    page.wait_for_function("window.Reveal && Reveal.isReady()")
    page.evaluate("MathJax.startup.promise.then(() => true)")
    faults, count = [], page.evaluate("Reveal.getTotalSlides()")
    for number in range(count):
        assert page.evaluate("Reveal.getIndices().h") == number, "an arrow key moves on by one"
        page.evaluate("Promise.all([...document.querySelectorAll('section.present img')].map(one => one.decode()))")
        faults += [found] if (found := page.evaluate(SPILLS)) else []
        page.keyboard.press("ArrowRight")
    assert faults == [] and count > 15
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("Reveal.getIndices().h") == count - 2
