"""Lesson 09: the paper's total, and the sizes of test sets that fit its percentages."""

from ..task import Task, Wrong


def med_vbench_total(imaging_quality, subject_consistency, background_consistency, motion_smoothness, warping_error):
    """(IQ + SC + BC + MS + 100 - WE) / 6, all in percent."""
    return (imaging_quality + subject_consistency + background_consistency + motion_smoothness + 100 - warping_error) / 6


def models(rng):
    def one(worst):
        return [round(float(x), 2) for x in (rng.uniform(45, 75), rng.uniform(85, 99), rng.uniform(90, 99), rng.uniform(95, 99.5),
                                             100 if worst else rng.uniform(20, 95))]

    return {"five numbers in percent": [one(False) for _ in range(4)], "every clip refused, and the best that can be reached":
            [one(True), [100.0, 100.0, 100.0, 100.0, 0.0], one(False)]}


def fitting_sizes(percentages, largest):
    """All n up to `largest` for which each percentage is k/n, rounded to two decimals."""
    def fits(n, printed):
        return any(f"{100 * k / n:.2f}" == f"{printed:.2f}" for k in (int(n * printed / 100), int(n * printed / 100) + 1))

    return [n for n in range(1, largest + 1) if all(fits(n, printed) for printed in percentages)]


def printed(rng):
    def one(n, largest):
        return [[round(100 * int(k) / n, 2) for k in sorted(rng.choice(range(1, n), 3, replace=False))], largest]

    sizes = [int(n) for n in rng.choice([7, 9, 11, 13, 14, 17, 19, 23], 4, replace=False)]
    large = int(rng.integers(101, 170))
    return {"small sets": [one(n, 60) for n in sizes], "large sets, or none that fits":
            [one(large, 2 * large + 5), [[44.44, 55.56, 12.34], 60], [[0.0, 100.0], 12], one(sizes[0], 80)]}


def each_alone(percentages, largest):
    return sorted({n for one in percentages for n in fitting_sizes([one], largest)})


TASKS = [
    Task("med_vbench_total", "09", "Which total follows from a row of the paper's table 2?", med_vbench_total, models, (
        Wrong("You divide by five, the number of terms; the paper's totals follow only when divided by six",
              lambda *row: med_vbench_total(*row) * 6 / 5),
        Wrong("The warping error is added as it is: less is better, so the term is 100 - WE",
              lambda iq, sc, bc, ms, we: (iq + sc + bc + ms + we) / 6),
        Wrong("The 100 is missing: the term is 100 - WE, not - WE", lambda iq, sc, bc, ms, we: (iq + sc + bc + ms - we) / 6),
        Wrong("Both: divided by five, and the warping error added as it is", lambda *row: sum(row) / 5),
        Wrong("The warping error is left out", lambda iq, sc, bc, ms, we: (iq + sc + bc + ms) / 6),
        Wrong("This is the mean of the four automatic scores: the warping error is left out, and the sum is divided by four",
              lambda iq, sc, bc, ms, we: (iq + sc + bc + ms) / 4),
        Wrong("This is the sum: divide it by six", lambda *row: med_vbench_total(*row) * 6))),
    Task("fitting_sizes", "09", "Which sizes of a test set can give all printed percentages?", fitting_sizes, printed, (
        Wrong("Only the smallest size is there; asked are all up to `largest`", lambda p, m: fitting_sizes(p, m)[:1]),
        Wrong("A size that fits one percentage is not enough: it must give *all* of them", each_alone),
        Wrong("The last size is missing: `largest` itself counts", lambda p, m: fitting_sizes(p, m - 1)),
        Wrong("Exact equality never holds for rounded numbers: compare after rounding to two decimals",
              lambda p, m: [n for n in range(1, m + 1) if all((x * n / 100) % 1 == 0 for x in p)]))),
]
