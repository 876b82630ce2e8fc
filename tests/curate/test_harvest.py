"""From a table of videos to the medical ones: reading, keywords, classifier, channels, the files that rows mean, and hostile archives."""

import errno
import json
import shutil
import stat
import struct
import time
import zipfile

import numpy as np
import pandas as pd
import pytest

from medgen_kit import KitError
from medgen_kit.curate import harvest as h
from medgen_kit.curate import harvest_texts as texts
from medgen_kit.errors import DiskError

# written after the dictionary and the training examples; nothing was tuned on it but two endings of drug names
HELD_BACK = """
proc: liver resection|parathyroidectomy|hernia mesh repair|tooth implant placement|thoracotomy|prostatectomy|ACL reconstruction|
trabeculectomy|septoplasty|bronchial stenting|liposuction|spinal fusion;
finding: meningitis|ulcerative colitis|multiple sclerosis|gout|cervical cancer|hepatitis C|vitiligo|anaphylaxis|COPD|epilepsy|tinnitus|
cirrhosis|scoliosis|dengue fever|hypertension|leukaemia; organ: aorta|gallbladder|retina|inner ear|prostate|knee joint|tongue|trachea;
modality: Fluoroscopy|Thyroid ultrasound|Lumbar spine MRI|Dental X-ray|Cystoscopy|EEG|Mammogram|Bone scan;
symptom: nosebleeds|tingling fingers|a stiff neck|night sweats|blurred vision|swollen glands;
drug: paracetamol|lisinopril|azithromycin|semaglutide|morphine|salbutamol; dish: goulash|dumplings|shakshuka|cheesecake|jollof rice;
game: Tetris|Hades|Rocket League|Stardew Valley; car: Volvo 240|Jeep Wrangler|Vespa; place: Oslo|Oaxaca|Vietnam by scooter;
gadget: e-reader|action camera|soundbar; song: Velvet Roads|Nobody's Summer|Tin Man Waltz;
school: probability|the Cold War|organic chemistry|volcanoes; pet: rabbit|cockatiel|dachshund;
MEDICAL: My first {proc} as a registrar|{proc}: anatomy, set-up and closure|Robotic {proc} in a child|Before and after {proc}|
{finding} in plain English|5 things nobody tells you about {finding}|{finding}: what the guidelines changed this year|
{modality} of {finding}, annotated|What a {modality} is like for the patient|Ultrasound anatomy of the {organ}|
The {organ}: structure and function|{symptom} - when should you see someone?|GP answers: {symptom}|How {drug} works|
{drug} dosing for the boards|Bedside teaching: a man with {symptom}|A mother talks about {finding} in her son;
OTHER: {dish} like my aunt makes it|Cheap {dish} for a crowd|{game} world record attempt|Is {game} still fun?|
Driving the {car} across Europe|{car} oil leak, fixed|Living in {place} for a month|{place} in the rain, walking tour|
{gadget} long-term verdict|{song} (demo)|Learning {song} on ukulele|{school} in one lecture|Exam revision: {school}|Introducing our {pet}|
How I trained my {pet}|Morning routine|Budgeting on one income|Window cleaning time-lapse|Chess opening traps|
Choir rehearsal, second half;
HARD MEDICAL: The day my hand stopped obeying me|Inside the emergency: first hour with a crushed leg|Nobody believed it hurt this much|
Watch a camera travel through the bowel|Cells under attack: how the body fights back|Why you should not pop it|Night terrors in toddlers|
Breaking bad news: a role play|Putting someone to sleep for the first time|Catheter in, clot out|Twins sharing one circulation|
What 30 days without sugar did to my blood|How to turn someone who cannot turn|Third trimester: what to expect|Ward round in Malawi|
A bone comes back together: the healing of a broken wrist|Listening to a heart that gallops|Eye drops, the right way|
Measuring a child's hips by ultrasound|The last weeks: caring at home|Splinting a finger|The stoma bag change nobody shows you;
HARD OTHER: Cancer season: weekly horoscope|First Aid Kit live at the river stage|The Cure, full concert|
Surgery room build in Stardew Valley|Bone carving: making a knife handle|Heartburn Blues (harmonica)|Autopsy of a failed startup|
Cold turkey sandwich, brain freeze edition|Reading the Emergency by numbers: economics|Doctor Doom boss fight|
Anaesthesia-level sleepy lofi beats|Rabies (short film) behind the scenes|Vertigo (1958) film analysis|Diabetes-level sweet donuts?|
Pulse oximeter teardown: soldering the board|Hip hop dance class, knee drops|Skeleton key puzzle box|CPR for a dead laptop battery|
Migraine (Twenty-one Drummers cover)|Allergic to losing: my tennis season|Infectious groove: bass lesson|Spleen and Ideal, poetry reading|
Veins of marble: stone masonry|Amputation of a tree limb with a chainsaw|Lung busting climb on a road bike|
ICU: the metal band's new drummer|Pacemaker for the marathon, mile by mile|Measles the cat meets the dog|Concussion grenade tutorial|
Virus: the board game, rules|Medical drama ranking, worst to best|Injury update before the derby|Ambulance livery in a paint shop|
Lobotomy Corporation walkthrough|Eye surgery on a teddy bear, toy repair|Symptoms of a bad clutch;
ABOUT MEDICAL: Filmed with permission at our teaching hospital.|Talk given to second year residents.|This is my own story.|
Questions? Ask your care team.|References are listed on our site.|#anatomy #mbbs;
ABOUT OTHER: Hit the bell.|Shot on a phone.|Sponsored by a VPN.|Not a professional, do this at your own risk.|Thanks for 10k!|#fun #daily;
CHANNEL MEDICAL: Theatre Nine|The Bedside|Dr Lindqvist|Bones and Beyond; CHANNEL OTHER: HarborEats|LoFi Loft|Gearheads|TinyTown;
CHANNEL MIXED: Open Campus|Region Today;"""


def table(**columns):
    return h.normalise(pd.DataFrame(columns))


def joined(frame):
    return (frame["title"] + "\n" + frame["description"]).tolist()


@pytest.fixture(scope="module")
def held_back():
    return texts.example_texts(2000, 1, HELD_BACK)


def rates(said, truth):
    said, truth = np.asarray(said, bool), np.asarray(truth, bool)
    hits = (said & truth).sum()
    return hits / said.sum(), hits / truth.sum()


ROWS = [{"id": "aaaaaaaaaaa", "title": "Héart, \"open\"", "desc": "two\nlines", "uploader": "A", "webpage_url": "u", "view_count": 3},
        {"id": "bbbbbbbbbbb", "title": "心臓", "desc": "", "uploader": "B", "webpage_url": "v", "view_count": 4}]


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_every_format_gives_the_same_named_columns_and_keeps_the_others(tmp_path, kind):
    path, frame = tmp_path / f"t.{kind}", pd.DataFrame(ROWS)
    {"csv": lambda: frame.to_csv(path, index=False), "jsonl": lambda: frame.to_json(path, orient="records", lines=True),
     "parquet": lambda: frame.to_parquet(path)}[kind]()
    problems = []
    read = h.read_table(path, problems)
    assert list(read.columns) == [*h.COLUMNS, "view_count"] and problems == []
    assert read["title"].tolist() == ["Héart, \"open\"", "心臓"] and read["description"].tolist() == ["two\nlines", ""]
    assert read["channel"].tolist() == ["A", "B"] and read["video_id"].tolist() == ["aaaaaaaaaaa", "bbbbbbbbbbb"]
    assert read["transcript"].tolist() == ["", ""] and [int(count) for count in read["view_count"]] == [3, 4]


def test_broken_lines_of_a_csv_are_named_and_cost_no_other_line(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('title,channel\nfine,A\ntoo,many,fields\n"never closed,B\nstill here,C\n\nlast,"D"\n', encoding="utf-8")
    problems = []
    assert h.read_table(path, problems)["title"].tolist() == ["fine", "still here", "last"]
    assert len(problems) == 2 and "line 3" in problems[0] and "line 4" in problems[1]
    path.write_text('title,channel\n1,"swallows to the end\n2,B\n3,C\n', encoding="utf-8")
    with pytest.warns(UserWarning, match="line 2"):
        assert h.read_table(path)["title"].tolist() == ["2", "3"]


def test_broken_lines_of_json_are_named_and_half_letters_replaced(tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_text('{"title": "a \\ud83d", "snippet": {"channelTitle": "C"}}\n{"title": "torn\n[1, 2]\n\n' + "[" * 100_000 + "\n"
                    '{"title": null, "categories": ["Education", "Health"], "id": 7.0}\n', encoding="utf-8")
    problems = []
    read = h.read_table(path, problems)
    assert read["title"].tolist() == ["a \ufffd", ""] and read["category"].tolist() == ["", "Education, Health"]
    assert read["video_id"].tolist() == ["", "7"]
    assert [p.split(":")[0] for p in problems] == ["t.jsonl, line 2", "t.jsonl, line 3", "t.jsonl, line 5"]
    read.to_parquet(tmp_path / "back.parquet")


def test_other_encodings_and_delimiters_are_read_or_named(tmp_path):
    path, problems = tmp_path / "t.csv", []
    path.write_bytes("Title;Channel Name\nNähte;Ä\n".encode("utf-16"))
    assert h.read_table(path, problems)[["title", "channel"]].values.tolist() == [["Nähte", "Ä"]] and problems == []
    path.write_bytes("title,channel\nplain,x\nNähte,x\n".encode("latin-1"))
    assert h.read_table(path, problems)["title"].tolist() == ["plain", "N\ufffdhte"]
    assert len(problems) == 1 and "line 3" in problems[0] and "UTF-8" in problems[0]


def test_tables_that_cannot_be_used_are_refused_in_one_sentence(tmp_path):
    for name, content, words in (("t.csv", b"", "empty"), ("t.xlsx", b"PK", "must be one of"), ("t.csv", b"a,b\n1,2\n", "One is needed"),
                                 ("t.parquet", b"PAR1 no more", "Parquet"), ("t.jsonl", b"not\njson\n", "line 1"),
                                 ("t.csv", b'"title\nx\n', "first line")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(KitError, match=words):
            h.read_table(tmp_path / name)
    with pytest.raises(KitError, match="not a file"):
        h.read_table(tmp_path / "none.csv")
    with pytest.raises(KitError, match="different columns"):
        (tmp_path / "wide.jsonl").write_text("\n".join(json.dumps({f"c{i}": 1}) for i in range(2000)))
        h.read_table(tmp_path / "wide.jsonl")


def test_the_video_id_is_taken_from_the_address_where_no_column_has_it():
    urls = ["https://www.youtube.com/watch?t=3&v=dQw4w9WgXcQ&list=x", "https://youtu.be/dQw4w9WgXcQ?t=1", "https://a.org/watch?v=short"]
    assert table(title=["a"] * 3, url=urls)["video_id"].tolist() == ["dQw4w9WgXcQ", "dQw4w9WgXcQ", ""]


def test_many_rows_are_read_in_seconds(tmp_path, held_back):
    pd.concat([held_back] * 10).to_csv(tmp_path / "t.csv", index=False)
    started = time.process_time()
    assert len(h.read_table(tmp_path / "t.csv")) == 20_000
    assert time.process_time() - started < 2                            # about 0.2 s on an idle machine


@pytest.mark.parametrize("title", [
    "Heart shaped cake", "Which operating system?", "Kidney beans chili", "Brain teaser for kids", "Surgical strike at dawn",
    "My heart will go on", "Consult your doctor before you start this workout", "CT, USA: Hartford by night", "Skin packs and health bars",
    "心臓の手術", "", "!!!"])
def test_everyday_use_of_medical_words_is_no_keyword(title):
    assert h.keyword_hits([title]) == [()]


@pytest.mark.parametrize("title, hits", [
    ("Laparoscopic CHOLECYSTECTOMY: kidney stones next", ("laparoscopic", "cholecystectomy", "kidney stone")),
    ("The human heart, a tour", ("human", "heart")), ("Haemorrhage & oedema", ("hemorrhage", "edema")),
    ("𝗟𝗮𝗽𝗮𝗿𝗼𝘀𝗰𝗼𝗽𝘆 made easy", ("laparoscopy",)), ("Pyeloplasty, pyeloplasty", ("pyeloplasty",)),
    ("Heart-shaped cake for my cardiologist", ("cardiologist",)), ("lobes of the lung: patient view", ("lobe of lung", "patient"))])
def test_keywords_are_found_whatever_their_spelling(title, hits):
    assert h.keyword_hits([title]) == [hits]


def test_keywords_are_fast_and_a_huge_text_is_cut(held_back):
    titles = joined(held_back) * 5
    h.keyword_hits(titles[:2000])
    started = time.process_time()
    h.keyword_hits(titles)
    assert len(titles) / (time.process_time() - started) > 20_000      # 75,000 a second alone on the machine
    assert h.keyword_hits(["word " * 10**6 + "laparoscopy"]) == [()]
    with pytest.raises(KitError, match="list"):
        h.keyword_hits("laparoscopy")


def test_held_back_examples_share_no_title_description_or_channel_with_training(held_back):
    training = texts.example_texts(3000)
    for column in ("title", "channel"):
        assert not set(held_back[column].str.lower()) & set(training[column].str.lower())
    lines = [{line for text in frame["description"] for line in text.split("\n") if line and "http" not in line}
             for frame in (held_back, training)]
    assert lines[0] and lines[1] and not lines[0] & lines[1]


def test_keywords_classifier_and_channels_on_held_back_examples(held_back):
    frame, plain = h.harvest(held_back), ~held_back["hard"]
    keywords, own = frame["keyword_hits"].map(bool), frame["by"] == "text"
    for said, precision, recall in ((keywords, 0.72, 0.57), (own, 0.77, 0.52), (frame["kept"], 0.82, 0.90)):
        found = rates(said, held_back["medical"])
        assert found[0] > precision and found[1] > recall
    assert rates(own[plain], held_back["medical"][plain])[0] > 0.93
    assert rates(own, held_back["medical"])[0] > rates(keywords, held_back["medical"])[0] + 0.02       # the classifier earns its place


def test_the_classifier_gives_the_same_probabilities_twice_and_none_for_no_text(held_back):
    examples, asked = texts.example_texts(400), joined(held_back)[:50]
    first, second = (h.TextTest().fit(joined(examples), examples["medical"])(asked) for _ in range(2))
    assert first.shape == (50,) and ((first >= 0) & (first <= 1)).all() and (first == second).all()
    assert h.TextTest().fit(["a cat", "a biopsy"], [0, 1])([]).shape == (0,)
    assert np.isfinite(h.TextTest().fit(["a cat", "a biopsy"], [0, 1])([None, "", "\x00", "x" * 10**6])).all()


def test_the_classifier_refuses_what_it_cannot_learn_from():
    with pytest.raises(KitError, match="call fit"):
        h.TextTest()(["a"])
    with pytest.raises(KitError, match="both kinds"):
        h.TextTest().fit(["a", "b"], [True, True])
    with pytest.raises(KitError, match="2 texts and 1 labels"):
        h.TextTest().fit(["a", "b"], [True])
    with pytest.raises(KitError, match="no text classifier 'bert'"):
        h.TextTest("bert")
    with pytest.raises(KitError, match="could not be loaded"):
        h.TextTest("embedding:/no/such/folder")


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    """A BERT of a few thousand random weights with a tokenizer of letters, saved as a normal folder."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder = tmp_path_factory.mktemp("bert")
    letters = [*"abcdefghijklmnopqrstuvwxyz0123456789:"]
    (folder / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{x}" for x in letters)]))
    tokenizer = BertTokenizerFast(str(folder / "vocab.txt"))
    torch.manual_seed(0)
    BertModel(BertConfig(vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
                         max_position_embeddings=64, initializer_range=0.5)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_the_embedding_is_the_unit_vector_of_the_first_token_with_the_prefix(encoder):
    import torch
    from transformers import AutoModel, AutoTokenizer

    asked = ["biopsy of a node", "cake", "", "x" * 5000]
    found = texts.Encoder(str(encoder), prefix="query: ", batch=2)(asked)
    model, tokenizer = AutoModel.from_pretrained(encoder).eval(), AutoTokenizer.from_pretrained(encoder)
    with torch.no_grad():
        one = model(**tokenizer("query: biopsy of a node", return_tensors="pt")).last_hidden_state[0, 0].numpy()
    assert found.shape == (4, 32) and np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    assert np.allclose(found[0], one / np.linalg.norm(one), atol=1e-4)
    assert not np.allclose(found[0], texts.Encoder(str(encoder))(asked)[0], atol=1e-3)


def test_harvest_runs_on_an_embedding_and_learns_from_the_users_own_table(encoder, tmp_path):
    own = pd.DataFrame({"title": ["biopsy", "laparoscopy", "cake", "guitar"] * 5, "medical": ["yes", 1, "0", False] * 5})
    own.to_csv(tmp_path / "own.csv", index=False)
    options = h.Options(backend=f"embedding:{encoder}", prefix="query: ", labels=tmp_path / "own.csv", channels=False, score=0.5)
    frame = h.harvest(table(title=["biopsy", "guitar"], channel=["A", "B"]), options)
    assert frame["by"].tolist() == ["text", ""] and frame["text_score"][0] > 0.5 and np.isnan(frame["text_score"][1])
    for wrong in (pd.DataFrame({"title": ["a"], "medical": ["maybe"]}), pd.DataFrame({"title": ["a"]})):
        with pytest.raises(KitError, match="'medical' that says 1 or 0"):
            h.harvest(table(title=["biopsy"]), h.Options(labels=wrong))


def test_a_channel_counts_with_enough_accepted_videos_and_a_large_enough_share():
    channels = ["A"] * 4 + ["B"] * 4 + ["a "] + ["C"] * 2 + [""] * 3
    accepted = [True, True, True, False] + [True, False, False, False] + [False] + [True, False] + [True] * 3
    videos = table(title=["t"] * 14, channel=channels)
    assert h.expand(videos, accepted).tolist() == [True] * 4 + [False] * 4 + [True] + [False] * 5           # A and "a " are one: 3 of 5
    assert not h.expand(videos, accepted, share=0.7).any()
    assert h.expand(videos, accepted, least=1, share=0.25).tolist() == [True] * 11 + [False] * 3


def test_a_video_that_is_listed_every_day_counts_once_and_channel_ids_part_channels_of_one_name():
    daily = table(title=["t"] * 7, channel=["A"] * 7, video_id=["x"] * 5 + ["y", "z"])
    assert not h.expand(daily, [True] * 5 + [False] * 2).any()
    two = table(title=["t"] * 4, channel=["News"] * 4, channel_id=["1", "1", "2", "2"], video_id=list("abcd"))
    assert h.expand(two, [True, True, False, False]).tolist() == [True, True, False, False]


def small():
    return table(title=["Laparoscopic cholecystectomy", "Colonoscopy of a polyp", "Our new building", "Cake", ""], channel=[*"SSSKK"],
                 video_id=["v1", "", "v3", "v4", "v5"], file_name=["a/v1.mp4", "", "", "", ""])


def test_harvest_says_by_what_a_row_came_in_and_where_it_fell_out():
    class Sure:
        def __call__(self, asked):
            assert asked == ["Laparoscopic cholecystectomy\n", "Colonoscopy of a polyp\n"]              # only those with a keyword
            return np.array([0.9, 0.9])

    frame = h.harvest(small(), test=Sure())
    assert frame["by"].tolist() == ["text", "text", "channel", "", ""] and frame["kept"].tolist() == [True, True, True, False, False]
    assert frame["first_fail"].tolist() == ["", "", "", "keywords", "keywords"]
    alone = h.harvest(small(), h.Options(backend="", channels=False))
    assert alone["by"].tolist() == ["keywords", "keywords", "", "", ""] and alone["text_score"].isna().all()
    strict = h.harvest(small(), h.Options(score=1.0), test=Sure())
    assert strict["first_fail"].tolist() == ["text", "text", "keywords", "keywords", "keywords"] and not strict["kept"].any()
    again = h.harvest(frame, test=Sure())
    assert list(again.columns) == list(frame.columns) and again["kept"].equals(frame["kept"])


@pytest.mark.parametrize("options", [h.Options(), h.Options(backend=""), h.Options(score=0.99), h.Options(channels=False)])
def test_a_row_is_kept_exactly_when_no_decision_says_fail_or_error(held_back, options):
    frame = h.harvest(pd.concat([held_back.head(300), pd.DataFrame([{"video_id": "empty", "title": " ", "description": None}])]), options)
    rows = pd.DataFrame(h.decisions(frame, options))
    assert list(rows.groupby("clip_id", sort=False).size().unique()) == [3] and set(rows["stage"]) == {"keywords", "text", "channel"}
    fine = ~rows["verdict"].isin(("fail", "error")).groupby(rows["clip_id"], sort=False).any()
    assert fine.tolist() == frame["kept"].tolist() and 0 < fine.sum() < len(fine)
    assert rows[rows["clip_id"] == "empty"][["verdict", "reason"]].values.tolist()[0] == ["error", "no text"]
    failed = rows[rows["verdict"].isin(("fail", "error"))].groupby("clip_id")["stage"].first()
    lost = frame[~frame["kept"]].set_index("video_id")["first_fail"]
    assert failed.reindex(lost.index).tolist() == lost.tolist()


def test_rows_are_called_by_file_then_video_then_number():
    names = [row["clip_id"] for row in h.decisions(h.harvest(small(), h.Options(backend="")))][::3]
    assert names == ["a/v1.mp4", "row 1", "v3", "v4", "v5"]


def test_counts_stand_beside_the_papers(held_back):
    frame = h.harvest(held_back.head(200))
    steps = h.counts(frame)
    assert [row["step"] for row in steps] == ["listed", "keywords", "text", "channel"] and steps[0]["ours"] == 200
    assert [row["paper"] for row in steps] == [25_000_000, None, 37_000, 140_000] and steps[3]["ours"] == frame["kept"].sum()
    assert steps[2]["paper_share"] == pytest.approx(0.00148) and steps[3]["paper_share"] == pytest.approx(140 / 37)
    assert steps[1]["share"] == steps[1]["ours"] / 200


def test_an_empty_table_and_unusual_indices_go_through(held_back):
    empty = h.harvest(held_back.head(0))
    assert len(empty) == 0 and h.decisions(empty) == [] and h.counts(empty)[3]["ours"] == 0
    odd = small().set_axis([9, 9, 3, "x", 0])
    assert h.harvest(odd, h.Options(backend="")).index.tolist() == [9, 9, 3, "x", 0]
    for wrong in ({"score": 2}, {"share": 0}, {"least": 0}, {"columns": ("nothing",)}):
        with pytest.raises(KitError):
            h.Options(**wrong)


def videos(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"video")
    return folder


def test_rows_find_their_files_by_path_bare_name_and_video_id(tmp_path):
    videos(tmp_path, "a/one.mp4", "Talk [dQw4w9WgXcQ].webm", "three.MP4", "é.mov", "ID_5.mkv", ".hidden.mp4", "notes.txt", ".git/x.mp4")
    rows = table(file_name=["a/one.mp4", "", "three.MP4", "é.mov", "", str(tmp_path / "a" / "one.mp4")],        # é in two letters
                 video_id=["", "dQw4w9WgXcQ", "", "", "ID_5", ""], title=["t"] * 6)
    matched, problems = h.match_files(tmp_path, rows.head(5))
    assert [(path.name, row) for path, row in matched] == [("one.mp4", 0), ("Talk [dQw4w9WgXcQ].webm", 1), ("three.MP4", 2),
                                                           ("é.mov", 3), ("ID_5.mkv", 4)] and problems == []
    assert h.match_files(tmp_path, rows.tail(1))[0] == [(tmp_path / "a/one.mp4", 0)]
    assert h.match_files(tmp_path, rows.assign(file_name="one.mp4").head(1))[0] == [(tmp_path / "a/one.mp4", 0)]


def test_rows_without_files_files_without_rows_and_doubles_are_all_reported(tmp_path):
    videos(tmp_path, "one.mp4", "b/two.mp4", "c/two.mp4", "spare.mp4")
    rows = table(file_name=["one.mp4", "one.mp4", "two.mp4", "gone.mp4", ""], title=["t"] * 5)
    matched, problems = h.match_files(tmp_path, rows)
    assert matched == [(tmp_path / "one.mp4", 0)]
    assert [(p["file"], p["reason"]) for p in problems] == [
        ("one.mp4", "two_rows"), ("two.mp4", "two_files"), ("gone.mp4", "row_without_file"), ("", "row_without_file"),
        ("b/two.mp4", "file_without_row"), ("c/two.mp4", "file_without_row"), ("spare.mp4", "file_without_row")]
    assert all(p["message"] for p in problems) and "row 1" in problems[0]["message"]
    (tmp_path / "more.zip").write_bytes(b"")
    assert "zip" in next(p["message"] for p in h.match_files(tmp_path, rows)[1] if p["reason"] == "row_without_file")
    with pytest.raises(KitError, match="not a folder"):
        h.match_files(tmp_path / "none", rows)


@pytest.mark.parametrize("name", ["../out.mp4", "/etc/passwd", "a/../../out.mp4", "..\\out.mp4", "C:\\out.mp4"])
def test_a_row_that_leaves_the_folder_is_refused(tmp_path, name):
    inner = videos(tmp_path, "out.mp4", "inner/fine.mp4") / "inner"
    matched, problems = h.match_files(inner, table(file_name=[name], title=["t"]))
    assert matched == [] and problems[0]["reason"] == "escapes" and problems[0]["file"] == name


def test_links_that_leave_the_folder_are_refused_and_those_inside_are_not(tmp_path):
    inner = videos(tmp_path, "out.mp4", "other/x.mp4", "inner/fine.mp4") / "inner"
    (inner / "link.mp4").symlink_to(tmp_path / "out.mp4")
    (inner / "folder").symlink_to(tmp_path / "other")
    (inner / "same.mp4").symlink_to(inner / "fine.mp4")
    (tmp_path / "root").symlink_to(inner)
    matched, problems = h.match_files(tmp_path / "root", table(file_name=["link.mp4", "same.mp4", "bad\x00.mp4"], title=["t"] * 3))
    assert [row for _, row in matched] == [1]
    assert {(p["file"], p["reason"]) for p in problems} == {
        ("link.mp4", "escapes"), ("folder", "escapes"), ("link.mp4", "row_without_file"), ("bad\x00.mp4", "row_without_file"),
        ("fine.mp4", "file_without_row")}


def member(name, mode=0o100644):
    info = zipfile.ZipInfo(name)
    info.external_attr, info.compress_type = mode << 16, zipfile.ZIP_DEFLATED
    return info


def reasons(problems):
    return {problem["file"]: problem["reason"] for problem in problems}


def test_hostile_members_are_refused_and_the_rest_unpacked(tmp_path):
    path, folder = tmp_path / "v.zip", tmp_path / "out"
    with zipfile.ZipFile(path, "w") as archive, pytest.warns(UserWarning, match="Duplicate"):
        for name in ("a/fine.mp4", "../up.mp4", "/abs.mp4", "x/../../up2.mp4", "..\\up3.mp4", "C:\\up4.mp4", "__MACOSX/._fine.mp4",
                     "n" * 300):
            archive.writestr(member(name), b"video")
        archive.writestr(member("link.mp4", stat.S_IFLNK | 0o777), "/etc/passwd")
        archive.writestr(member("pipe", stat.S_IFIFO), "")
        archive.writestr(member("disk", stat.S_IFBLK), "")
        archive.writestr(member("bomb.mp4"), b"\0" * 2**22)
        archive.writestr(member("a/fine.mp4"), b"other")
        archive.writestr(member("a/fine.mp4/below.mp4"), b"video")
    made, problems = h.unpack(path, folder)
    assert made == [folder / "a/fine.mp4"] and made[0].read_bytes() == b"video"
    assert reasons(problems) == {"../up.mp4": "escapes", "/abs.mp4": "escapes", "x/../../up2.mp4": "escapes", "../up3.mp4": "escapes",
                                 "C:/up4.mp4": "escapes", "link.mp4": "not_a_file", "pipe": "not_a_file", "disk": "not_a_file",
                                 "bomb.mp4": "ratio", "a/fine.mp4": "two_members", "a/fine.mp4/below.mp4": "unwritable",
                                 "n" * 300: "unwritable"}
    assert sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*")) == ["out", "out/a", "out/a/fine.mp4", "v.zip"]


def test_an_archive_is_unpacked_twice_without_writing_again_and_never_over_another_file(tmp_path):
    path, folder = tmp_path / "v.zip", tmp_path / "out"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("one.mp4", "two.mp4", "sub/three.mp4"):
            archive.writestr(member(name), b"video")
    videos(folder, "two.mp4").joinpath("two.mp4").write_bytes(b"mine, and longer")
    (tmp_path / "elsewhere").mkdir()
    (folder / "sub").symlink_to(tmp_path / "elsewhere")
    made, problems = h.unpack(path, folder)
    assert reasons(problems) == {"two.mp4": "exists", "sub/three.mp4": "escapes"} and not list((tmp_path / "elsewhere").iterdir())
    before = made[0].stat().st_mtime_ns
    assert h.unpack(path, folder) == (made, problems) and made[0].stat().st_mtime_ns == before
    assert reasons(h.unpack(path, tmp_path / "small", max_bytes=7)[1]) == {"two.mp4": "too_large", "sub/three.mp4": "too_large"}


@pytest.mark.parametrize("declared", [3, 5000])
def test_a_member_that_is_not_as_long_as_it_says_leaves_nothing(tmp_path, declared):
    path = tmp_path / "v.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("v.mp4", b"v" * 1000)                       # stored
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 24:][:4] = b""
    place = data.index(b"PK\x01\x02") + 24
    data[place:place + 4] = struct.pack("<I", declared)
    path.write_bytes(data)
    made, problems = h.unpack(path, tmp_path / "out")
    assert made == [] and reasons(problems) == {"v.mp4": "broken"} and not list((tmp_path / "out").rglob("*.*"))


def test_locked_and_damaged_members_and_no_archive(tmp_path):
    path = tmp_path / "v.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.mp4", bytes(range(256)) * 40)
        archive.writestr("b.mp4", b"video")
    data = bytearray(path.read_bytes())
    data[60:80] = b"\xff" * 20                                         # inside the first member
    data[data.rindex(b"PK\x01\x02") + 8] |= 1                          # the password flag of the second
    path.write_bytes(data)
    made, problems = h.unpack(path, tmp_path / "out")
    assert made == [] and reasons(problems) == {"a.mp4": "broken", "b.mp4": "locked"}
    for content in (b"", b"no archive at all", bytes(data[:len(data) // 2])):
        path.write_bytes(content)
        with pytest.raises(KitError, match="could not be opened"):
            h.unpack(path, tmp_path / "out")


def test_a_full_disk_stops_the_unpacking_and_leaves_no_part(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "v.zip", "w") as archive:
        archive.writestr("v.mp4", b"video")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfileobj", full)
    with pytest.raises(DiskError, match="disk is full"):
        h.unpack(tmp_path / "v.zip", tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet", "zip"])
def test_mutated_files_end_as_rows_or_as_one_sentence(tmp_path, kind, recwarn):
    good, rng, ended, frame = tmp_path / f"good.{kind}", np.random.default_rng(5), set(), pd.DataFrame(ROWS * 20)
    if kind == "zip":
        with zipfile.ZipFile(good, "w", zipfile.ZIP_DEFLATED) as archive:
            for n in range(5):
                archive.writestr(f"f{n % 2}/v{n}.mp4", rng.bytes(300))
    else:
        write = {"csv": frame.to_csv, "jsonl": lambda path: frame.to_json(path, orient="records", lines=True), "parquet": frame.to_parquet}
        write[kind](good)
    for _ in range(30):
        data = bytearray(good.read_bytes())
        for place in rng.integers(0, len(data), rng.choice([1, 3, 20])):
            data[place:place + int(rng.integers(0, 9))] = rng.choice([b"", b'"', b"\n", b"\xff", b"PK\x01\x02", rng.bytes(5)])
        path = tmp_path / f"mutated.{kind}"
        path.write_bytes(data)
        try:
            if kind == "zip":
                h.unpack(path, tmp_path / "out")
            else:
                h.harvest(h.read_table(path), h.Options(backend=""))
            ended.add("rows")
        except KitError as error:
            ended.add("sentence")
            assert path.name in str(error)
    assert "rows" in ended and not list(tmp_path.rglob("*.part")) and not set(tmp_path.glob("*.mp4"))
