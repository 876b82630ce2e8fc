"""The paper's tables: totals, funnel, disagreements, and what the small test sets of table 3 mean."""

import pytest

from medgen_kit.errors import KitError
from medgen_kit.evaluate import paper


def test_med_vbench_totals_all_follow():
    table = paper.totals("med_vbench")
    assert len(table) == 20 and table["follows"].sum() == 20


def test_video_score_totals_follow_but_for_two_named_rows():
    table = paper.totals("video_score")
    assert table["follows"].sum() == 18
    assert set(table.loc[~table["follows"], "model"]) == {"Wan2.1-T2V-14B", "Kling (v1.6)"}


def total_of(table):
    return paper.med_vbench_total(*(table[name] for name in ("imaging_quality", "subject_consistency", "background_consistency",
                                                             "motion_smoothness", "warping_error")))


def test_dividing_by_five_reproduces_nothing():
    table = paper.load("table2_med_vbench")
    assert ((total_of(table) * 6 / 5 - table["total"]).abs() > 5).all()


def test_table_4_follows_the_same_formula():
    table = paper.load("table4_mochi_transfer")
    assert len(table) == 2 and ((total_of(table) - table["total"]).abs() <= paper.ROUNDING).all()


def test_single_rows_by_their_arguments():
    assert round(paper.med_vbench_total(72.50, 94.41, 97.39, 99.76, 38.50), 2) == 70.93
    assert round(paper.videoscore_total(3.35, 3.30, 3.09, 3.22, 38.50), 2) == 2.57
    assert round(paper.videoscore_total(3.55, 3.56, 3.42, 3.86, 26.70), 2) == 2.89          # Kling; the paper prints 2.80


def test_funnel_adds_up_and_a_wrong_count_is_noticed(tmp_path):
    assert paper.funnel()["adds_up"].all()
    text = (paper.FOLDER / "fig4_filter_funnel.csv").read_text().replace("10422", "10423")
    (tmp_path / "fig4_filter_funnel.csv").write_text(text)
    assert (~paper.funnel(tmp_path)["adds_up"]).sum() == 1


def test_disagreements_name_both_models():
    rows = paper.disagreements()
    text = " ".join(row["where"] for row in rows)
    assert len(rows) == 7 and "Wan2.1-T2V-14B" in text and "Kling" in text
    odd = next(row for row in rows if "warping" in row["where"])["also"]
    assert odd.count(",") == 4 and all(name in odd for name in ("93.03", "42.29", "42.27", "26.70", "28.40"))
    assert paper.is_share(38.5) and paper.is_share(45.0) and not paper.is_share(28.4)


def test_a_total_may_differ_by_the_rounding_of_all_its_numbers():
    assert paper.rounding("med_vbench") == pytest.approx(0.005 * (1 + 5 / 6), rel=1e-4)
    assert paper.rounding("video_score") == pytest.approx(0.0083667, rel=1e-4)


def test_test_sets_of_table_3():
    assert paper.smallest_test_set([44.44, 55.56]) == 9 and paper.smallest_test_set([33.33, 50.0]) == 6
    assert paper.smallest_test_set([12.34], largest=10) is None
    table = paper.augmentation()
    assert dict(zip(table["task"], table["test_set_at_least"])) == {"MedVidCL": 162, "HyperKvasir": 9, "SurgVisDom": 7}
    row = table[(table["task"] == "HyperKvasir") & (table["training_data"] == "original")].iloc[0]
    lazy = paper.one_class_only([4, 2, 2, 1], always=0)
    assert all(abs(lazy[name] - row[name]) <= paper.ROUNDING for name in ("accuracy", "precision", "recall", "f1"))


def test_missing_table_is_said_with_what_is_there(tmp_path):
    with pytest.raises(KitError, match="holds no table at all"):
        paper.load("table2_med_vbench", tmp_path)
    with pytest.raises(KitError, match="no total 'elo'"):
        paper.totals("elo")


def test_intervals_and_words():
    low, high = paper.warping_interval(38.5)
    assert (round(low, 1), round(high, 1)) == (32.0, 45.4)
    assert paper.warping_difference(38.5, 45.0) > 0.05 > paper.warping_difference(83.5, 72.0)
    assert [paper.kappa_word(k) for k in (0.83, 0.79, 0.1)] == ["almost perfect", "substantial", "slight"]
