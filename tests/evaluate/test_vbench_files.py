"""VBench's files: written as VBench writes them, read back, and read by what VBench's own scripts do with them."""

import json

import pytest

from medgen_kit import KitError
from medgen_kit.evaluate import vbench_files
from medgen_kit.evaluate.result import MetricResult


def rows():
    values = {"subject_consistency": (0.9, 0.5, 0.7), "background_consistency": (0.8, 0.6, None), "imaging_quality": (70.0, 50.0, 60.0),
              "dynamic_degree": (1.0, 0.0, 1.0), "sharpness": (200.0, 90.0, 3.0)}
    return [{"path": f"clips/{k}.mp4", "prompt": f"prompt {k}", "results": {
        name: MetricResult(name, found[k], "" if found[k] is not None else "one frame", weight=(8, 24, 8)[k])
        for name, found in values.items()}} for k in range(3)]


def test_written_as_vbench_does_and_read_back(tmp_path):
    info, results = vbench_files.write(tmp_path, "medgen", rows())
    assert info.name == "medgen_full_info.json" and results.name == "medgen_eval_results.json"
    content = json.loads(results.read_text())
    assert content["subject_consistency"][0] == pytest.approx(0.7) and "sharpness" not in content
    assert content["background_consistency"][0] == pytest.approx((0.8 * 8 + 0.6 * 24) / 32)
    assert content["background_consistency"][1][1] == {"video_path": "clips/1.mp4", "video_results": 0.6,
                                                       "video_sim": pytest.approx(14.4), "cnt_per_video": 24}
    assert content["imaging_quality"][0] == pytest.approx(0.6) and content["imaging_quality"][1][0]["video_results"] == 70
    assert [line["video_results"] for line in content["dynamic_degree"][1]] == [True, False, True]
    dimensions = ["subject_consistency", "background_consistency", "dynamic_degree", "imaging_quality"]
    assert json.loads(info.read_text()) == [{"prompt_en": f"prompt {k}", "dimension": dimensions, "video_list": [f"clips/{k}.mp4"]}
                                            for k in range(3)]
    assert list(content) == dimensions
    back = vbench_files.read_results(results)
    assert back["dynamic_degree"]["rows"]["clips/1.mp4"] == 0 and back["imaging_quality"]["overall"] == pytest.approx(0.6)
    assert vbench_files.read_info(info)["clips/0.mp4"] == "prompt 0"


def test_vbench_merges_our_background_rows_as_its_own():
    """What VBench does with the rows of several GPUs: sum of video_sim / sum of cnt_per_video."""
    overall, lines = vbench_files.eval_results(rows())["background_consistency"]
    assert sum(line["video_sim"] for line in lines) / sum(line["cnt_per_video"] for line in lines) == pytest.approx(overall)


def test_one_gpu_weighs_subject_consistency_by_frames():
    overall = vbench_files.eval_results(rows(), "frames")["subject_consistency"][0]
    assert overall == pytest.approx((0.9 * 8 + 0.5 * 24 + 0.7 * 8) / 40)


def test_vbench_files_with_nan_and_a_single_path_are_read(tmp_path):
    (tmp_path / "x_eval_results.json").write_text('{"temporal_flickering": [NaN, []], "subject_consistency": [0.5, '
                                                  '[{"video_path": "a.mp4", "video_results": 0.5}]]}')
    found = vbench_files.read_results(tmp_path / "x_eval_results.json")
    assert found["temporal_flickering"] == {"overall": None, "rows": {}} and found["subject_consistency"]["rows"] == {"a.mp4": 0.5}
    (tmp_path / "x_full_info.json").write_text('[{"prompt_en": "a heart", "dimension": [], "video_list": "a.mp4"}]')
    assert vbench_files.read_info(tmp_path / "x_full_info.json") == {"a.mp4": "a heart"}


@pytest.mark.parametrize(("text", "said"), [
    ("[1, 2]", "one entry per dimension"),
    ('"results"', "one entry per dimension"),
    ('{"a": 3}', r"'a' should be \[overall, \[rows\]\]"),
    ('{"a": [0.5, {}]}', r"'a' should be \[overall, \[rows\]\]"),
    ('{"a": [0.5, [["x.mp4", 0.5]]]}', "row 1 of 'a' should have a video_path and video_results"),
    ('{"a": [0.5, [{"video_path": "x.mp4", "video_results": 1}, {"video_path": "y.mp4"}]]}', "row 2 of 'a' should have"),
    ('{"a": [0.5, [{"video_path": 3, "video_results": 1}]]}', "row 1 of 'a' should have"),
    ('{"a": [0.5, [{"video_path": "x.mp4", "video_results": "good"}]]}', "row 1 of 'a' is \"good\", not a number"),
    ('{"a": [[0.5], []]}', r"overall score of 'a' is \[0.5\], not a number"),
    ("{", "is not JSON"),
    ("[" * 100_000, "is not JSON"),
])
def test_results_of_another_shape_are_refused_in_words(tmp_path, text, said):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(KitError, match=said):
        vbench_files.read_results(tmp_path / "x.json")


@pytest.mark.parametrize(("text", "said"), [
    ('{"prompt_en": "a"}', "should be a list with one entry per prompt"),
    ("3", "should be a list"),
    ('["a"]', "entry 1 has no prompt_en"),
    ('[{"prompt_en": "a"}, {"prompt": "a"}]', "entry 2 has no prompt_en"),
    ('[{"prompt_en": null}]', "entry 1 has no prompt_en"),
    ('[{"prompt_en": "a", "video_list": 3}]', "entry 1: video_list should be a list of paths"),
    ('[{"prompt_en": "a", "video_list": null}]', "entry 1: video_list"),
    ('[{"prompt_en": "a", "video_list": ["x.mp4", 3]}]', "entry 1: video_list"),
    ('[{"prompt_en": "a", "video_list": "x.mp4"}, {"prompt_en": "b", "video_list": ["x.mp4"]}]', "entry 2: x.mp4 has another prompt"),
])
def test_prompts_of_another_shape_are_refused_in_words(tmp_path, text, said):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(KitError, match=said):
        vbench_files.read_info(tmp_path / "x.json")


def test_a_missing_file_is_refused_in_words(tmp_path):
    with pytest.raises(KitError, match="can not be read"):
        vbench_files.read_info(tmp_path / "none.json")


def test_a_number_too_large_for_a_float_is_none(tmp_path):
    (tmp_path / "x.json").write_text('{"a": [1' + "0" * 400 + ", []]}")
    assert vbench_files.read_results(tmp_path / "x.json") == {"a": {"overall": None, "rows": {}}}
