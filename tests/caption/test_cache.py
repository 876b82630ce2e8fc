"""The cache: a reply is found by all that it depends on, survives a kill at any byte, and many threads write whole lines."""

import json
import multiprocessing
from concurrent.futures import ThreadPoolExecutor

import pytest

from medgen_kit import caption
from medgen_kit.caption.cache import Log, key
from medgen_kit.errors import DiskError


def test_every_part_of_the_question_is_part_of_the_key():
    class Writer:
        name, model_name = "openai", "a"

        def params(self):
            return {"temperature": 0.1}

    base = key("detailed", Writer(), "what is it?", "pictures", 0)
    other = Writer()
    other.model_name = "b"
    different = [key("brief", Writer(), "what is it?", "pictures", 0), key("detailed", other, "what is it?", "pictures", 0),
                 key("detailed", Writer(), "what was it?", "pictures", 0), key("detailed", Writer(), "what is it?", "others", 0),
                 key("detailed", Writer(), "what is it?", "pictures", 1), key("detailed", caption.backend("template"), "what is it?",
                                                                              "pictures", 0)]
    assert len({base, *different}) == 7 and base == key("detailed", Writer(), "what is it?", "pictures", 0) and len(base) == 64


def test_a_file_cut_at_any_byte_loses_one_reply_at_most(tmp_path):
    path = tmp_path / "c.jsonl"
    log = Log(path)
    for number in range(4):
        log.put(f"k{number}", reply=f"Ödem {number}\u2028\ud83d\ude00", cost=0.25)
    data = path.read_bytes()
    lines = data.count(b"\n", 0, len(data))
    for cut in range(0, len(data), 7):
        path.write_bytes(data[:cut])
        again = Log(path)
        whole = data[:cut].count(b"\n")
        assert whole <= len(again) <= whole + 1 and again.spent() == pytest.approx(0.25 * len(again))
        again.put("new", reply="more")
        assert Log(path).get("new")["reply"] == "more" and len(Log(path)) == len(again)
    assert lines == 4


def test_strange_lines_are_passed_over(tmp_path):
    path = tmp_path / "c.jsonl"
    path.write_bytes(b'[]\n"x"\n\xff\xfe\n{"no": "key"}\n{"key": 5}\n{"key": "c", "cost": "much"}\n\n'
                     b'{"key": "lost", "cost": 2}\n{"key": "good", "reply": "r"}\n')
    log = Log(path)
    assert log.get("good")["reply"] == "r" and log.get("lost") is None and log.spent() == 2.0
    log.put("half", reply="lone \ud800 letter")
    assert Log(path).get("half")["reply"] == "lone \ud800 letter"


def test_threads_and_processes_write_whole_lines(tmp_path):
    path = tmp_path / "c.jsonl"
    log = Log(path)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: log.put(f"t{n}", reply="x" * 3000), range(80)))
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=append, args=(path, name)) for name in "ab"]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(Log(path)) == 80 + 2 * 50 and all(json.loads(line) for line in path.read_text().splitlines() if line)


def append(path, name):
    log = Log(path)
    for number in range(50):
        log.put(f"{name}{number}", reply="y" * 2000)


def test_a_full_disk_is_said_in_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DiskError, match="paid for would be lost"):
        Log(tmp_path / "file" / "c.jsonl").put("k", reply="r")
    memory = Log()
    assert memory.put("k", reply="r")["reply"] == memory.get("k")["reply"] == "r"
