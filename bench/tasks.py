"""What do the generated tasks look like? Prints one item of each task and level, with one of its right answers, and a
word problem of each depth.

    python -m bench.tasks

Answers to these tasks are checked by rule, so that their accuracy cannot be argued with. Tasks with one right answer
show what a model can do; tasks with many right answers show what a diffusion model loses when it writes several tokens
in one step, since those tokens must fit each other. In word problems each line of the working leans on the line before.
The rules are in bench/data/tasks.py and bench/data/problems.py.
"""

import itertools
import sys

from bench.common.cli import Parser
from bench.common.errors import exit_code
from bench.data import problems, tasks
from bench.data.tasks import LEVELS, TASKS


def main() -> int:
    Parser("bench.tasks", __doc__).parse_args()
    for item in itertools.islice(tasks.items(0, test=True), len(LEVELS) * len(TASKS)):
        print(f"{item.task:9} {item.level}  {item.prompt:45} {item.answer}")
    for problem in itertools.islice(problems.problems(0, test=True), len(problems.DEPTHS)):
        print(f"\n{problem.prompt}\n{problem.answer}")
    return 0


if __name__ == "__main__":
    sys.exit(exit_code(main))
