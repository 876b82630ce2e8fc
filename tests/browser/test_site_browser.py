"""The site and its slides in a real browser: search, theme, pictures, drawings, widgets, a phone, keys, axe; nothing spills."""

import functools
import http.server
import shutil
import tarfile
import threading
from pathlib import Path

import nbformat
import numpy as np
import pytest

from course.tools import site, vendor
from course.tools.shown import STATE, WIDGET
from tests.browser.served import make_study

ROOT = Path(__file__).resolve().parents[2]
LESSONS = sorted(path.stem for path in (ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
AXE = {"version": "4.14.1",      # MPL-2.0; it looks at the pages in this test and is no part of the site
       "integrity": "sha512-FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="}
HARM = """async () => {
  const found = await axe.run(document, {resultTypes: ['violations'],
                                         runOnly: {type: 'tag', values: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice']}});
  return found.violations.filter(one => ['critical', 'serious'].includes(one.impact))
    .flatMap(one => one.nodes.slice(0, 2).map(node => [one.id, node.html.slice(0, 160), ...node.any.map(why => why.message)].join(' | ')));
}"""
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
    """The address of the whole site, built from the stored lessons, of which six were run and have widgets."""
    if shutil.which("npm") is None:
        pytest.skip("there is no npm, which fetches the site's JavaScript")
    folder = tmp_path_factory.mktemp("site")
    (folder / "runs" / "cpu" / "notebooks").mkdir(parents=True)
    for name, widgets in widgets_of_lessons(folder).items():
        leave(folder / "runs" / "cpu" / "notebooks" / f"{name}.ipynb", widgets)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEDGEN_RUNS", str(folder / "runs"))
        site.build("cpu", folder / "site", say=lambda line: None)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder / "site"))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


def widgets_of_lessons(folder):
    """{lesson: {call of its cell: widget}}: one of each kind, as the lessons make them, over small clips."""
    from medgen_kit import sources, video
    from medgen_kit.evaluate import study
    from medgen_kit.show import audit, metadata, report
    from medgen_kit.show.choice import Choice
    from medgen_kit.show.planner import panel
    from medgen_kit.show.scatter import ClipMap
    from medgen_kit.show.sliders import form

    clips = np.random.default_rng(0).integers(0, 255, (3, 2, 4, 32, 32, 3)).astype(np.uint8)
    table = sources.explore_metadata("stand-in", rows=200, seed=1)
    video.write(folder / "clips" / "a.mp4", clips[0, 0], 8)
    score = {"value": 0.5, "low": None, "high": None, "n": 1, "missing": 0, "better": 1, "digits": 2}
    judged = {"videos": [{"file": "a.mp4", "prompt": "A heart.", "category": "imaging", "scores": {"smooth": 0.5}, "reasons": {}}],
              "summary": {"smooth": score}, "controls": {"rows": [{"control": "real", "metrics": {"smooth": score}}]}, "flags": []}
    check = audit.SpotCheck([{"clip_id": "a", "stage": "medical"}], lambda _: clips[0, 0], lambda *_: None, lambda: None)
    nothing, points = lambda **_: None, [[0, 0], [1, 0], [0, 1]]
    return {
        "01_explore": {"show.metadata_plotly(": metadata.field_menu(table, list(metadata.FIELDS)),
                       "show.caption_browser(": metadata.finder(table).view},
        "02_curate": {"show.sliders(": form(nothing, {"words": (0, 120, 5, 20), "still": (0.0, 10.0, 0.1, 0.3)}),
                      "show.spot_check(": check.view},
        "04_align": {"show.clip_map(": ClipMap(points, clips[:, 0], ["heart", "brain", "heart"], ["one", "two", "three"]).form()},
        "05_train": {"show.planner(": panel(nothing, {"model": ["a", "b"], "frames": [9, 49]}, {"model": "a", "frames": 49})},
        "06_sample": {"show.chooser(": Choice(clips, {"guidance_scale": [1.0, 2.0, 4.0], "steps": [5, 9]}, "Noise.").form()},
        "07_evaluate": {"show.report_view(": report.ReportView(judged, folder / "clips").view,
                        "study.form(": study.form(make_study(folder / "rated", 1), "rater-1")}}


def leave(path, widgets):
    """Write the stored lesson of this name to `path`, as a run leaves it: each widget is what the first cell with its call has shown."""
    from ipywidgets.embed import dependency_state, embed_data

    made = list(widgets.values())
    data = embed_data(views=made, state=dependency_state(made))
    nb = nbformat.read(ROOT / "notebooks" / path.name, 4)
    for call, spec in zip(widgets, data["view_specs"]):
        cell = next(cell for cell in nb.cells if call in cell.source)
        cell.outputs.append(nbformat.v4.new_output("display_data", data={WIDGET: spec, "text/plain": "VBox()"}))
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
            buttons = drawn.nth(k).locator(".modebar-btn").evaluate_all("all => all.map(one => one.getAttribute('data-title'))")
            assert "Download plot as a PNG" in buttons, "there is a bar of buttons"
            assert not [one for one in buttons if "share" in one.lower() or "cloud" in one.lower()], "and none of them sends the plot away"
            plots += 1
        widgets += page.locator("script[type='application/vnd.jupyter.widget-view+json']").count()
    assert plots >= 1 and widgets == 9


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
        assert box.locator("video").count() == box.locator("img[alt^='Noise.']").count() == 1
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


def test_the_map_answers_to_keys(page, built):
    page.goto(f"{built}notebooks/04_align.html")
    board = page.locator(".medgen-clip-map[data-ready=on]")
    points = board.locator("[data-clip]")
    assert points.evaluate_all("all => all.map(one => one.tabIndex)") == [0, -1, -1]
    points.first.focus()
    for keys, then in ((("ArrowRight", "Enter"), "2. brain: two"), (("End", " "), "3. heart: three"), (("ArrowRight", "Home", "Enter"),
                                                                                                     "1. heart: one")):
        for key in keys:
            page.keyboard.press(key)
        board.locator("p[role=status]", has_text=then).wait_for()
        assert page.evaluate("document.activeElement.dataset.clip") == then[0]
        assert board.locator(".ring:visible").count() == 1 and board.locator(f"[data-clip='{then[0]}'] .ring").is_visible()
        assert board.locator("[aria-pressed=true]").get_attribute("data-clip") == then[0]


def test_the_fields_of_the_histogram_answer_to_keys(page, built):
    page.goto(f"{built}notebooks/01_explore.html")
    menu = page.get_by_label("the same by keyboard")
    menu.focus()
    page.keyboard.press("ArrowDown")
    page.locator("p[role=status]", has_text="Length (s): half lie between").wait_for()
    page.keyboard.press("ArrowDown")
    page.locator("p[role=status]", has_text="Frames a second: half lie between").wait_for()
    assert page.locator("img[alt^='Frames a second']").is_visible()


def test_readouts_of_sliders_fit_a_phone(page, built):
    page.set_viewport_size({"width": 390, "height": 800})
    for lesson, count in (("02_curate", 2), ("05_train", 1), ("06_sample", 2)):
        page.goto(f"{built}notebooks/{lesson}.html")
        page.locator(".widget-readout").first.wait_for()
        places = page.locator(".widget-slider .widget-readout").evaluate_all("all => all.map(one => one.getBoundingClientRect().right)")
        assert len(places) == count and max(places) <= 390, lesson


def test_words_of_the_flow_lie_apart(page, built):
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(f"{built}notebooks/02_curate.html")
    page.locator(".plotly-graph-div .annotation-text").first.wait_for()
    boxes = page.locator(".plotly-graph-div .annotation-text").evaluate_all(
        "all => all.map(one => { const r = one.getBoundingClientRect(); return [r.left, r.right, r.top, r.bottom]; })")
    assert len(boxes) > 15
    over = [(a, b) for k, a in enumerate(boxes) for b in boxes[:k]
            if min(a[1], b[1]) - max(a[0], b[0]) > 0 and min(a[3], b[3]) - max(a[2], b[2]) > 0]
    assert over == []


@pytest.fixture(scope="module")
def axe():
    """The script of axe-core, fetched by npm at its pinned version."""
    with tarfile.open(vendor.package("axe-core", AXE)) as tar:
        return tar.extractfile("package/axe.min.js").read().decode()


@pytest.mark.parametrize("width, theme, names", [
    (1280, "light", ("index", "notebooks/00_start_here", "notebooks/01_explore", "notebooks/02_curate", "notebooks/04_align",
                     "notebooks/05_train", "notebooks/06_sample", "notebooks/07_evaluate", "notebooks/09_reproduce_the_paper",
                     "course/glossary", "course/ethics", "data_cards/MedGen-tiny", "search", "slides/index")),
    (390, "dark", ("index", "notebooks/02_curate", "notebooks/07_evaluate", "course/quizzes/05_train"))], ids=("light", "phone, dark"))
def test_axe_finds_nothing_serious(page, built, axe, width, theme, names):
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=theme)
    faults = {}
    for name in names:
        page.goto(f"{built}{name}.html" + ("?q=heart" if name == "search" else ""))
        page.wait_for_load_state("networkidle")
        if page.locator(".widget-slider").count():
            page.locator(".noUi-handle[aria-label]").first.wait_for()
        page.evaluate(axe)
        if found := page.evaluate(HARM):
            faults[name] = found
    assert faults == {}


@pytest.mark.parametrize("lesson", ["01_explore", "05_train", "07_evaluate"])
def test_axe_finds_nothing_serious_on_slides(page, built, axe, lesson):
    page.set_viewport_size({"width": 960, "height": 700})
    page.goto(f"{built}slides/{lesson}.html")
    page.wait_for_function("window.Reveal && Reveal.isReady()")
    page.evaluate(axe)
    kinds = page.evaluate("[...document.querySelectorAll('.slides > section')].map(one => one.classList[0])")
    assert {"title", "text", "picture", "code"} <= set(kinds)
    for kind in set(kinds):
        page.evaluate(f"Reveal.slide({kinds.index(kind)})")
        assert page.evaluate(HARM) == [], kind


def test_a_title_page_keeps_its_padding_on_paper(page, built):
    page.emulate_media(media="print")
    page.goto(f"{built}slides/01_explore.html?print-pdf")
    title = page.locator("section.title h1")
    title.wait_for()
    page.wait_for_selector(".pdf-page section.picture img", state="attached")
    paper, words = page.locator(".pdf-page").first.bounding_box(), title.bounding_box()
    assert words["x"] - paper["x"] >= 60 and words["y"] - paper["y"] >= 150, "right of the bar"


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
