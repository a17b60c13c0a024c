"""A tokenizer that does not parse, or whose chat template refuses, is one line that says so."""

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
    (POINTER, "is a git-lfs pointer"), ("{", "not valid JSON"), ("[]", "not a JSON object"), ("\0\0", "not valid JSON"),
])  # fmt: skip
def test_a_file_that_is_no_json_is_named(name, text, message, folder):
    (folder / name).write_text(text)
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
