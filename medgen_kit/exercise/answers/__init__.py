"""The reference answers, one module a lesson. While a submission is graded, this folder is hidden from it."""

from . import (lesson_00, lesson_01, lesson_02, lesson_03, lesson_04, lesson_05, lesson_06, lesson_07, lesson_08, lesson_09)

TASKS = [task for lesson in (lesson_00, lesson_01, lesson_02, lesson_03, lesson_04, lesson_05, lesson_06, lesson_07, lesson_08, lesson_09)
         for task in lesson.TASKS]
