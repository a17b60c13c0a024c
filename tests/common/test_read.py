"""Files as people have them: every encoding with a mark is read, and whatever cannot be read is one line."""

import ast
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.common import read, yaml_reader
from bench.common.errors import BadInput
from tests.conftest import REPO

TEXT = "kind: größer 日本 🙂\n"
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-32")
READERS = {
    "text": (read.text_of, "one\ntwo"),
    "lines": (read.lines_of, "one\ntwo"),
    "JSON": (read.json_object, '{"a": 1}'),
    "JSON lines": (lambda file: list(read.json_lines(file)), '{"a": 1}\n{"a": 2}\n'),
    "YAML": (yaml_reader.yaml_value, "a: 1\n"),
}


def refusal(call, *args) -> str:
    """The message of the BadInput that a call raises: one line of bounded length."""
    with pytest.raises(BadInput) as caught:
        call(*args)
    text = str(caught.value)
    assert len(text.splitlines()) == 1
    assert len(text) < 1000
    return text


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("kind", READERS)
def test_every_reader_reads_every_encoding_that_says_which_it_is(tmp_path, kind, encoding):
    reader, text = READERS[kind]
    (tmp_path / "plain").write_bytes(text.encode())
    (tmp_path / "marked").write_bytes(text.encode(encoding))
    plain, marked = reader(tmp_path / "plain"), reader(tmp_path / "marked")
    assert repr(marked).replace("marked", "plain") == repr(plain)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_characters_survive(tmp_path, encoding):
    file = tmp_path / "x"
    file.write_bytes(TEXT.encode(encoding))
    assert read.text_of(file) == TEXT
    assert yaml_reader.yaml_value(file) == {"kind": "größer 日本 🙂"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("café".encode("latin-1"), "not UTF-8 text"),
        ("a: 1".encode("utf-16-le"), "holds zero bytes, as UTF-16 without a mark does); save it as UTF-8"),
        ("a: 1".encode("utf-16")[:-1], "not UTF-16 text"),
        (b"\xef\xbb\xbf\xff", "not UTF-8-SIG text"),
    ],
)
@pytest.mark.parametrize("kind", READERS)
def test_what_is_no_text_is_one_line(tmp_path, kind, content, said):
    file = tmp_path / "x"
    file.write_bytes(content)
    text = refusal(READERS[kind][0], file)
    assert text.startswith(f"{file}: not ")
    assert said in text


MANY_DIGITS = "9" * 5000
DEEP = 100_000


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a": ' + MANY_DIGITS + "}", "not valid JSON (Exceeds the limit"),
        ('{"a": ' + "[" * DEEP + "]" * DEEP + "}", "not valid JSON (nested too deeply"),
        ('{"a": 1', "not valid JSON (Expecting"),
        ("", "not valid JSON (Expecting"),
        ("[1]", "not a JSON object"),
    ],
    ids=["many digits", "deep", "cut", "empty", "a list"],
)
def test_json_that_cannot_be_read_is_one_line(tmp_path, text, said):
    file = tmp_path / "x.json"
    file.write_text(text)
    assert refusal(read.json_object, file).startswith(f"{file}: {said}")


@pytest.mark.parametrize(
    "bad", ['{"a": ' + MANY_DIGITS + "}", "[" * DEEP, "no JSON"], ids=["many digits", "deep", "no JSON"]
)
def test_a_bad_line_of_json_lines_is_named_with_what_should_stand_there(tmp_path, bad):
    file = tmp_path / "x.jsonl"
    file.write_text('{"a": 1}\n\n' + bad + "\n")
    text = refusal(lambda: list(read.json_lines(file, "a number")))
    assert text.startswith(f"{file}, line 3: not valid JSON (")
    assert text.endswith("; expected a number")


@pytest.mark.parametrize(
    "text",
    [
        f"a: {MANY_DIGITS}", "a: " + "[" * 5000, "- " * 5000, "a: 2024-13-45", "a: !!bool x", "a: !!timestamp x",
        "a: [", "? [1]\n: 2\n? [1]\n: 3", "\x07: 1", "a: *nowhere", "&a [*a, !!int x]",
    ],
    ids=lambda text: text[:20],
)  # fmt: skip
def test_yaml_that_cannot_be_read_is_one_line(tmp_path, text):
    file = tmp_path / "x.yaml"
    file.write_text(text)
    assert refusal(yaml_reader.yaml_value, file).startswith(f"{file}: not valid YAML: ")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a: 1\na: 2\n", "line 2: a is given twice (first in line 1)"),
        ("a: 1\nb: 2\n'a': 3\n", "line 3: a is given twice (first in line 1)"),
        ("a: 1\na: 1\n", "line 2: a is given twice (first in line 1)"),
        ("m:\n  b: 1\n  c: 2\n  b: 3\n", "line 4: b is given twice (first in line 2)"),
        ("m: {b: 1, b: 2}", "line 1: b is given twice (first in line 1)"),
        ("- {x: 1}\n- {x: 1,\n   x: 2}\n", "line 3: x is given twice (first in line 2)"),
        ("1: a\n0x1: b\n", "line 2: 0x1 is given twice (first in line 1)"),
        ("base: &b {x: 1}\nm:\n  <<: *b\n  y: 1\n  y: 2\n", "line 5: y is given twice (first in line 4)"),
    ],
)
def test_a_key_that_is_given_twice_is_refused_with_file_line_and_key(tmp_path, text, place):
    file = tmp_path / "x.yaml"
    file.write_text(text)
    assert refusal(yaml_reader.yaml_value, file) == f"{file}, {place}; keep one of them"


def test_what_a_merge_brings_in_may_be_overridden(tmp_path):
    file = tmp_path / "x.yaml"
    file.write_text("a: &a {x: 1, y: 1}\nb: &b\n  <<: *a\n  x: 2\nc: {<<: [*b, *a], y: 3}\n")
    assert yaml_reader.yaml_value(file)["c"] == {"x": 2, "y": 3}


@given(st.lists(st.sampled_from(["a", "b", "c", "d", "e"]), min_size=1, max_size=5))
def test_exactly_mappings_with_a_repeated_key_are_refused(tmp_path_factory, keys):
    file = tmp_path_factory.getbasetemp() / "keys.yaml"
    file.write_text("".join(f"{key}: {place}\n" for place, key in enumerate(keys)))
    if len(set(keys)) == len(keys):
        assert yaml_reader.yaml_value(file) == {key: place for place, key in enumerate(keys)}
    else:
        assert "is given twice" in refusal(yaml_reader.yaml_value, file)


@given(st.text(), st.sampled_from(ENCODINGS))
def test_json_survives_any_text(tmp_path_factory, text, encoding):
    file = tmp_path_factory.getbasetemp() / "any.json"
    file.write_bytes(json.dumps({"text": text}).encode(encoding))
    assert read.json_object(file) == {"text": text}


def test_yaml_is_read_in_one_place():
    readers = [
        file.relative_to(REPO).as_posix()
        for folder in ("bench", "paper")
        for file in (REPO / folder).rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Import) and any(alias.name == "yaml" for alias in node.names)
    ]
    assert readers == ["bench/common/yaml_reader.py"]
