"""Edits, and the way back."""

import pytest

from remediator.traffic.patch import ABSENT, Edit, Patch, apply, pointer


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        pytest.param((), "", id="the whole document"),
        pytest.param(("spec", "http", 0), "/spec/http/0", id="members and elements"),
        pytest.param(("a/b~c",), "/a~1b~0c", id="what must be escaped"),
    ],
)
def test_pointer(path: tuple[str | int, ...], expected: str) -> None:
    assert expected == pointer(path)


@pytest.mark.parametrize(
    ("edit", "after"),
    [
        pytest.param(Edit(("a",), 1, 2), {"a": 2, "list": ["x", "y"]}, id="replace a member"),
        pytest.param(Edit(("b",), ABSENT, 2), {"a": 1, "list": ["x", "y"], "b": 2}, id="add a member"),
        pytest.param(Edit(("a",), 1, ABSENT), {"list": ["x", "y"]}, id="remove a member"),
        pytest.param(Edit(("list", 0), "x", ABSENT), {"a": 1, "list": ["y"]}, id="remove an element"),
        pytest.param(Edit(("list", 1), ABSENT, "z"), {"a": 1, "list": ["x", "z", "y"]}, id="insert an element"),
    ],
)
def test_an_edit_and_its_inverse(edit: Edit, after: dict[str, object]) -> None:
    before = {"a": 1, "list": ["x", "y"]}
    assert after == apply(before, [edit])
    assert before == apply(after, [edit.inverse])


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(Edit(("a",), 7, 8), id="another value stands there"),
        pytest.param(Edit(("a",), ABSENT, 8), id="something stands there"),
        pytest.param(Edit(("b",), 7, ABSENT), id="nothing stands there"),
        pytest.param(Edit(("list", 5), "x", ABSENT), id="the list is shorter"),
        pytest.param(Edit(("no", "where"), 1, 2), id="the path leads nowhere"),
    ],
)
def test_an_edit_that_does_not_fit_is_refused(edit: Edit) -> None:
    with pytest.raises(LookupError):
        apply({"a": 1, "list": ["x", "y"]}, [edit])


def test_a_value_of_null_is_something() -> None:
    assert {"op": "replace", "path": "/a", "value": 1} == Edit(("a",), None, 1).operation


def test_undo_goes_backwards() -> None:
    patch = Patch("u", "1", (), (Edit(("list", 2), "z", ABSENT), Edit(("list", 0), "x", ABSENT)))
    before = {"list": ["x", "y", "z"]}
    assert before == apply(patch.applied(before), patch.undo)
