"""Data cards: valid for the Hub, made of measured figures only, the same from the same figures."""

import importlib.util
import json
from pathlib import Path

import pytest
from huggingface_hub import ModelCard

from course.tools import card_check, cards
from medgen_kit.errors import KitError

HERE = Path(__file__).parent


def load_neighbour(name):
    spec = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


made_up_run = load_neighbour("made_up_run")


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """(folder of the run, folder of the cards)."""
    run = made_up_run.make(tmp_path_factory.mktemp("run"))
    out = tmp_path_factory.mktemp("cards")
    assert [path.stem for path in cards.write_cards(run, out)] == list(cards.KINDS)
    return run, out


def test_cards_are_valid_and_their_pictures_lie_beside_them(written):
    for name, kind in cards.KINDS.items():
        assert card_check.problems((written[1] / f"{name}.md").read_text(encoding="utf-8"), kind, written[1]) == []
    assert sorted(p.name for p in (written[1] / "figures").iterdir()) == [
        "categories.png", "figures.json", "funnel.png", "results.png", "samples.png"]


def test_model_card_holds_the_results_as_a_model_index(written):
    data = ModelCard((written[1] / "MedGen-tiny.md").read_text(encoding="utf-8")).data
    assert data.model_name == "MedGen-tiny"
    assert {r.metric_name: r.metric_value for r in data.eval_results} == made_up_run.SHARES
    assert data.license == "apache-2.0" and data.pipeline_tag == "text-to-video"


def test_numbers_of_the_run_and_of_the_paper_stand_in_the_cards(written):
    model = (written[1] / "MedGen-tiny.md").read_text(encoding="utf-8")
    for text in ("2.78 million parameters", "3.7 minutes on 2 CPU cores", "| motion, unseen | 0.630 | 0.580 to 0.670 | 0.990 | 0.400 |",
                 "| recall@1 | 0.310 | 0.020 |", "| no REPA | 0.910 | 0.410 | 0.630 | 0.540 |",
                 "| heart | real + generated | 0.650 | +0.050 | -0.020 to +0.120 |", "| `echo.wall_motion` | 0.500 |",
                 "never for clinical use"):
        assert text in model, text
    samples = (written[1] / "medgen-kit-samples.md").read_text(encoding="utf-8")
    for text in ("| simulated: echo | 4 | 1 | 1 | CC BY 4.0 |", "| pydicom | 2 | 0 | 0 | MIT |", "of which 1 (33 %)", "**held out**",
                 "| `echo.view` | apical, short-axis | 7 |", "train 6, val 1, test 1 clips"):
        assert text in samples, text
    paper = (written[1] / "MedVideoCap-55K.md").read_text(encoding="utf-8")
    assert "aesthetic removes 16,302 and leaves 71,042" in paper and "A clip lasts 1.125 s." in samples
    for text in ("55,803 short medical videos", "| aesthetic | 16,302 | 71,042 | 18.7 % |", "| medical teaching | 55.93 % |",
                 "research only"):
        assert text in paper, text


def test_the_same_figures_give_the_same_cards(written, tmp_path):
    cards.write_cards(written[0], tmp_path)
    for path in sorted(p for p in written[1].rglob("*") if p.is_file()):
        assert (tmp_path / path.relative_to(written[1])).read_bytes() == path.read_bytes(), path.name


def test_a_changed_figure_changes_the_card_and_its_picture(written, tmp_path):
    run = made_up_run.make(tmp_path / "run", **{"tiny.motion": 0.11})
    cards.write_cards(run, tmp_path)
    assert "| motion | 0.110 |" in (tmp_path / "MedGen-tiny.md").read_text(encoding="utf-8")
    assert (tmp_path / "medgen-kit-samples.md").read_bytes() == (written[1] / "medgen-kit-samples.md").read_bytes()
    assert (tmp_path / "figures" / "results.png").read_bytes() != (written[1] / "figures" / "results.png").read_bytes()


@pytest.mark.parametrize(("place", "maker"), [("tiny.appearance", "Notebook 07"), ("align.recall_at_5", "Notebook 04"),
                                               ("augment.table", "Notebook 08")])
def test_a_missing_figure_names_who_makes_it(tmp_path, place, maker):
    run = made_up_run.make(tmp_path / "run", **{place: None})
    with pytest.raises(KitError, match=f"no figure {place}. {maker} makes it"):
        cards.write_cards(run, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_run_without_a_report_and_one_with_other_clips_are_refused(tmp_path):
    with pytest.raises(KitError, match="make course NAME=nothing"):
        cards.write_cards(tmp_path / "nothing", tmp_path)
    with pytest.raises(KitError, match="holds 8 clips, report.json says 9"):
        cards.write_cards(made_up_run.make(tmp_path / "run", **{"sources.clips": 9}), tmp_path)


def test_a_card_that_is_not_valid_is_not_written(written, tmp_path):
    figures = json.loads((written[1] / "figures" / "figures.json").read_text())
    figures["report"]["tiny"]["motion"] = 72
    with pytest.raises(KitError, match="motion: 72 is not a share"):
        cards.write(figures, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("old", "new", "said"), [
    ("license: apache-2.0", "license: apache2", "'apache2' is not an identifier"),
    ("pipeline_tag: text-to-video", "pipeline_tag: video-maker", "'video-maker' is not one of the Hub's"),
    ("# MedGen-tiny", "# {{name}}", "{{name}} was not filled"),
    ("metric", "matric", "front matter can not be read"),
    ("figures/results.png", "figures/other.png", "there is no such picture"),
    ("![Bar chart of the share", "![](figures/results.png) ![", "the alt text '' says too little"),
])
def test_the_check_finds_what_is_wrong(written, old, new, said):
    text = (written[1] / "MedGen-tiny.md").read_text(encoding="utf-8")
    assert old in text
    assert any(said in problem for problem in card_check.problems(text.replace(old, new), "model", written[1]))


def test_a_licence_called_other_needs_a_name_and_a_link(written):
    text = (written[1] / "medgen-kit-samples.md").read_text(encoding="utf-8").replace("license_link: LICENSE-docs\n", "")
    assert card_check.problems(text, "dataset") == ["license 'other' needs license_name and license_link"]


def test_size_categories():
    assert [card_check.size_category(n) for n in (999, 1000, 55_803, 200_000)] == ["n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M"]


def test_the_command_says_what_it_wrote_and_what_is_missing(written, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MEDGEN_RUNS", str(written[0].parent))
    cards.main(["--run", written[0].name, "--out", str(tmp_path)])
    assert capsys.readouterr().out.count("wrote ") == 3
    with pytest.raises(SystemExit, match="holds no report.json"):
        cards.main(["--run", "not-there", "--out", str(tmp_path)])


def test_a_small_run_does_not_replace_the_committed_cards(tmp_path, monkeypatch, capsys):
    run, wrote = made_up_run.make(tmp_path / "small"), []
    manifest = json.loads((run / "generate" / "manifest.json").read_text())
    (run / "generate" / "manifest.json").write_text(json.dumps(manifest | {"profile": "smoke"}))
    monkeypatch.setenv("MEDGEN_RUNS", str(tmp_path))
    monkeypatch.setattr(cards, "write", lambda figures, out: wrote.append(out) or [])
    with pytest.raises(SystemExit, match="made on profile 'smoke'.*--out another folder, or --force"):
        cards.main(["--run", "small"])
    assert not wrote
    cards.main(["--run", "small", "--out", str(tmp_path / "elsewhere")])
    cards.main(["--run", "small", "--force"])
    assert wrote == [tmp_path / "elsewhere", cards.CARDS]


def test_committed_cards_follow_from_the_committed_figures():
    """The cards in data_cards/ are what `cards.py` makes of figures/figures.json: nobody typed a number into them."""
    figures = json.loads((cards.CARDS / "figures" / "figures.json").read_text(encoding="utf-8"))
    texts, pictures = cards.render(figures)
    for name, text in texts.items():
        assert (cards.CARDS / f"{name}.md").read_text(encoding="utf-8") == text, f"run python course/tools/cards.py again: {name}"
        assert card_check.problems(text, cards.KINDS[name], cards.CARDS) == []
    assert figures["run"]["profile"] == "cpu" and set(pictures) <= {p.name for p in (cards.CARDS / "figures").iterdir()}
