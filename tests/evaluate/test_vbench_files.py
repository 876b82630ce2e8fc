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
    entry = json.loads(info.read_text())[2]
    assert entry["prompt_en"] == "prompt 2" and entry["video_list"] == ["clips/2.mp4"] and "dynamic_degree" in entry["dimension"]
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


def test_other_files_are_refused_in_words(tmp_path):
    (tmp_path / "list.json").write_text("[1, 2]")
    with pytest.raises(KitError, match="one entry per dimension"):
        vbench_files.read_results(tmp_path / "list.json")
    (tmp_path / "half.json").write_text('{"a": 3}')
    with pytest.raises(KitError, match=r"\[overall, \[rows\]\]"):
        vbench_files.read_results(tmp_path / "half.json")
    with pytest.raises(KitError, match="can not be read"):
        vbench_files.read_info(tmp_path / "none.json")
