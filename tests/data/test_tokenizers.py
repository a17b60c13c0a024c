"""Tokenizers that cannot be used are one line, and the same prompt has the same ids on any day."""

import json
import shutil

import pytest

from bench.common.errors import BadInput
from bench.data import tokenizers
from tests.conftest import REPO

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 9085657\n"


@pytest.fixture
def folder(tmp_path):
    """A copy of the pocket pair's tokenizer."""
    shutil.copytree(REPO / "bench/pocket/tokenizer", tmp_path / "model")
    return tmp_path / "model"


def edit(file, **values) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


def refusal(folder, text: str = "Why is\nthis?") -> str:
    with pytest.raises(BadInput) as caught:
        tokenizers.encode(str(folder), text)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


@pytest.mark.parametrize("name", ["tokenizer.json", "tokenizer_config.json"])
@pytest.mark.parametrize(("text", "message"), [
    (POINTER.encode(), "is a git-lfs pointer"), (b"{", "not valid JSON"), (b"[]", "not a JSON object"),
    (b"\0\0", "not text"), (b"", "not valid JSON"), (b"\xff\xfe{", "not UTF-16 text"),
    (b'{"a": ' + b"9" * 5000 + b"}", "not valid JSON"), (b"[" * 100_000, "not valid JSON"),
    ("é".encode("latin-1"), "not UTF-8 text"),
], ids=["pointer", "cut", "a list", "zeros", "empty", "UTF-16", "many digits", "deep", "Latin-1"])  # fmt: skip
def test_a_file_that_is_no_json_is_named(name, text, message, folder):
    (folder / name).write_bytes(text)
    assert refusal(folder).startswith(f"{folder / name}: {message}")


@pytest.mark.parametrize("changes", [
    {"pre_tokenizer": {"type": "FutureSplit"}}, {"model": {"type": "FutureModel"}}, {"added_tokens": 5},
    {"model": None},
], ids=str)  # fmt: skip
def test_a_part_that_the_library_does_not_know_is_one_line(changes, folder):
    edit(folder / "tokenizer.json", **changes)
    assert refusal(folder).startswith(f"{folder / 'tokenizer.json'}: the tokenizers library here does not read it (")


@pytest.mark.parametrize(("template", "message"), [
    ("{{ raise_exception('a system message must come first') }}", "a system message must come first"),
    ("{% for m in messages %}", "for"),
    ("{{ messages[5].content }}", "list object has no element 5"),
    ("{{ tools | tojson | nosuchfilter }}", "nosuchfilter"),
])  # fmt: skip
def test_a_chat_template_that_refuses_is_one_line(template, message, folder):
    edit(folder / "tokenizer_config.json", chat_template=template)
    text = refusal(folder)
    assert text.startswith(f"{folder}: its chat template refuses the message 'Why is this?' (")
    assert message in text


def test_a_list_of_templates_needs_a_default_one(folder):
    template = json.loads((folder / "tokenizer_config.json").read_text())["chat_template"]
    expected = tokenizers.encode(str(REPO / "bench/pocket/tokenizer"), "Why?")
    edit(folder / "tokenizer_config.json", chat_template=[{"name": "tool_use", "template": template}])
    assert "its chat template refuses the message" in refusal(folder)
    tokenizers.tokenizer.cache_clear()
    edit(folder / "tokenizer_config.json", chat_template=[{"name": "default", "template": template}])
    assert tokenizers.encode(str(folder), "Why?") == expected


def test_a_message_without_a_token_is_refused(folder):
    edit(folder / "tokenizer_config.json", chat_template="{# nothing #}")
    assert refusal(folder) == f"{folder}: its tokenizer gives no token for the message 'Why is this?'"


def test_no_tokenizer_says_what_to_do(tmp_path):
    assert "tokenizer.json is missing); save it once" in refusal(tmp_path)


@pytest.mark.parametrize("name", ["tokenizer.json", "tokenizer_config.json"])
def test_a_byte_order_mark_which_the_library_does_not_take_is_one_line(folder, name):
    (folder / name).write_bytes(b"\xef\xbb\xbf" + (REPO / "bench/pocket/tokenizer" / name).read_bytes())
    text = refusal(folder)
    assert text.startswith(str(folder))
    assert "BOM" in text


def test_a_template_that_writes_the_date_gives_the_same_ids_on_any_day(folder):
    template = "{{ strftime_now('%d %b %Y') }} {% for m in messages %}{{ m.content }}{% endfor %}"
    edit(folder / "tokenizer_config.json", chat_template=template)
    tok = tokenizers.tokenizer(str(folder))
    assert tok.decode(tokenizers.encode(str(folder), "What is it?")) == "26 Jul 2024 What is it?"
