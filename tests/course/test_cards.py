"""Data cards: valid for the Hub, made of measured figures only, the same from the same figures."""

import hashlib
import importlib.util
import json
import shutil
from pathlib import Path

import nbformat
import pytest
from huggingface_hub import ModelCard

from course.tools import card_check, cards, croissant
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
        "categories.png", "figures.json", "funnel.png", "med_vbench.png", "pictures.json", "results.png", "samples.png", "table1.png"]


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
    ("### Consent", "### Content", "the part 'Consent' is missing or empty"),
    ("## Provenance, licence, consent", "## Provenance, consent", "there is no section 'Provenance, licence"),
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
    assert capsys.readouterr().out.count("wrote ") == len(cards.KINDS) + 1
    with pytest.raises(SystemExit, match="holds no report.json"):
        cards.main(["--run", "not-there", "--out", str(tmp_path)])


def test_without_a_run_all_cards_are_made_from_the_committed_figures(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MEDGEN_RUNS", str(tmp_path / "no-runs"))
    cards.main(["--out", str(tmp_path / "out")])
    said = capsys.readouterr().out
    assert "There is no finished run" in said and "make course, then make cards" in said
    for name in cards.KINDS:
        assert (tmp_path / "out" / f"{name}.md").read_bytes() == (cards.CARDS / f"{name}.md").read_bytes(), name


def test_the_run_called_cpu_is_taken_where_it_is_there(tmp_path, monkeypatch, capsys):
    made_up_run.make(tmp_path / "cpu", **{"tiny.motion": 0.33})
    monkeypatch.setenv("MEDGEN_RUNS", str(tmp_path))
    cards.main(["--out", str(tmp_path / "out")])
    assert "There is no finished run" not in capsys.readouterr().out
    assert "| motion | 0.330 |" in (tmp_path / "out" / "MedGen-tiny.md").read_text(encoding="utf-8")


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


@pytest.fixture(scope="module")
def again():
    """(figures, texts, pictures, Croissant documents) made again from the committed figures."""
    figures = json.loads((cards.CARDS / "figures" / "figures.json").read_text(encoding="utf-8"))
    return figures, *cards.render(figures)


def test_no_committed_card_is_stale(again):
    """The cards in data_cards/ are what `make cards` makes of templates, tables, code and figures.json: nobody typed a number into them."""
    figures, texts, _, documents = again
    assert figures["run"]["profile"] == "cpu"
    for name, text in texts.items():
        assert (cards.CARDS / f"{name}.md").read_text(encoding="utf-8") == text, f"run make cards again: {name}"
        assert card_check.problems(text, cards.KINDS[name], cards.CARDS) == []
    for name, found in documents.items():
        kept = (cards.CARDS / "croissant" / f"{name}.json").read_text(encoding="utf-8")
        assert kept == croissant.text(found), f"run make cards again: {name}"
    assert (cards.CARDS / "README.md").read_text(encoding="utf-8") == cards.index(texts), "run make cards again"


def printed(lesson):
    """All text that the stored outputs of a lesson show, with single spaces."""
    cells = nbformat.read(next((cards.ROOT / "notebooks").glob(f"{lesson}_*.ipynb")), 4).cells
    outputs = [output for cell in cells if cell.cell_type == "code" for output in cell.outputs]
    return " ".join(" ".join(output.get("text") or output.get("data", {}).get("text/plain", "") for output in outputs).split())


def unsaid(figures):
    """Figures of the cards that the stored lessons do not show, as the lesson would write them."""
    report = figures["report"]
    align, trained, tiny = report["align"], report["generate"], report["tiny"]

    def shares(row):
        return " ".join(f"{row[name]:.3f}" for name in ("appearance", "motion", "motion_unseen", "all_factors"))

    wanted = {
        "01": [f"{report['sources']['clips']} clips"],
        "04": [f"recall@1 {align['recall_at_1']:.3f} (chance {align['chance_at_1']:.3f})",
               f"recall@5 {align['recall_at_5']:.3f} (chance {align['chance_at_5']:.3f}), {align['test_clips']} clips"],
        "05": [f"{trained['parameters']:,} parameters, {trained['steps']} steps, {trained['train_seconds']:.1f} s",
               f"after {report['ablation']['steps']} steps each", *(shares(row) for row in report["ablation"]["rows"])],
        "07": [f"generated {shares(tiny)}",
               *(f"{name} {shares(tiny[name])}" for name in ("real", "guess"))],
        "08": [f"{row['arm']} {row['accuracy']:.3f}" for row in report["augment"]["table"]]}
    return [f"{lesson}: {words}" for lesson, every in wanted.items() for words in every if words not in printed(lesson)]


def test_the_committed_figures_are_those_of_the_stored_lessons():
    figures = json.loads((cards.CARDS / "figures" / "figures.json").read_text(encoding="utf-8"))
    assert unsaid(figures) == [], "figures.json and the stored outputs come from two runs: make cards again, from the run of the outputs"


@pytest.mark.parametrize("section, name, wrong, lesson", [
    ("align", "recall_at_1", 0.222, "04"), ("generate", "train_seconds", 1.0, "05"), ("tiny", "motion", 0.111, "07"),
    ("augment", "table", [{"arm": "real only", "accuracy": 0.123}], "08")])
def test_a_wrong_figure_is_seen_at_its_source(section, name, wrong, lesson):
    figures = json.loads((cards.CARDS / "figures" / "figures.json").read_text(encoding="utf-8"))
    figures["report"][section][name] = wrong
    assert any(said.startswith(lesson) for said in unsaid(figures))


def test_no_committed_picture_is_stale(again):
    figures, _, pictures, _ = again
    kept = json.loads((cards.CARDS / "figures" / "pictures.json").read_text(encoding="utf-8"))
    now = cards.marks(figures, pictures)
    for name in now:
        assert kept[name]["drawn_from"] == now[name]["drawn_from"], f"run make cards again: the numbers or the code of {name} changed"
        there = hashlib.sha256((cards.CARDS / "figures" / name).read_bytes()).hexdigest()
        assert kept[name]["file"] == there, f"run make cards again: {name} was changed by hand"
    assert {path.name for path in (cards.CARDS / "figures").glob("*.png")} == set(kept) == set(now)


@pytest.mark.parametrize(("file", "old", "new", "card"), [
    ("paper/table1_datasets.csv", "HyperKvasir,category labels,120,", "HyperKvasir,category labels,121,", "HyperKvasir"),
    ("paper/table2_med_vbench.csv", "LTX-Video,open,59.12", "LTX-Video,open,59.13", "LTX-Video"),
    ("templates/datasets.yaml", "One hospital in one country.", "Two hospitals.", "HyperKvasir"),
    ("templates/MedGen-tiny.md", "A teaching model.", "A toy.", "MedGen-tiny"),
])
def test_a_changed_table_or_template_makes_a_card_stale(again, tmp_path, monkeypatch, file, old, new, card):
    for folder in ("paper", "templates"):
        shutil.copytree(cards.CARDS / folder, tmp_path / folder)
    text = (tmp_path / file).read_text(encoding="utf-8")
    assert old in text
    (tmp_path / file).write_text(text.replace(old, new), encoding="utf-8")
    monkeypatch.setattr(cards, "CARDS", tmp_path)
    monkeypatch.setattr(cards, "TEMPLATES", tmp_path / "templates")
    changed = cards.render(again[0])[0]
    assert changed[card] != again[1][card]


def test_a_changed_number_marks_its_picture_as_stale(again):
    figures, _, pictures, _ = again
    other = json.loads(json.dumps(figures))
    other["report"]["tiny"]["motion"] -= 0.1
    before, after = cards.marks(figures, pictures), cards.marks(other, pictures)
    assert [name for name in before if before[name] != after[name]] == ["results.png"]
