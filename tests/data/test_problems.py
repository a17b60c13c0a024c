"""Word problems: what follows from their sentences, what is held out, how long they are."""

import itertools
import re

import pytest

from bench.data import problems, tasks, tokenizers

TEST = list(itertools.islice(problems.problems(0, test=True), 300))
TRAIN = list(itertools.islice(problems.problems(1, test=False), 3000))
BY_HAND = "Problem: Mary has 12 apples. She buys 3 bags with 4 apples each. {more} How many apples does Mary have now?"


@pytest.mark.parametrize("made", [TEST, TRAIN], ids=["test", "train"])
def test_every_problem_answers_itself_and_every_depth_comes_equally_often(made):
    for problem in made:
        assert problems.is_problem(problem.prompt)
        assert not tasks.is_task(problem.prompt)
        assert problems.is_valid(problem.prompt, problem.answer)
        assert problems.depth_of(problem.prompt) == problem.depth == len(problem.answer.splitlines()) - 1
    depths = [problem.depth for problem in made]
    assert depths == [problems.DEPTHS[place % len(problems.DEPTHS)] for place in range(len(made))]


def test_each_line_of_a_working_is_true_and_takes_its_numbers_from_the_prompt_or_an_earlier_line():
    for problem in TRAIN:
        *lines, last = problem.answer.splitlines()
        stated = set(problem.numbers)
        for line in lines:
            first, sign, second, result = re.fullmatch(r"(\d+)([-+*/])(\d+)=(\d+)", line).groups()
            a, b, c = int(first), int(second), int(result)
            assert {"+": a + b, "-": a - b, "*": a * b, "/": a / b}[sign] == c
            assert 0 < c <= problems.LARGEST
            assert {a, b} <= stated  # in the prompt, or on an earlier line
            stated.add(c)
        assert last == f"Answer: {c}"


def test_training_and_test_share_neither_a_structure_nor_numbers():
    assert len({problem.prompt for problem in TEST}) == len(TEST)
    for part in ("structure", "numbers"):
        assert not {getattr(p, part) for p in TEST} & {getattr(p, part) for p in TRAIN}
    assert {place for p in TEST for place in p.structure} == set(range(len(problems.EVENTS)))  # each event is tested


@pytest.mark.parametrize(
    ("more", "solution", "depth"),
    [
        ("She gives 9 to Tom.", 15, 3), ("Tom takes 9 of them.", 15, 3), ("4 friends take 2 each.", 16, 4),
        ("She makes 2 equal parts and keeps one.", 12, 3), ("A week later she has 3 times as many.", 72, 3),
        ("2 friends share them all, and she is one of them.", 12, 3), ("Tom gives Mary 6. She sells 10 apples.", 20, 4),
    ],
)  # fmt: skip
def test_solutions_by_hand(more, solution, depth):
    prompt = BY_HAND.format(more=more)
    assert problems.solution(prompt) == solution
    assert problems.depth_of(prompt) == depth
    right = [f"Answer: {solution}", f"12+12=24\nAnswer:{solution} ", f"Answer: 1\nAnswer: {solution}"]
    wrong = [
        "",
        str(solution),
        "Answer:",
        f"Answer: {solution + 1}",
        f"Answer: {solution} apples",
        f"Answer: {solution}0",
    ]
    assert [problems.is_valid(prompt, answer) for answer in right] == [True] * len(right)
    assert [problems.is_valid(prompt, answer) for answer in wrong] == [False] * len(wrong)


@pytest.mark.parametrize("text", ["Mary is tall.", "She buys apples."])
def test_a_sentence_that_is_none_of_a_problem_is_named(text):
    with pytest.raises(ValueError, match=re.escape(f"{text!r} is no sentence of a problem")):
        problems.solution(BY_HAND.format(more=text))


def test_test_problems_fit_the_grid_and_the_training():
    directory = "bench/pocket/tokenizer"
    tok = tokenizers.tokenizer(directory)
    assert max(len(tok(p.answer, add_special_tokens=False)["input_ids"]) for p in TEST) < 96
    assert max(len(tokenizers.encode(directory, p.prompt)) for p in TEST) <= 96
