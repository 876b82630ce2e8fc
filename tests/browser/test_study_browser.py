"""Two raters in two browsers finish a blind study while the server is killed in the middle: nothing lost, nothing doubled, nothing told."""

import hashlib
import json
import os
import signal
import sqlite3
import time

import pytest
from websockets.sync.client import connect

from medgen_kit.evaluate import study
from medgen_kit.evaluate.study import store
from tests.browser.served import NAMES, Rater, Server, alive, children, make_study


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    made = Server(make_study(tmp_path_factory.mktemp("study")))
    made.start()
    yield made
    made.stop()


@pytest.fixture
def small(browser, tmp_path):
    """(a server with a study of three pairs, a rater who has opened the link)."""
    made = Server(make_study(tmp_path, pairs=3))
    made.start()
    try:
        rater = Rater(browser, made, 0)
        rater.enter()
        yield made, rater
    finally:
        made.stop()


def count(folder, query, *values):
    with sqlite3.connect(folder / store.FILE) as base:
        return base.execute(query, values).fetchone()[0]


def focus(page):
    """What has the focus: ("radio", group, place) or ("button", text)."""
    return tuple(page.evaluate("""() => { const here = document.activeElement;
        const groups = [...document.querySelectorAll('.kit-group')], group = groups.findIndex((one) => one.contains(here));
        if (here.type === 'radio') return ['radio', group, [...groups[group].querySelectorAll('input')].indexOf(here)];
        return ['button', here.tagName === 'BUTTON' ? here.textContent : '']; }"""))


def by_keyboard(rater, number):
    """Answer a pair with Tab, space, arrows and Enter; every second one with the number keys."""
    page, plan = rater.page, rater.choice(number)
    page.wait_for_function("document.activeElement.type === 'radio'")
    assert focus(page) == ("radio", 0, 0)                                         # the first question is ready when a pair comes up
    if number % 2:
        for group, place in enumerate(plan):
            while focus(page)[:2] != ("radio", group):
                page.keyboard.press("Tab")
            page.keyboard.press("Space")
            for _ in range(place):
                page.keyboard.press("ArrowDown")
            assert focus(page) == ("radio", group, place)
        for _ in range(10):
            if focus(page) == ("button", "Store and go on"):
                break
            page.keyboard.press("Tab")
    else:
        for place in plan:
            page.keyboard.press(str(place + 1))
    assert focus(page) == ("button", "Store and go on")
    page.keyboard.press("Enter")


def test_a_wrong_link_shows_and_starts_nothing(browser, server):
    page = browser.new_context().new_page()
    for token in ("", "?rater=", "?rater=wrong", "?rater=rater-1", "?token=x"):
        answer = page.goto(f"{server.url}/{token}")
        assert answer.status == 403 and "not valid" in page.inner_text("body")
        assert page.locator("video, input, .kit-study").count() == 0 and "Echocardiogram" not in page.content()
    assert children(server.process.pid) == []                                     # no process was started for any of them
    page.context.close()


def test_no_file_and_no_list_is_served(server):
    clip = study.items_of(server.folder)[0]["first"]
    web = "medgen_kit/evaluate/study/web/page.ipynb"
    places = ("items.json", "answers.sqlite", clip, f"voila/files/{clip}", "voila/files/page.ipynb", "voila/files/form.css", "page.ipynb",
              web, "voila/tree", "voila/render/page.ipynb", "voila/api/contents", "api/contents", "api/kernels", "api/sessions", "tree",
              "lab", "login", "files/page.ipynb", f"voila/static/../../../../../../{clip}", "study_key.json", "../study_key.json",
              "voila/static/%2e%2e/%2e%2e/%2e%2e/pyvenv.cfg")
    for place in places:
        status, body = server.get("/" + place)
        assert status in (400, 403, 404), place
        assert b"ftyp" not in body and b"SQLite" not in body and b"Echocardiogram" not in body and b"open_page" not in body, place


def test_two_raters_finish_while_the_server_is_killed(browser, server):
    one, two = (Rater(browser, server, number) for number in (0, 1))
    for rater in (one, two):
        rater.enter()
        assert "20 pairs" in rater.page.inner_text(".kit-text") and rater.page.locator("video").count() == 0
    one.page.wait_for_function("document.activeElement.textContent === 'Start'")
    one.page.keyboard.press("Enter")
    two.page.click("text=Start")
    for number in range(1, 11):
        for rater in (one, two):
            rater.wait_for(number)
            row = rater.rows[number - 1]
            assert row["prompt"] == rater.page.inner_text(".kit-prompt p")
            shown = [hashlib.sha256((server.folder / row[side]).read_bytes()).hexdigest() for side in ("first", "second")]
            assert rater.clips() == shown                                         # the right two clips, on the sides that were drawn
        time.sleep(0.4)
        two.fill(number)
        if number <= 4:
            by_keyboard(one, number)
            two.store()
        else:
            one.fill(number)
            one.store()
            two.store()                                                           # both at once
    for rater in (one, two):
        rater.wait_for(11)
    check_secrets(server, one, two)
    one.fill(11, groups=(0, 3))
    one.page.fill("textarea", "half a sent")
    two.fill(11)
    wait_until(lambda: count(server.folder, "SELECT count(*) FROM drafts WHERE entered LIKE '%half a sent%'") == 1)
    kernels = children(server.process.pid)
    two.store()                                                                   # killed in the middle of storing
    server.kill()
    one.page.wait_for_selector("#kit-lost:not([hidden])")
    assert "connection is lost" in one.page.inner_text("#kit-lost")
    assert one.page.evaluate("document.getElementById('rendered_cells').inert")   # what would not be kept can not be entered
    server.start()
    one.wait_for(11)                                                              # this page opens again by itself
    one.page.wait_for_selector("#kit-lost", state="hidden")
    two.page.goto(two.link)                                                       # and this rater opens the link again
    two.page.wait_for_selector(".kit-progress")
    assert two.at() in (11, 12)
    checked = [one.page.locator(".kit-group").nth(group).locator("input:checked").count() for group in range(5)]
    assert checked == [1, 0, 0, 1, 0] and one.page.input_value("textarea") == "half a sent"
    for rater in (one, two):
        for number in range(rater.at(), 21):
            rater.wait_for(number)
            time.sleep(0.4)
            rater.fill(number)
            rater.store()
        rater.page.wait_for_selector("text=Thank you.")
    check_answers(server.folder, one, two)
    wait_until(lambda: not any(map(alive, kernels)), 60)                          # the killed server's pages have not left processes behind
    check_the_end(server, one)


def test_a_page_whose_process_ends_opens_again_and_loses_nothing(small, tmp_path):
    server, rater = small
    rater.page.click("text=Start")
    rater.wait_for(1)
    rater.fill(1)
    wait_until(lambda: count(server.folder, "SELECT count(*) FROM drafts WHERE entered NOT LIKE '%null%'") == 1)
    for process in children(server.process.pid):
        os.kill(process, signal.SIGKILL)                                      # the server lives on
    rater.store()                                                             # nobody hears this
    rater.page.wait_for_selector("text=Which video is better?")               # the page opens again by itself
    rater.page.click("text=Start")
    rater.wait_for(1)
    assert [rater.page.locator(".kit-group").nth(group).locator("input:checked").count() for group in range(5)] == [1] * 5
    time.sleep(0.4)
    rater.store()
    rater.wait_for(2)
    (clip := server.folder / rater.rows[2]["second"]).rename(tmp_path / "away")
    rater.fill(2)
    time.sleep(0.4)
    rater.store()                                                             # the next pair can not be shown
    rater.page.wait_for_selector(".kit-bad:has-text('can not be read')")
    rater.page.locator(".kit-group").nth(4).locator("label:has(input)").nth((rater.choice(2)[4] + 1) % 3).click()
    rater.fill(2)
    (tmp_path / "away").rename(clip)
    rater.store()
    rater.wait_for(3)
    study.renew(server.folder, rater.name)
    rater.fill(3, groups=(0,))
    rater.page.wait_for_selector("text=this link has ended")
    assert rater.page.locator("video").count() == 0
    own = {(row["item"], row["question"], row["clip"]): row["answer"] for row in study.answers(server.folder)}
    plan = {where: answer for where, answer in rater.expected().items() if where[0] != rater.rows[2]["item"]}
    assert own == plan


def test_a_missing_answer_and_a_new_pair_take_the_focus(small):
    _, rater = small
    assert "moves on to the next question" in rater.page.inner_text(".kit-text")
    rater.page.click("text=Start")
    rater.wait_for(1)
    group = "[...document.querySelectorAll('.kit-group')].indexOf(document.activeElement)"
    rater.page.wait_for_function(f"{group} === 0")                            # with the mouse too: the question, not one of its answers
    rater.page.keyboard.press("ArrowDown")
    assert rater.page.locator(".kit-group input:checked").count() == 0        # the arrow keys scroll then
    rater.page.keyboard.press("1")
    assert focus(rater.page)[:2] == ("radio", 1)
    rater.fill(1, groups=(0, 1, 3))
    time.sleep(0.4)
    rater.store()
    rater.page.wait_for_selector("text=Please answer this too")
    rater.page.wait_for_function(f"{group} === 2")
    invalid = "[...document.querySelectorAll('.kit-group')].map((one) => one.getAttribute('aria-invalid')).join()"
    rater.page.wait_for_function(f"{invalid} === 'false,false,true,false,true'")
    rater.page.keyboard.press("Tab")
    assert focus(rater.page) == ("radio", 2, 0)                               # no player lies between
    rater.fill(1, groups=(2,))
    rater.page.wait_for_function(f"{invalid} === 'false,false,false,false,true'")
    rater.fill(1, groups=(4,))
    rater.store()
    rater.wait_for(2)
    rater.page.wait_for_function(f"{group} === 0")


def test_a_closed_page_ends_its_process_and_keeps_what_was_stored_just_before(small):
    server, rater = small
    rater.page.click("text=Start")
    rater.wait_for(1)
    first, = children(server.process.pid)
    rater.page.reload()
    rater.page.wait_for_selector("text=Which video is better?")
    wait_until(lambda: not alive(first) and len(children(server.process.pid)) == 1)          # loaded anew: the old process ends
    rater.page.click("text=Start")
    rater.wait_for(1)
    rater.fill(1)
    wait_until(lambda: count(server.folder, "SELECT count(*) FROM drafts WHERE entered NOT LIKE '%null%'") == 1)
    time.sleep(0.4)
    other = sqlite3.connect(server.folder / store.FILE, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")                                          # somebody else is writing for a while
    rater.store()
    rater.page.close(run_before_unload=True)
    time.sleep(6)
    assert count(server.folder, "SELECT count(*) FROM answers") == 0 and len(children(server.process.pid)) == 1
    other.execute("ROLLBACK")
    other.close()
    wait_until(lambda: count(server.folder, "SELECT count(*) FROM answers") == 5)
    wait_until(lambda: not children(server.process.pid))
    server.stop()
    told = server.process.stdout.read().splitlines()
    assert len(told) == 1 and told[0].startswith("Serving on")


def wait_until(true, seconds=20):
    """Wait for something that is asked again and again."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.1)


def check_secrets(server, *raters):
    """Nothing that reached a browser names a model or a file, and nothing was asked of another server."""
    secret = [word.encode() for word in (*NAMES, "ward-", str(server.folder.parent), "study_key")]
    for rater in raters:
        for url in rater.urls:
            assert url.startswith((server.url, "blob:" + server.url, "data:")), url
        plain = [url for url in rater.urls if url.startswith(server.url)]
        got = [rater.page.content().encode(), *rater.heard, *(server.get(url[len(server.url):])[1] for url in plain if "rater=" not in url)]
        assert len(rater.heard) > 50 and not [word for word in secret if any(word in body for body in got)]
    page = server.get("/?rater=" + raters[0].link.split("=")[1])[1]
    assert b"Blind video study" in page and not any(word in page for word in [*secret, b"open_page"])


def check_answers(folder, *raters):
    """20 times 5 answers for each rater, each of them the planned one, on sides drawn differently."""
    rows = study.answers(folder)
    for rater in raters:
        own = [row for row in rows if row["rater"] == rater.name]
        assert {(row["item"], row["question"], row["clip"]): row["answer"] for row in own} == rater.expected() and len(own) == 100
        assert count(folder, "SELECT count(*) FROM answers WHERE rater = ?", rater.name) == 100          # in the log too: nothing doubled
        first = {row["item"]: f"clips/{row['first']}.mp4" for row in own}
        assert first == {row["item"]: row["first"] for row in rater.rows}
        assert all(row["shown"] < row["answered"] for row in own)
    assert count(folder, "SELECT count(*) FROM drafts") == 0
    assert count(folder, "SELECT count(*) FROM comments WHERE comment = 'half a sent'") == 1
    one, two = ({row["item"]: row["first"] for row in rater.rows} for rater in raters)
    assert 3 <= sum(one[item] == two[item] for item in one) <= 17
    assert [row["item"] for row in raters[0].rows] != [row["item"] for row in raters[1].rows]
    assert count(folder, "PRAGMA integrity_check") == "ok"


def check_the_end(server, rater):
    """Nobody runs code over a page's line; after the export the study is closed and the page says so."""
    kernel = json.loads(rater.page.inner_text("#jupyter-config-data"))["kernelId"]
    trace = server.folder.parent / "trace"
    with connect(f"ws://127.0.0.1:{server.port}/api/kernels/{kernel}/channels") as line:
        line.send(json.dumps({"channel": "shell", "parent_header": {}, "metadata": {}, "buffers": [],
                              "header": {"msg_id": "1", "msg_type": "execute_request", "username": "", "session": "1", "version": "5.3"},
                              "content": {"code": f"open({str(trace)!r}, 'w')", "silent": False}}))
        time.sleep(1.5)
    assert not trace.exists()
    out = study.export(server.folder)
    summary = json.loads((out / "summary.json").read_text())
    assert summary["answers"] == 120 and summary["grades"] == 80 and [row["items_answered"] for row in summary["raters"]] == [20, 20]
    rater.page.goto(rater.link)
    rater.page.wait_for_selector("text=This study is closed.")
