"""Transcripts beside a video: every dialect of WebVTT and SubRip that tools write, broken files, alignment to a clip's time."""

import random
import warnings
from types import SimpleNamespace

import pytest

from medgen_kit.caption import transcript
from medgen_kit.caption.transcript import Cue, beside, of_clip, read, text_between
from medgen_kit.errors import KitError

YOUTUBE = """WEBVTT
Kind: captions
Language: en

00:00:00.160 --> 00:00:02.470 align:start position:0%
\x20
so<00:00:00.400><c> the</c><00:00:00.640><c> mitral</c><00:00:01.120><c> valve</c>

00:00:02.470 --> 00:00:02.480 align:start position:0%
so the mitral valve
\x20

00:00:02.480 --> 00:00:05.110 align:start position:0%
so the mitral valve
opens<00:00:02.800><c> here</c><00:00:03.360><c> you</c><00:00:03.600><c> see</c>

00:00:05.110 --> 00:00:05.120 align:start position:0%
opens here you see
\x20

00:00:05.120 --> 00:00:07.000 align:start position:0%
opens here you see
[Music]

00:00:07.000 --> 00:00:09.000 align:start position:0%
it<00:00:07.500><c> again</c>
"""
SRT = "1\n00:00:01,000 --> 00:00:03,500\nFirst line\nsecond line\n\n2\n00:00:04,000 --> 00:00:05,000\nThe end\n"


def texts(tmp_path, content, name="a.vtt", **how):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return [cue.text for cue in read(path, **how)]


def test_rolling_captions_of_youtube_are_said_once(tmp_path):
    (tmp_path / "a.vtt").write_text(YOUTUBE)
    cues = read(tmp_path / "a.vtt")
    assert cues == [Cue(0.16, 2.47, "so the mitral valve"), Cue(2.48, 5.11, "opens here you see"), Cue(7.0, 9.0, "it again")]
    assert text_between(cues, 0, 99) == "so the mitral valve opens here you see it again"


def test_lines_that_grow_word_by_word_are_said_once(tmp_path):
    words = "now we cut the duct with care".split()
    grown = "".join(f"00:{n:02d}.000 --> 00:{n + 1:02d}.000\n{' '.join(words[:n + 2])}\n\n" for n in range(6))
    assert " ".join(texts(tmp_path, "WEBVTT\n\n" + grown)) == "now we cut the duct with care"
    apart = "WEBVTT\n\n00:01.000 --> 00:02.000\nLook here now\n\n00:09.000 --> 00:10.000\nLook here now\n"
    assert texts(tmp_path, apart) == ["Look here now"] * 2, "the same words seven seconds later are said again"
    short = "WEBVTT\n\n00:01.000 --> 00:02.000\nit is very\n\n00:02.000 --> 00:03.000\nvery important\n"
    assert texts(tmp_path, short) == ["it is very", "very important"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_encodings_and_line_ends(tmp_path, encoding, end):
    path, said = tmp_path / "a.srt", []
    text = SRT.replace("The end", "naïve Ödem – 5 °C").replace("\n", end)
    path.write_bytes(text.encode(encoding))
    assert [cue.text for cue in read(path, said.append)] == ["First line second line", "naïve Ödem – 5 °C"]
    assert len(said) == (encoding == "cp1252") and all("Windows-1252" in sentence and "line 8" in sentence for sentence in said)


@pytest.mark.parametrize("line, said", [
    ("<v Dr. Smith>Hello</v> there", "Hello there"), ("<v.loud Mary>Hi", "Hi"), ("<c.colorE5E5E5>red</c> <i>it</i> <b>is</b>", "red it is"),
    ("<font color=\"#fff\">white</font>", "white"), ("{\\an8}up here", "up here"), ("pH &lt; 7 &amp; p&nbsp;&gt;&#160;5 &quot;so&quot;",
                                                                                  'pH < 7 & p > 5 "so"'),
    ("if a < b and c > d", "if a < b and c > d"), ("<lang en>yes</lang>", "yes"), ("<ruby>kan<rt>reading</rt></ruby>ji", "kanji"),
    ("[Music] now", "now"), ("♪ la la la ♪", ""), ("(soft music playing) we go on (the left one)", "we go on (the left one)"),
    ("(APPLAUSE)", ""), ("DR. JONES: the valve", "the valve"), ("NARRATOR: once", "once"), (">> JOHN: yes", "yes"), (">> well", "well"),
    ("- First speaker", "First speaker"), ("-5 degrees", "-5 degrees"), ("Speaker 2: ok", "ok"), ("Dr. Lee: ok", "ok"),
    ("Step 1: incise", "Step 1: incise"), ("ECG: sinus", "ECG: sinus"), ("Findings: normal", "Findings: normal"),
    ("\u200bzero\u200b width\u202a", "zero width"), ("  many \t spaces  ", "many spaces"), ("...", ""), ("<unknown>kept</unknown>",
                                                                                                        "<unknown>kept</unknown>")])
def test_a_line_is_cleaned(tmp_path, line, said):
    assert " ".join(texts(tmp_path, f"WEBVTT\n\n00:01.000 --> 00:02.000\n{line}\n")) == said


def test_times_of_every_kind(tmp_path):
    times = ["01:02.5 --> 01:03,25 align:start", "1:00:00.000-->1:00:01.000", "100:00:01,001 --> 100:00:02", "00:05 --> 00:06"]
    path = tmp_path / "a.vtt"
    path.write_text("WEBVTT - title\n\n" + "".join(f"id {n}\n{' --> '.join(t.strip() for t in time.split('-->'))}\nx{n}\n\n"
                                                   for n, time in enumerate(times)))
    assert [(cue.start, cue.end) for cue in read(path)] == [(5, 6), (62.5, 63.25), (3600, 3601), (360001.001, 360002)]


def test_notes_styles_headers_and_numbers_are_no_speech(tmp_path):
    text = ("WEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:900000\n\nSTYLE\n::cue { color: red }\n::cue(b) { x: y }\n\nNOTE\n"
            "by me\nfor you\n\nREGION\nid:fred\nwidth:40%\n\nNOTE one line\n\n"
            "intro\n00:01.000 --> 00:02.000 region:fred\nWords\n\nNOTE after\n\n7\n"
            "00:03.000 --> 00:04.000\nMore\n")
    assert texts(tmp_path, text) == ["Words", "More"]


def test_subrip_without_empty_lines_or_with_too_many(tmp_path):
    tight = "1\n00:00:01,000 --> 00:00:02,000\none\n2\n00:00:03,000 --> 00:00:04,000\ntwo\n"
    assert texts(tmp_path, tight, "a.srt") == ["one", "two"]
    loose = "1\n00:00:01,000 --> 00:00:02,000\none\n\nstill one\n\n\n" \
            "2\n00:00:03,000 --> 00:00:04,000\n\n\n3\n00:00:05,000 --> 00:00:06,000\ntwo"
    assert texts(tmp_path, loose, "a.srt") == ["one still one", "two"]
    turned = "2\n00:00:03,000 --> 00:00:04,000\ntwo\n\n1\n00:00:01,000 --> 00:00:02,000\none\n"
    assert texts(tmp_path, turned, "a.srt") == ["one", "two"]


@pytest.mark.parametrize("content, line, what, left", [
    ("1\n00:00:xx --> 00:00:05,000\nlost\n\n2\n00:00:06,000 --> 00:00:07,000\nkept\n", 2, "no time line", ["kept"]),
    ("1\n00:00:09,000 --> 00:00:08,000\nlost\n\n2\n00:00:10,000 --> 00:00:11,000\nkept", 2, "ends before it begins", ["kept"]),
    ("just a text\nwithout any times\n", 1, "no time line such as", []), ("", 1, "empty", []), ("\n\n \n", 1, "empty", []),
    (b"\x00\x01\x02\xff\x00\x00" * 400, 1, "no text file", []), (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00", 1, "", [])])
def test_broken_files_are_named_with_a_line_and_never_raise(tmp_path, content, line, what, left):
    path, said = tmp_path / "broken.srt", []
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert [cue.text for cue in read(path, said.append)] == left
    assert len(said) == 1 and said[0].startswith(f"{path}, line {line}: ") and what in said[0]
    with pytest.warns(UserWarning, match="broken.srt, line"):
        read(path)


def test_many_faults_make_one_sentence_and_missing_or_huge_files_too(tmp_path, monkeypatch):
    said = []
    (tmp_path / "a.srt").write_text("".join(f"{n}\n00:0{n}:00,000 -> no\nx\n\n" for n in range(9)))
    assert read(tmp_path / "a.srt", said.append) == [] and "and 8 more like it" in said[0] and len(said) == 1
    assert read(tmp_path / "gone.srt", said.append) == [] and "cannot be read" in said[1]
    assert read(tmp_path, said.append) == [] and "cannot be read" in said[2]
    monkeypatch.setattr(transcript, "MAX_BYTES", 10)
    assert read(tmp_path / "a.srt", said.append) == [] and "no transcript" in said[3]


def test_random_damage_never_raises_and_never_hangs(tmp_path):
    rng, path = random.Random(0), tmp_path / "a.vtt"
    for number in range(120):
        data = bytearray((YOUTUBE if number % 2 else SRT).encode("utf-16" if number % 5 == 0 else "utf-8"))
        for _ in range(rng.randint(1, 30)):
            place = rng.randrange(len(data))
            data[place:place + rng.randint(0, 3)] = bytes(rng.randrange(256) for _ in range(rng.randint(0, 3)))
        path.write_bytes(bytes(data[:rng.randint(1, len(data))]))
        for cue in read(path, lambda text: None):
            assert 0 <= cue.start <= cue.end and cue.text.strip() == cue.text and "\n" not in cue.text
    path.write_text("WEBVTT\n\n00:01.000 --> 00:02.000\n" + "<rt>(" * 300_000)
    assert len(read(path, lambda text: None)) <= 1


def test_words_are_taken_by_the_time_in_which_they_are_said():
    cues = [Cue(0, 10, "one two three four five six seven eight nine ten"), Cue(10, 12, "end"), Cue(12, 12, "flash")]
    assert text_between(cues, 2, 5) == "three four five" and text_between(cues, 0, 12.5).endswith("ten end flash")
    assert text_between(cues, 20, 30) == "" and text_between([], 0, 1) == "" and text_between(cues, 3, 3) == ""
    with pytest.raises(KitError, match="start_s <= end_s"):
        text_between(cues, 5, 4)


def test_english_is_preferred_and_the_name_is_the_videos(tmp_path):
    video = tmp_path / "Fälle [1].v2.mp4"
    assert beside(video) is None
    for name in ("Fälle [1].v2.de.vtt", "other.en.vtt", "Fälle [1].vtt"):
        (tmp_path / name).write_text("x")
    assert beside(video) is None, "another language and other videos"
    for name in ("Fälle [1].v2.srt", "Fälle [1].v2.vtt", "Fälle [1].v2.en-US.srt", "Fälle [1].v2.en.vtt"):
        (tmp_path / name).write_text("x")
        assert beside(str(video)).name == name


def clip(path, **extra):
    return SimpleNamespace(path=path, duration=3.0, extra=extra)


def test_a_clip_gets_the_words_of_its_part_of_the_upload(tmp_path):
    raw, clips = tmp_path / "raw", tmp_path / "clips"
    (raw / "deep").mkdir(parents=True)
    clips.mkdir()
    (raw / "deep" / "long.en.vtt").write_text("WEBVTT\n\n00:10.000 --> 00:20.000\na b c d e f g h i j\n")
    known = {}
    one = clip(clips / "c.mp4", upload="deep/long.mp4", start_s=12.0, end_s=15.0)
    assert of_clip(one, [tmp_path / "nowhere", raw], known=known) == "c d e" and len(known) == 1
    assert of_clip(clip(clips / "c.mp4", upload="deep/long.mp4"), [raw]) == "", "without times nothing is guessed"
    assert of_clip(clip(clips / "c.mp4", upload="../raw/deep/long.mp4", start_s=12.0, end_s=15.0), [clips]) == "", "no way out"
    assert of_clip(clip(clips / "c.mp4", upload="deep/long.mp4", start_s=float("nan"), end_s=15.0), [raw]) == ""
    assert of_clip(clip(clips / "c.mp4", upload="deep/long.mp4", start_s=12.0, end_s=15.0, transcript="given"), [raw]) == "given"
    (clips / "c.srt").write_text("1\n00:00:00,000 --> 00:00:02,000\nits own\n")
    assert of_clip(one, [raw]) == "its own"
