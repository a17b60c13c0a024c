"""Prompt sets: files, limits, storage, token ids, and that no held-out prompt is training text."""

import json
import shutil
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from bench.common import paths
from bench.data import prompts, sharegpt, tokenizers
from bench.data.prompt import Prompt
from bench.spec import pair as spec_pair
from bench.training import rows as training_rows
from tests.support.refusals import refusal

POCKET = "bench/pocket/tokenizer"
TOKENIZER = Tokenizer.from_file(f"{POCKET}/tokenizer.json")
BOTH = {"llama": partial(tokenizers.encode, POCKET), "llada": partial(tokenizers.encode, POCKET)}
ANSWER = "This is the answer that you get from me, and it is long enough to be kept: number {}."


@pytest.fixture
def lines(tmp_path):
    """Writes lines to a prompt file and returns it."""

    def write(*rows: str):
        file = tmp_path / "mine.jsonl"
        file.write_text("".join(row + "\n" for row in rows), encoding="utf-8")
        return file

    return write


@pytest.fixture
def questions(monkeypatch):
    """Puts (question, answer) pairs in place of the held-out ones."""
    return lambda *pairs: monkeypatch.setattr(prompts, "heldout_questions", lambda: list(pairs))


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    prompts.stored.cache_clear()
    yield tmp_path
    prompts.stored.cache_clear()


def test_file_gives_prompts_and_references_in_order(lines):
    file = lines(
        '{"prompt": "a", "reference": "b"}', "", '{"prompt": " é ", "x": 1}', '{"prompt":"d","reference":null}'
    )
    assert prompts.read_file(file) == [("a", "b"), (" é ", None), ("d", None)]


def test_line_separators_inside_a_prompt_are_text(lines):
    text = "one\u2028two\u0085three"
    assert prompts.read_file(lines(json.dumps({"prompt": text}, ensure_ascii=False))) == [(text, None)]


@pytest.mark.parametrize(
    "bad",
    [
        "no JSON",
        '{"prompt": "cut',
        '["prompt"]',
        '"prompt"',
        "5",
        "null",
        '{"reference": "r"}',
        '{"prompt": ""}',
        '{"prompt": " \\n"}',
        '{"prompt": null}',
        '{"prompt": 5}',
        '{"prompt": ["a"]}',
        '{"prompt": "a", "reference": 5}',
        '{"prompt": "a", "reference": ["b"]}',
    ],
)
def test_bad_line_is_named_by_number(lines, bad):
    file = lines('{"prompt": "good"}', "", bad, '{"prompt": "good"}')
    text = refusal(prompts.read_file, file)
    assert text.startswith(f"{file}, line 3: ")
    assert "prompt" in text
    assert "reference" in text


def test_file_that_is_not_utf8_is_refused(tmp_path):
    file = tmp_path / "latin.jsonl"
    file.write_bytes('{"prompt": "café"}\n'.encode("latin-1"))
    assert str(file) in refusal(prompts.read_file, file)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_file_as_an_editor_of_windows_saves_it_is_read(tmp_path, encoding):
    file = tmp_path / "mine.jsonl"
    file.write_bytes('{"prompt": "Größe?"}\r\n{"prompt": "b"}\r\n'.encode(encoding))
    assert prompts.read_file(file) == [("Größe?", None), ("b", None)]


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ('{"prompt": "a", "id": ' + "9" * 5000 + "}", "not valid JSON (Exceeds the limit"),
        ("[" * 100_000, "not valid JSON (nested too deeply"),
        ('{"prompt": "Smile \\ud83d please"}', "the prompt holds half of a character (a lone surrogate)"),
    ],
    ids=["many digits", "deep", "surrogate"],
)
def test_a_line_that_no_tokenizer_takes_is_named(lines, bad, said):
    file = lines('{"prompt": "good"}', bad)
    assert refusal(prompts.read_file, file).startswith(f"{file}, line 2: {said}")


def test_missing_file_is_named(tmp_path):
    text = refusal(prompts.select, str(tmp_path / "gone.jsonl"), 1, None, 0, BOTH)
    assert text.startswith(f"{tmp_path / 'gone.jsonl'}: prompt file not found")


@pytest.mark.parametrize("rows", [[], ["", "  "]])
def test_empty_file_is_refused(lines, rows):
    file = lines(*rows)
    assert refusal(prompts.select, str(file), 1, None, 0, BOTH).startswith(f"{file}: the prompt set is empty")


def test_own_file_is_taken_as_it_is_up_to_the_count(lines):
    file = lines(*(json.dumps({"prompt": f"word {i} " * 50, "reference": "short"}) for i in range(3)))
    chosen = prompts.select(str(file), 2, 1, 10_000, BOTH)
    assert [prompt.text for prompt in chosen] == ["word 0 " * 50, "word 1 " * 50]
    assert len(prompts.select(str(file), 8, 1, 10_000, BOTH)) == 3


def test_prompts_longer_than_the_limit_are_left_out(questions):
    long, short = "What is the answer to this question of mine?", "Why?"
    questions((long, "r"), (short, "r"))
    tokens = len(tokenizers.encode(POCKET, long))
    assert [p.text for p in prompts.select("sharegpt", 1, tokens, 0, BOTH)] == [long]
    assert [p.text for p in prompts.select("sharegpt", 1, tokens - 1, 0, BOTH)] == [short]
    assert [p.text for p in prompts.select("sharegpt", 2, None, 0, BOTH)] == [long, short]


def test_a_prompt_must_fit_both_models(questions):
    questions(("four", "r"), ("by", "r"))
    uneven = {"llama": lambda text: [0], "llada": lambda text: [0] * len(text)}
    assert [p.text for p in prompts.select("sharegpt", 1, 3, 0, uneven)] == ["by"]
    assert [p.text for p in prompts.select("sharegpt", 1, 4, 0, uneven)] == ["four"]


def test_short_references_are_left_out(questions):
    questions(("a", "four"), ("b", "fives"), ("c", "sixsix"))
    assert [p.text for p in prompts.select("sharegpt", 2, None, 5, BOTH)] == ["b", "c"]


def test_too_few_heldout_prompts_are_refused_with_their_number(questions):
    questions(("a", "r"), ("b", "r"), ("c", ""))
    assert "set PROMPTS=2 or less" in refusal(prompts.select, "sharegpt", 3, None, 1, BOTH)
    assert "the prompt set is empty" in refusal(prompts.select, "sharegpt", 1, None, 99, BOTH)


def test_prompts_carry_the_ids_of_each_model(questions):
    questions(("Why?", "r"))
    [prompt] = prompts.select("sharegpt", 1, None, 0, BOTH)
    ids = tokenizers.encode(POCKET, "Why?")
    assert prompt == Prompt("Why?", "r", {"llama": ids, "llada": ids})


def test_kept_prompts_come_back(store):
    kept = (Prompt("a é\u2028", None, {"llama": [1, 2], "llada": []}), Prompt("", "r", {"llama": [3], "llada": [4]}))
    name = prompts.keep(kept)
    assert [file.name for file in (store / "prompts").iterdir()] == [f"{name}.json"]
    assert prompts.stored(name) == kept
    assert prompts.keep(kept) == name


def test_hash_names_texts_references_and_their_order(store):
    sets = ["ab"], ["ba"], ["ab", "cd"], ["cd", "ab"]
    names = {prompts.keep(tuple(Prompt(t, None, {}) for t in texts)) for texts in sets}
    names |= {prompts.keep((Prompt("ab", reference, {}),)) for reference in ("", "r")}
    assert len(names) == 6


def test_set_that_is_gone_is_empty(store):
    assert prompts.stored("0" * 12) == ()


def conversation(id_: str, *turns: tuple[str, str]) -> dict:
    said = [{"from": who, "value": text} for pair in turns for who, text in zip(("human", "gpt"), pair, strict=True)]
    return {"id": id_, "conversations": said}


def test_questions_are_first_turns_of_heldout_conversations(tmp_path, monkeypatch):
    names = [f"c{i}" for i in range(200)]
    items = [
        conversation(
            f"{name}_{part}",
            (f"What is it that you have, {name} part {part}?", ANSWER.format(f"{name} {part}")),
            (f"And what is it then, {name} part {part}?", ANSWER.format(f"{name} {part} again")),
        )
        for name in names
        for part in (0, 1)
    ]
    wanted = {f"What is it that you have, {name} part 0?" for name in names if sharegpt.is_test(f"{name}_0")}
    of_both_orders = []
    for number, order in enumerate((items, items[::-1])):
        monkeypatch.setattr(prompts, "CACHE", tmp_path / str(number))
        monkeypatch.setattr(sharegpt, "stream_conversations", lambda order=order: iter(order))
        of_both_orders.append(prompts.heldout_questions())
        assert prompts.heldout_questions() == of_both_orders[-1]  # from its cache
    assert {question for question, _ in of_both_orders[0]} == wanted
    assert len(of_both_orders[0]) == len(wanted) > 0
    assert of_both_orders[0] == of_both_orders[1]


def test_heldout_prompts_are_never_training_text(tmp_path, monkeypatch):
    monkeypatch.setattr(prompts, "CACHE", tmp_path)
    conversations = list(sharegpt.stream_conversations())  # unpacked once, read twice
    monkeypatch.setattr(sharegpt, "stream_conversations", lambda: iter(conversations))
    training = [turn for turn in sharegpt.load_turns()[0] if not sharegpt.is_test(turn.conversation)]
    asked = {sharegpt.fingerprint(turn.prompt) for turn in training}
    answered = {sharegpt.fingerprint(turn.answer) for turn in training}
    questions = prompts.heldout_questions()
    assert len(questions) > 100
    assert [question for question, _ in questions if sharegpt.fingerprint(question) in asked] == []
    assert [answer for _, answer in questions if sharegpt.fingerprint(answer) in answered] == []
    limit = spec_pair.read_pair("pocket").prompts.max_prompt_tokens
    fitting = [question for question, _ in questions if len(tokenizers.encode(POCKET, question)) <= limit]
    assert len(fitting) > 100
    assert [question for question in fitting if sharegpt.fingerprint(question) in answered] == []


@settings(deadline=None)
@given(
    st.text() | st.sampled_from(["  two  spaces ", "\nline\n", "<|user|>x<|endoftext|>", "{{ bos_token }}", "é日本🙂"])
)
def test_prompt_ids_are_those_of_training(text):
    assert tokenizers.encode(POCKET, text) == training_rows.chat_ids(TOKENIZER, text)


def test_model_without_template_is_given_plain_text(tmp_path):
    shutil.copy(f"{POCKET}/tokenizer.json", tmp_path)
    (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "PreTrainedTokenizerFast"}')
    plain = TOKENIZER.encode("What is it?").ids
    assert tokenizers.encode(str(tmp_path), "What is it?") == plain


def test_template_is_asked_to_begin_the_answer(tmp_path):
    shutil.copy(f"{POCKET}/tokenizer.json", tmp_path)
    template = (
        "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}{% if add_generation_prompt %}[me]{% endif %}"
    )
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "chat_template": template}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    assert TOKENIZER.decode(tokenizers.encode(str(tmp_path), "What is it?")) == "[user]What is it?[me]"


def test_missing_tokenizer_is_named(tmp_path):
    text = refusal(tokenizers.encode, str(tmp_path / "gone"), "What?")
    assert text.startswith(f"{tmp_path / 'gone'}: no tokenizer there")


@settings(deadline=None)
@given(st.integers(0, 40))
def test_cut_is_the_start_of_the_text(tokens):
    text = "Hello , world .  It 's a test\n\nof whole words ; nothing is tidied ."
    count = len(TOKENIZER.encode(text).ids)
    part = tokenizers.cut(POCKET, text, tokens)
    assert text.startswith(part)
    assert (part == text) == (tokens >= count)
    assert (part == "") == (tokens == 0)


def test_cut_counts_tokens_and_strips_the_ends():
    ids = TOKENIZER.encode("the answer that you get").ids
    assert tokenizers.cut(POCKET, "the answer that you get", 2) == TOKENIZER.decode(ids[:2])
    assert tokenizers.cut(POCKET, "  the answer \n", 99) == "the answer"


EIGHT_B = spec_pair.read_pair("8b-shapes")
SHAPES = {"llama": EIGHT_B.llama.encode, "llada": EIGHT_B.llada.encode}


@pytest.mark.parametrize("encoders", [BOTH, SHAPES], ids=["pocket", "8b-shapes"])
@pytest.mark.parametrize("tokens", [4, 64, 2048])
def test_exact_prompts_have_as_many_tokens_as_asked_for_each_model(encoders, tokens):
    cut_prompts = prompts.exact("sharegpt", 3, tokens, encoders)
    assert [{model: len(ids) for model, ids in p.ids.items()} for p in cut_prompts] == [
        {"llama": tokens, "llada": tokens}
    ] * 3
    assert all(p.reference is None for p in cut_prompts)
    assert cut_prompts == prompts.exact("sharegpt", 5, tokens, encoders)[:3]


def test_exact_prompts_go_on_in_the_source_and_then_round_it(lines):
    file = lines('{"prompt": "one two three"}', '{"prompt": "four five six seven"}')
    cut_prompts = prompts.exact(str(file), 2, 12, BOTH)
    assert [prompt.text for prompt in cut_prompts] == [
        "one two three four five six seven one two three ",
        "four five six seven one two three four five six seven ",
    ]


def test_exact_prompts_keep_the_chat_form(lines):
    file = lines('{"prompt": "one two three four five six seven"}')
    whole = tokenizers.encode(POCKET, "one two three four five six seven one two")
    [prompt] = prompts.exact(str(file), 1, 6, BOTH)
    assert prompt.ids["llada"] == [*whole[:5], *whole[-1:]]
    assert prompts.chat_ending(BOTH["llama"]) == whole[-1:]
    assert prompts.chat_ending(SHAPES["llama"]) == []


def test_exact_prompts_cannot_be_shorter_than_the_chat_form(lines):
    file = lines('{"prompt": "one two three"}')
    assert refusal(prompts.exact, str(file), 1, 3, BOTH).startswith("prompt_tokens 3: ")


def test_the_hash_of_cut_prompts_follows_their_ids(store, lines):
    file = lines('{"prompt": "one two three four five six seven"}')
    five, six = (prompts.exact(str(file), 1, tokens, BOTH) for tokens in (5, 6))
    same_text = tuple(Prompt(five[0].text, None, p.ids) for p in (*five, *six))
    assert prompts.keep(same_text[:1], with_ids=True) != prompts.keep(same_text[1:], with_ids=True)
    assert prompts.keep(same_text[:1]) == prompts.keep(same_text[1:])


def test_a_file_without_prompts_cannot_be_cut_to_length(tmp_path):
    (tmp_path / "none.jsonl").write_text("\n")
    assert "holds no prompts" in refusal(prompts.exact, str(tmp_path / "none.jsonl"), 1, 6, BOTH)
