"""Exercises that check themselves, and the grader. `kit.check("name", answer)` is for learners, `medgen-kit grade` for teachers."""
