"""kit.check: never raises, whatever it is given; says what is wrong, and names the wrong answers that people give."""

import math

import numpy as np
import pytest

import medgen_kit as kit
from medgen_kit.exercise import plain, task, verdict
from medgen_kit.exercise.check import by_part
from medgen_kit.exercise.trial import outputs

TASKS = task.every()
SEEDS = ("public", *(f"monday {k}" for k in range(24)))


def judged(one, answer, seed):
    parts = one.parts(seed)
    return verdict.judge(parts, by_part(parts, outputs(answer, [case["inputs"] for part in parts for case in part["cases"]])), one)


def test_each_lesson_has_two_or_three_exercises():
    counts = [sum(one.lesson == f"{n:02d}" for one in TASKS.values()) for n in range(10)]
    assert min(counts) >= 2 and max(counts) <= 3


@pytest.mark.parametrize("name", TASKS)
def test_the_reference_is_right_and_wrong_answers_are_named(name):
    one = TASKS[name]
    assert len(one.wrong) >= 3
    for seed in SEEDS:
        found = judged(one, one.solve, seed)
        assert found.points == found.of and found.reason == ""
        for wrong in one.wrong:
            found = judged(one, wrong.answer, seed)
            assert found.points < found.of and wrong.why in found.reason, (seed, found)


@pytest.mark.parametrize("name, answer", [
    ("frames_of_shot", lambda start, stop, count: [math.floor(start + k * (stop - start) / count + (stop - start) / count / 2)
                                                   for k in range(count)]),
    ("info_nce", lambda video, text, temperature: info_nce_of_arrays(video, text, temperature))])
def test_another_way_to_the_right_answer_counts(name, answer):
    for seed in SEEDS:
        assert judged(TASKS[name], answer, seed).points == 2, seed


def info_nce_of_arrays(video, text, temperature):
    """InfoNCE that uses its arguments as the arrays that the exercise promises."""
    video, text = (x / ((x ** 2).sum(1, keepdims=True) ** 0.5) for x in (video, text))
    score = video @ text.T / temperature
    return sum((np.log(np.exp(s - s.max(1, keepdims=True)).sum(1)) + s.max(1) - s.diagonal()).mean() for s in (score, score.T)) / 2


@pytest.mark.parametrize("name", TASKS)
def test_hidden_cases_are_others(name):
    public, hidden = ([case["inputs"] for part in TASKS[name].parts(seed) for case in part["cases"]] for seed in ("public", "secret"))
    assert TASKS[name].parts("secret") == TASKS[name].parts("secret")
    if TASKS[name].draw:
        answers = {repr(case): one["output"] for case, one in zip(public, outputs(TASKS[name].solve, public))}
        found = judged(TASKS[name], learnt(answers), "secret")
        assert found.points == 0, "who knows the public cases by heart gets no point"
    else:
        assert public == hidden == [None]


def learnt(answers):
    def by_heart(*arguments):
        return plain.restored(answers.get(repr(plain.plain(list(arguments)))))
    return by_heart


@pytest.mark.parametrize("name", TASKS)
def test_constants_and_echoes_get_nothing(name):
    one = TASKS[name]
    for answer in (lambda *given: 0, lambda *given: [], lambda *given: given[0], lambda *given: None, lambda *given: "present"):
        assert judged(one, answer if one.draw else answer(1), "public").points == 0


class Strange:
    """Objects to whatever is asked of it."""

    def __call__(self, *given):
        return self

    def __getattr__(self, name):
        raise RuntimeError("no")

    def __repr__(self):
        raise RuntimeError("no")

    __eq__ = __len__ = __iter__ = __float__ = __repr__


class Silent(Exception):
    """An error that does not say what it is."""

    def __str__(self):
        raise ValueError


def loud(*given):
    while True:
        print("x" * 1000)


def endless(*given):
    while True:
        pass


def deep(*given):
    return deep()


def silent(*given):
    raise Silent


def leave(*given):
    raise SystemExit


def nested(*given):
    value = []
    for _ in range(200):
        value = [value]
    return value


BAD = {"missing": ..., "none": None, "a number": 3, "a text": "x", "a type": int, "an object": Strange(), "an object that is returned":
       lambda *given: Strange(), "raises": lambda *given: 1 / 0, "silent error": silent, "exit": leave, "loud": loud, "recursion": deep,
       "nan": lambda *given: math.nan, "inf": lambda *given: np.full(3, np.inf), "huge": lambda *given: 10**5000,
       "large": lambda *given: np.zeros(10**6), "nested": nested, "wrong number of arguments": lambda: 1,
       "generator": lambda *given: (x for x in "ab"),
       "itself": lambda *given: given, "complex": lambda *given: 1j, "bytes": lambda *given: b"x"}


@pytest.mark.parametrize("kind", BAD)
@pytest.mark.parametrize("name", ("kappa", "balance_weights", "network_calls"))
def test_nothing_raises(name, kind, capsys):
    answer = BAD[kind]
    given = kit.check(name, answer(1) if name == "network_calls" and kind in ("nan", "inf", "huge", "large", "nested") else answer)
    said = capsys.readouterr().out
    of = 1 if name == "network_calls" else 2
    assert said.startswith(f"{name}: 0/{of}  ") and said.count("\n") == 1 and len(said) < 500
    assert given is TASKS[name].solve, "what follows uses the reference"


class Unsayable:
    def __str__(self):
        raise RuntimeError("no words")
    __repr__ = __str__


@pytest.mark.parametrize("name, seconds, words", [(Unsayable(), 10, "a name is a text"), (["kappa"], 10, "a name is a text"),
                                                  ("kappa", "x", "seconds must be a number"), ("kappa", -1, "seconds must be a number")])
def test_an_odd_name_or_time_is_said_and_raises_nothing(capsys, name, seconds, words):
    assert kit.check(name, 1, seconds=seconds) is not None
    said = capsys.readouterr().out
    assert words in said and "can not be looked at" not in said


def test_endless_functions_are_stopped_and_leave_no_thread(capsys):
    import threading

    before = threading.active_count()
    kit.check("kappa", endless, seconds=0.3)
    assert "does not end within 0.3 s" in capsys.readouterr().out
    assert threading.active_count() == before


def test_a_right_answer_is_handed_on(capsys):
    def total(iq, sc, bc, ms, we):
        return (iq + sc + bc + ms + 100 - we) / 6

    assert kit.check("med_vbench_total", total) is total
    assert capsys.readouterr().out == "med_vbench_total: 2/2\n"
    assert kit.check("network_calls", 960) == 960


def test_partial_points_and_reasons(capsys):
    kit.check("wilson", lambda k, n: TASKS["wilson"].solve(k, n) if 0 < k < n else (0.0, 1.0))
    assert capsys.readouterr().out.startswith("wilson: 1/2  Right, except for none or all of a few. With (0, ")
    kit.check("kappa", lambda table: [TASKS["kappa"].solve(table)])
    assert "You return a list of 1; asked is a number." in capsys.readouterr().out
    kit.check("holm", lambda p: np.array(TASKS["holm"].solve(p)))
    assert capsys.readouterr().out == "holm: 2/2\n", "an array is as good as a list"
    kit.check("noised", lambda x0, eps, s: x0 * (1 - s) + s * eps)
    assert "it needs the shape [B, 1, 1]" in capsys.readouterr().out


def test_changing_the_inputs_does_not_spoil_the_next_case(capsys):
    def greedy(p):
        right = TASKS["holm"].solve(list(p))
        p.clear()
        return right

    kit.check("holm", greedy)
    assert capsys.readouterr().out == "holm: 2/2\n"


def test_an_unknown_name_names_the_nearest(capsys):
    assert kit.check("kapa", 3) == 3
    assert kit.check(["x"], 3) == 3
    said = capsys.readouterr().out
    assert "There is no exercise named 'kapa'. There are: kappa" in said


@pytest.mark.parametrize("got, expected, equal", [
    (1, 1.00005, True), (1, 1.1, False), (True, 1, True), ("a", "a", True), (1, "1", False), (None, None, True), (None, 0, False),
    ([1, 2], {"tuple": [1, 2]}, True), ({"array": [[1]]}, [1], False), (math.nan, math.nan, False), (math.inf, math.inf, False),
    ({"set": [1, 2]}, [1, 2], True), ({"dict": [["a", 1]]}, {"dict": [["a", 1.0]]}, True),
    ({"dict": [["a", 1]]}, {"dict": [["b", 1]]}, False),
    (10**400, 1.0, False), ({"kind": "X"}, 1, False)])
def test_comparison(got, expected, equal):
    assert plain.same(got, expected) is equal


def test_values_survive_the_way_through_json():
    import json

    value = [1, 2.5, "a", None, True, (1, 2), {"a": (1,)}, np.arange(6.0).reshape(2, 3), np.float32(0.5), {3, 1}]
    back = plain.restored(json.loads(json.dumps(plain.plain(value))))
    assert back[5] == (1, 2) and back[6] == {"a": (1,)} and back[9] == {1, 3} and back[8] == 0.5
    assert (back[7] == value[7]).all()
    field = plain.restored(json.loads(json.dumps(plain.plain(plain.linear(2, 3)))))
    assert field(1.0, 2.0) == 8.0


def test_references_agree_with_the_package():
    import torch

    from medgen_kit import align, video
    from medgen_kit.evaluate import agreement, augment, paired, paper, vbench
    from medgen_kit.generate import flow

    rng = np.random.default_rng(3)
    solve = {name: one.solve for name, one in TASKS.items()}
    assert solve["frames_of_shot"](0, 30, 9) == list(video.sample_indices(30, 9))
    v, t = rng.normal(size=(2, 6, 4))
    unit = [torch.nn.functional.normalize(torch.tensor(x), dim=1) for x in (v, t)]
    assert np.isclose(solve["info_nce"](v, t, 0.5), align.info_nce(*unit, torch.tensor(1 / 0.5).log()).item())
    assert np.isclose(solve["recall_at"]((unit[1] @ unit[0].T).numpy(), 2), align.recall_at(*unit, 2))
    x0, eps, s = torch.tensor(rng.normal(size=(2, 2, 3, 4, 1, 1))), None, torch.tensor([0.2, 0.7])
    x0, eps = x0[0], x0[1]
    assert np.allclose(solve["noised"](x0[..., 0, 0].numpy(), eps[..., 0, 0].numpy(), s.numpy()), flow.interpolate(x0, eps, s)[..., 0, 0])
    f = rng.normal(size=(7, 3))
    assert np.isclose(solve["subject_consistency"](f), vbench.consistency(f))
    first, second = rng.integers(0, 3, (2, 40))
    table = np.array([[((first == i) & (second == j)).sum() for j in range(3)] for i in range(3)])
    assert np.isclose(solve["kappa"](table), agreement.cohen(first, second))
    assert np.allclose(np.array(solve["wilson"](77, 200)) * 100, paper.warping_interval(38.5), atol=1e-3)
    p = [0.01, 0.04, 0.03, 0.9]
    assert np.allclose(solve["holm"](p), [row["p_holm"] for row in paired.holm([{"p": one} for one in p])])
    fixed = [{"task": "t", "arm": arm, "seed": k, "accuracy": value} for arm in augment.ARMS
             for k, value in enumerate([0.6, 0.8, 0.7, 0.7, 0.7] if "generated" in arm else [0.5, 0.6, 0.7, 0.6, 0.6])]
    row = next(row for row in augment.compare(fixed) if row["arm"] == "real + generated")
    assert np.allclose(solve["gain_interval"]([0.5, 0.6, 0.7, 0.6, 0.6], [0.6, 0.8, 0.7, 0.7, 0.7]), (row["low"], row["high"]))
    assert solve["fitting_sizes"]([14.29, 28.57, 42.86], 10)[0] == paper.smallest_test_set([14.29, 28.57, 42.86])
    assert solve["med_vbench_total"](60, 90, 95, 98, 40) == paper.med_vbench_total(60, 90, 95, 98, 40)
