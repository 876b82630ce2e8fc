"""Claims of speed, in CPU seconds of fresh processes, best of two, all caches cold, on 55,803 generated records (captions of 174 words):

1. their captions are tagged with concepts in at most 20 s on one core;
2. the table is opened and summed up (concepts and near-duplicates included) in at most 30 s and 2 GiB.

Peers of 1, in the same process on some of the same captions: `knowledge.baseline` (longest phrase of the code dictionary), one regular
expression of all phrases with `re`, and the named list of the package `regex`. None of them knows negation, side or spelling.
Peer of 2: `datasets.load_dataset`, which only reads the table; beside it `fullsize.open_table`, which only reads it too.
Run: python tests/bench/metadata.py [rows]
"""

import json
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROWS, MOST = 55_803, {"tags": 20, "summary": 30, "GiB": 2}


def lap(function, *given):
    """(CPU seconds, result) of one call."""
    start = time.process_time()
    result = function(*given)
    return time.process_time() - start, result


def end(**said):
    """Print what a process has to say, with its whole CPU time and its peak memory, as one line of JSON."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps(said | {"cpu": time.process_time(), "gib": used.ru_maxrss / 2**20}))


def captions(folder):
    import pyarrow.parquet

    tables = [pyarrow.parquet.read_table(path, columns=["detailed_caption"]) for path in sorted((folder / "parquet" / "data").iterdir())]
    return [text for table in tables for text in table["detailed_caption"].to_pylist() if text]


def tag(folder):
    """Tag all captions; then each peer on as many of them as a second or two allows."""
    texts = captions(folder)
    from medgen_kit import knowledge

    index, _ = lap(knowledge.tag_many, ["heart"])
    seconds, found = lap(knowledge.tag_many, texts)
    end(rows=len(texts), unique=len(set(texts)), words=sum(len(text.split()) for text in texts) / len(texts), index=index, tags=seconds,
        a_caption=sum(map(len, found)) / len(found), peers=peers(texts))


def peers(texts):
    """{peer: CPU seconds a caption}."""
    import regex

    from medgen_kit import knowledge

    spoken = sorted((" ".join(words) for words in knowledge.concepts()[1]), key=len, reverse=True)
    one = re.compile(r"\b(?:" + "|".join(map(re.escape, spoken)) + r")\b")
    listed = regex.compile(r"\b\L<spoken>\b", spoken=spoken)
    knowledge.baseline("heart"), one.findall("heart"), listed.findall("heart")
    runs = {"knowledge.baseline": (knowledge.baseline, 2000), "re, all phrases": (lambda text: one.findall(text.lower()), 30),
            "regex, named list": (lambda text: listed.findall(text.lower()), 1000)}
    return {name: lap(lambda f=f, n=n: [f(text) for text in texts[:n]])[0] / min(n, len(texts)) for name, (f, n) in runs.items()}


def summed(folder):
    from medgen_kit.sources import fullsize

    opened, table = lap(fullsize.open_table, folder)
    seconds, found = lap(fullsize.summary, table)
    end(rows=found["rows"], open=opened, summary=seconds, copies=found["near_duplicates"]["repeats"])


def only_opened(folder):
    import pyarrow.compute
    import pyarrow.parquet  # noqa: F401                       both before the clock starts, as the peer's imports are

    from medgen_kit.sources import fullsize

    seconds, table = lap(fullsize.open_table, folder)
    end(rows=len(table), read=seconds)


def loaded(folder):
    import datasets

    datasets.disable_progress_bars()
    kind, files = {"jsonl": "json", "parquet": "parquet"}[folder.name], sorted(map(str, (folder / "data").iterdir()))
    with tempfile.TemporaryDirectory() as cache:
        seconds, table = lap(lambda: datasets.load_dataset(kind, data_files=files, split="train", cache_dir=cache))
        end(rows=len(table), read=seconds)


PARTS = {"tag": tag, "summed": summed, "only_opened": only_opened, "loaded": loaded}


def measure(part, folder):
    """What a fresh process says of one part: the better of two runs."""
    runs = []
    for _ in range(2):
        done = subprocess.run([sys.executable, __file__, part, str(folder)], capture_output=True, text=True, check=True)
        runs.append(json.loads(done.stdout.splitlines()[-1]))
    return min(runs, key=lambda run: run["cpu"])


def main(rows):
    from medgen_kit.sources import fullsize

    with tempfile.TemporaryDirectory() as root:
        table, root = fullsize.stand_in(rows), Path(root)
        for form in ("parquet", "jsonl"):
            fullsize.write(table, root / form, form)
        found = measure("tag", root)
        each = found["tags"] / found["rows"]
        print(f"tags: {found['tags'] + found['index']:.1f} s CPU ({found['index']:.1f} of it for the index) for {found['rows']} captions, "
              f"{1e3 * each:.3f} ms for each, peak {found['gib']:.2f} GiB; {found['unique']} of the captions differ, {found['words']:.0f} "
              f"words and {found['a_caption']:.1f} tags in one")
        for name, seconds in found["peers"].items():
            print(f"    peer {name}: {1e3 * seconds:.3f} ms a caption; ours is {seconds / each:.1f} times as fast")
        worst = 0, 0
        for form in ("parquet", "jsonl"):
            whole = measure("summed", root / form)
            worst = max(worst[0], whole["cpu"]), max(worst[1], whole["gib"])
            print(f"{form}: opened and summed up in {whole['cpu']:.1f} s CPU, the whole process ({whole['open']:.1f} to open, "
                  f"{whole['summary']:.1f} for the summary), {whole['rows']} rows, peak {whole['gib']:.2f} GiB")
            ours, theirs = measure("only_opened", root / form), measure("loaded", root / form)
            print(f"    peer datasets.load_dataset: {theirs['read']:.1f} s CPU, {theirs['gib']:.2f} GiB to read it; open_table: "
                  f"{ours['read']:.1f} s, {ours['gib']:.2f} GiB; ours is {theirs['read'] / ours['read']:.1f} times as fast")
    tags = found["tags"] + found["index"]
    print(f"asked for: {MOST}; reached: {tags <= MOST['tags'] and worst[0] <= MOST['summary'] and worst[1] <= MOST['GiB']}")


if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1] in PARTS:
        PARTS[sys.argv[1]](Path(sys.argv[2]))
    else:
        main(int(sys.argv[1]) if sys.argv[1:] else ROWS)
