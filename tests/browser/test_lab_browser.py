"""Three lessons in JupyterLab in a real browser: run all, search, choose a point of the map, move a slider, play a video; a plot."""

import nbformat
import pytest

from tests.browser.lab import Lab, errors, run_all

LESSONS = ("03_caption", "04_align", "06_sample")
KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    made = Lab(tmp_path_factory.mktemp("lab"), LESSONS)
    cell = nbformat.v4.new_code_cell("import plotly.graph_objects as go\nfrom medgen_kit import show\n"
                                     "show.plotly(go.Figure(go.Bar(y=[1, 2])), 'Two bars.')")
    nbformat.write(nbformat.v4.new_notebook(cells=[cell], metadata={"kernelspec": KERNEL}), made.folder / "plot.ipynb")
    made.start()
    yield made
    made.stop()


def ran(lab, browser, lesson):
    page = lab.open(browser, lesson)
    run_all(page)
    assert errors(page) == [] and page.faults == []
    missing = page.evaluate("""() => [...document.querySelectorAll('.jp-OutputArea img')]
        .filter((one) => one.width > 1 && (!one.complete || one.naturalWidth === 0)).length""")
    assert missing == 0, "a picture did not load"
    return page


def test_captions_are_searched_and_watched(lab, browser):
    page = ran(lab, browser, "03_caption")
    page.locator("input[placeholder='words of a caption']").fill("polyp")
    page.keyboard.press("Enter")
    page.wait_for_function("""() => [...document.querySelectorAll('[role=status]')].some((one) => {
        const found = one.textContent.match(/^(\\d+) of (\\d+) clips/);
        return found && 0 < +found[1] && +found[1] < +found[2]; })""")
    page.locator(".jp-OutputArea select[size]").last.select_option(index=1)
    page.wait_for_selector(".jp-OutputArea video")
    plays(page.locator(".jp-OutputArea video").last)
    page.context.close()


def test_a_click_on_the_map_shows_the_clip(lab, browser):
    page = ran(lab, browser, "04_align")
    page.wait_for_selector(".medgen-clip-map[data-ready=on] [data-clip='3']")
    board = page.locator(".medgen-clip-map")
    title = board.locator("[data-clip='3'] title").text_content()
    board.locator("[data-clip='3']").click()
    board.locator("p[role=status]", has_text=title).wait_for()
    plays(board.locator("video"))
    assert board.locator(".ring:visible").count() == 1 and board.locator("[data-clip='3'] .ring").is_visible(), "the chosen has a ring"
    field = board.locator("input[type=number], input").first
    field.fill("5")
    field.press("Enter")
    board.locator("p[role=status]", has_text=board.locator("[data-clip='5'] title").text_content()).wait_for()
    board.locator("[data-clip]").first.focus()
    for key in ("ArrowRight", "Enter"):
        page.keyboard.press(key)
    board.locator("p[role=status]", has_text=board.locator("[data-clip='2'] title").text_content()).wait_for()
    assert page.evaluate("document.activeElement.dataset.clip") == "2", "the keys are no shortcuts of the notebook"
    page.context.close()


def test_a_slider_goes_from_noise_to_the_clip(lab, browser):
    page = ran(lab, browser, "06_sample")
    box = page.locator(".jp-OutputArea .widget-vbox", has_text="noise level s").last
    first = box.locator("p b").inner_text()
    film = box.locator("img:not([width='1'])")
    picture = film.get_attribute("src")
    box.locator(".noUi-handle[aria-label='noise level s']").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("([old]) => [...document.querySelectorAll('.jp-OutputArea p b')].some((one) => one.textContent"
                           ".startsWith('noise level') && one.textContent !== old)", arg=[first])
    assert box.locator("p b").inner_text() != first and film.get_attribute("src") != picture
    assert film.get_attribute("alt"), "the picture has an alternative text"
    plays(box.locator("video"))
    page.context.close()


def test_no_button_of_a_plot_sends_it_away(lab, browser):
    page = ran(lab, browser, "plot")
    page.locator(".modebar-btn").first.wait_for(state="attached")
    buttons = page.locator(".modebar-btn").evaluate_all("all => all.map(one => one.getAttribute('data-title'))")
    assert "Download plot as a PNG" in buttons and not [one for one in buttons if "share" in one.lower() or "cloud" in one.lower()]
    page.context.close()


def plays(film):
    """A video runs when it is started, and does not start by itself."""
    film.wait_for()
    film.scroll_into_view_if_needed()
    assert film.evaluate("one => one.paused && !one.autoplay")
    assert film.evaluate("""async (one) => { await one.play();
        for (let k = 0; k < 100 && one.currentTime === 0; k++) await new Promise((go) => setTimeout(go, 50));
        return one.currentTime > 0 && one.readyState >= 2; }""")
