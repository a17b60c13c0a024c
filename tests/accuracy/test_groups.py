"""A group of lm-eval's is refused by naming its tasks; what a group's file may look like."""

import json

import pytest

from bench.accuracy import harness
from bench.accuracy.harness import Index
from bench.common.errors import BadInput
from tests.accuracy.conftest import NEEDS_LM_EVAL

INDEX = Index(
    tasks={name: f"{name}.yaml" for name in "abcdefgh"},
    groups={"all": ["half", "b", "c", "half", "all"], "half": ["a", "tag"], "tag": list("defgh")},
)


def test_the_tasks_of_a_group_are_those_of_the_groups_in_it():
    assert INDEX.tasks_of("half") == ["a", *"defgh"]
    assert INDEX.tasks_of("all") == ["a", *"defgh", "b", "c"]


def test_a_group_is_refused_in_one_line_that_says_what_to_name():
    with pytest.raises(BadInput) as error:
        harness.find("all", INDEX, "recipes/mine.yaml")
    assert str(error.value) == (
        "recipes/mine.yaml: all is a group of 8 tasks of lm-eval, and a recipe asks one task; write a recipe for each"
        " that you want: a, d, e, f, g, h and 2 others"
    )
    assert str(harness.find("a", INDEX, "recipes/mine.yaml")) == "a.yaml"


@pytest.mark.parametrize(
    ("stated", "names"),
    [
        ({"group": "g", "task": ["a", "b"]}, ["a", "b"]),
        ({"group": "g", "task": "a"}, ["a"]),
        ({"group": "g", "task": [{"task": "a", "num_fewshot": 2}, {"group": "h"}]}, ["a", "h"]),
        ({"group": "g", "task": [{"group": "h", "task": ["b", {"task": "c"}]}, "a"]}, ["b", "c", "a"]),
        ({"group": "g", "task": [{"dataset_path": "x"}]}, []),
    ],
)
def test_the_names_in_a_groups_file(stated, names):
    assert harness.names_in(stated) == names


@pytest.mark.parametrize("group", ["both", "tagged"])
def test_a_users_group_is_refused_by_naming_its_tasks(group, tmp_path):
    pytest.importorskip("lm_eval", reason=NEEDS_LM_EVAL)
    from tests.accuracy import local_tasks

    local_tasks.write_all(tmp_path)
    for name in ("words", "choices"):
        file = tmp_path / f"{name}.yaml"
        file.write_text(json.dumps(json.loads(file.read_text()) | {"tag": "tagged"}))
    (tmp_path / "both.yaml").write_text(json.dumps({"group": "both", "task": ["words", {"task": "choices"}]}))
    with pytest.raises(BadInput, match=f"{group} is a group of 2 tasks .*: (words, choices|choices, words)$"):
        harness.find(group, harness.listed(tmp_path), "here")


@pytest.mark.parametrize("name", ["mmlu", "ai2_arc"])
def test_lm_evals_own_groups_are_known(name, in_the_repository):
    pytest.importorskip("lm_eval", reason=NEEDS_LM_EVAL)
    harness.check_installed()
    with pytest.raises(BadInput, match=f"{name} is a group of (57|2) tasks .*(mmlu_abstract_algebra|arc_challenge)"):
        harness.find(name, harness.read_index(None), "here")


@pytest.fixture
def in_the_repository(monkeypatch):
    from tests.conftest import REPO

    monkeypatch.chdir(REPO)  # where the list of lm-eval's tasks is kept
