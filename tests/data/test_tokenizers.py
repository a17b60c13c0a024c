"""Tokenizers that cannot be used are one line, and the same prompt has the same ids on any day."""

import json
import shutil
from pathlib import Path

import pytest

from bench.common.errors import BadInput
from bench.data import tokenizers

POCKET = Path("bench/pocket/tokenizer")
TEXT = "What is it?"


@pytest.fixture
def folder(tmp_path) -> Path:
    """A copy of the shipped tokenizer."""
    return Path(shutil.copytree(POCKET, tmp_path / "tokenizer"))


def edit(file: Path, **values) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


def refusal(folder: Path) -> str:
    with pytest.raises(BadInput) as caught:
        tokenizers.encode(str(folder), TEXT)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


@pytest.mark.parametrize("name", ["tokenizer.json", "tokenizer_config.json"])
@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"[]", b"\xff\xfe{", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9085657\n",
        b'{"a": ' + b"9" * 5000 + b"}", b"[" * 100_000, "é".encode("latin-1"),
    ],
    ids=["empty", "cut", "a list", "UTF-16", "pointer", "many digits", "deep", "Latin-1"],
)  # fmt: skip
def test_a_file_that_is_no_json_object_is_named(folder, name, content):
    (folder / name).write_bytes(content)
    assert refusal(folder).startswith(f"{folder / name}: not ")


@pytest.mark.parametrize("name", ["tokenizer.json", "tokenizer_config.json"])
def test_a_byte_order_mark_which_the_library_does_not_take_is_one_line(folder, name):
    (folder / name).write_bytes(b"\xef\xbb\xbf" + (POCKET / name).read_bytes())
    text = refusal(folder)
    assert text.startswith(f"{folder}: its tokenizer cannot be loaded (Unexpected UTF-8 BOM")


@pytest.mark.parametrize(
    "values", [{"pre_tokenizer": {"type": "FutureSplit"}}, {"model": {"type": "BPE"}}, {"model": None}]
)
def test_a_tokenizer_of_another_version_is_one_line(folder, values):
    edit(folder / "tokenizer.json", **values)
    assert refusal(folder).startswith(f"{folder}: its tokenizer cannot be loaded (")


@pytest.mark.parametrize(
    "template",
    [
        "{{ raise_exception('a system message must come first') }}",
        "{% for m in messages %}{{ m.content }}",
        "{{ messages[1].content }}",
        "{{ 1 / 0 }}",
        [{"name": "tool_use", "template": "{{ messages }}"}],
    ],
)
def test_a_template_that_does_not_take_a_message_is_one_line(folder, template):
    edit(folder / "tokenizer_config.json", chat_template=template)
    assert str(folder) in refusal(folder)


def test_a_template_with_a_name_for_its_default_is_read(folder):
    template = json.loads((folder / "tokenizer_config.json").read_text())["chat_template"]
    edit(folder / "tokenizer_config.json", chat_template=[{"name": "default", "template": template}])
    assert tokenizers.encode(str(folder), TEXT) == tokenizers.encode(str(POCKET), TEXT)


def test_a_template_that_writes_the_date_gives_the_same_ids_on_any_day(folder):
    template = "{{ strftime_now('%d %b %Y') }} {% for m in messages %}{{ m.content }}{% endfor %}"
    edit(folder / "tokenizer_config.json", chat_template=template)
    tok = tokenizers.tokenizer(str(folder))
    assert tok.decode(tokenizers.encode(str(folder), TEXT)) == f"26 Jul 2024 {TEXT}"
