"""Generated tasks: what is valid by rule, what is held out, levels and tokens."""

import itertools

import pytest

from bench.data import tasks, tokenizers

TEST = list(itertools.islice(tasks.items(0, test=True), 300))
TRAIN = list(itertools.islice(tasks.items(1, test=False), 3000))


@pytest.mark.parametrize("items", [TEST, TRAIN], ids=["test", "train"])
def test_every_item_answers_itself_and_every_task_and_level_comes_equally_often(items):
    assert all(tasks.is_valid(item.prompt, item.answer) for item in items)
    assert all(tasks.task_of(item.prompt) == item.task for item in items)
    counts = {(task, level): 0 for task in tasks.TASKS for level in tasks.LEVELS}
    for item in items:
        counts[item.task, item.level] += 1
    assert len(set(counts.values())) == 1


def test_the_place_of_a_test_item_tells_its_task():
    assert [tasks.task_at(index) for index in range(len(TEST))] == [item.task for item in TEST]


def words(item: tasks.Item) -> str:
    return item.prompt if item.task == "brackets" else " ".join(sorted(item.prompt.split()))


def test_no_test_item_is_trained_on_in_any_order_of_its_words():
    assert len({item.prompt for item in TEST}) == len(TEST)
    assert not {words(item) for item in TEST} & {words(item) for item in TRAIN}


@pytest.mark.parametrize(
    ("prompt", "right", "wrong"),
    [
        ("Copy: a b c", ["a b c", " a  b c "], ["a b", "a b d", "a b c c", ""]),
        ("Reverse: a b c", ["c b a"], ["a b c", "c b"]),
        ("Sort: c a b", ["a b c"], ["c a b", "a b", "a b b"]),
        ("Lookup b a: a3 b0 c7", ["b0 a3"], ["a3 b0", "b0", "b0 c7", "b1 a3"]),
        ("Add: 95 + 17", ["112"], ["111", "1 1 2", "", "112 112"]),
        ("Shuffle: a b c", ["b a c", "c b a"], ["a b c", "a a c", "b a", "b a c c"]),
        ("Pick 2: a b c", ["c a", "a b"], ["a", "a a", "a d", "a b c"]),
        (
            "Split 3: 30",
            ["10 + 5 + 15", "1 + 1 + 28"],
            ["10 + 20", "10 + 5 + 16", "30 + 0 + 0", "10 5 15", "+", "", "1" * 5000 + " + 1 + 1"],
        ),
        ("Brackets 6: ( (", [") ) ( )", "( ) ) )"], [") ) ) (", "( ) )", ") ( ) ) ( )", "a ) ) )", ""]),
        (
            "Latin: a b c",
            ["a b c / b c a / c a b"],
            ["a b c / b c a", "a b c / a b c / a b c", "a b c b c a c a b", ""],
        ),
    ],
)
def test_answers_by_hand(prompt, right, wrong):
    assert [tasks.is_valid(prompt, answer) for answer in right] == [True] * len(right)
    assert [tasks.is_valid(prompt, answer) for answer in wrong] == [False] * len(wrong)


def test_what_is_no_task_is_said_so():
    with pytest.raises(ValueError, match="is not a prompt of copy"):
        tasks.task_of("What is a business plan?")


def test_one_kind_has_one_right_answer_and_the_other_many():
    def valid_answers(task: str) -> int:
        """How many of all test answers to the task are valid for its first test prompt."""
        items = [item for item in TRAIN if item.task == task and item.level == 1]
        first = items[0]
        given = {item.answer for item in items} | {first.answer, " ".join(reversed(first.answer.split()))}
        return sum(tasks.is_valid(first.prompt, answer) for answer in given)

    assert [valid_answers(t) for t in ("copy", "reverse", "sort", "add")] == [1, 1, 1, 1]
    assert valid_answers("shuffle") >= 2


def test_a_letter_and_a_digit_are_one_token_each():
    tok = tokenizers.tokenizer("bench/pocket/tokenizer")
    assert all(len(tok(f" {letter}", add_special_tokens=False)["input_ids"]) == 1 for letter in tasks.LETTERS)
    assert len(tok("123", add_special_tokens=False)["input_ids"]) == 3


def test_every_test_item_fits_the_grid_and_the_training():
    tok = tokenizers.tokenizer("bench/pocket/tokenizer")
    assert max(len(tok(item.answer, add_special_tokens=False)["input_ids"]) for item in TEST) < 32
    assert max(len(tokenizers.encode("bench/pocket/tokenizer", item.prompt)) for item in TEST) <= 28
