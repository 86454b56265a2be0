"""Random fillings of the bundled forms: a run has what is shown, or each wrong field is named."""

from __future__ import annotations

import random
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from services.errors import Invalid
from services.models import RunFilter
from services.params import validation
from services.params.schema import flatten, is_file, is_sheet
from services.settings import HERE
from ui.forms import numbers
from ui.forms.widgets import kind_of

SEED = 15
BUNDLED = ("amplicon-variants", "ms-report", "reads-qc", "sequence-search")
FILE_ID = "0" * 24
MAX_CHANGED_FIELDS = 4  # of one filling; more would hardly ever be valid together
WRONG_NUMBERS = ("", "x", "1e999", "0,5", "--1", "1 000")
TEXTS = ("", "ACGT", "acgtn", "XYZ!", "A" * 120, "A" * 121, "A" * 200, "A" * 201, "Żółw", " ACG")

pytestmark = [
    pytest.mark.usefixtures("services"),
    pytest.mark.parametrize("workflow", BUNDLED),
]


class Filling:
    """Fills the form of one session again and again with random values."""

    def __init__(self, session: AppTest, workflow: Any, files: dict[str, str]) -> None:
        self.session, self.schema = session, workflow.params_schema
        self.fields = flatten(self.schema)["properties"]
        self.labels = {name: field["title"] for name, field in self.fields.items()}
        self.example, self.files = workflow.example.params, files
        self.random = random.Random(f"{SEED} {workflow.name}")

    def fill(self) -> tuple[dict[str, Any], set[str]]:
        """Fill in every field; return the values shown, and the fields that are empty or no number.

        Some fields get random values, the others their defaults.
        """
        count = self.random.randint(1, MAX_CHANGED_FIELDS)
        changed = self.random.sample(sorted(self.fields), count)
        shown, wrong = {}, set()
        for name, field in self.fields.items():
            if is_sheet(field):
                shown[name] = FILE_ID  # its rows stay as they are
                continue
            value = self._fill(name, field, name in changed)
            if value is not None:
                shown[name] = value
            elif "default" in field:
                wrong.add(name)
        return shown, wrong

    def _fill(self, name: str, field: dict[str, Any], changed: bool) -> Any:
        key, kind, items = f"field-{name}", kind_of(field), field.get("items") or {}
        value = field.get("default")
        if is_file(field):
            value = self.files.get(self.example[name])
            value = self.random.choice([None, value]) if changed else value
            self.session.selectbox(key=key).set_value(value)
        elif is_file(items):
            ids = [self.files[file] for file in self.example[name]]
            value = self.random.sample(ids, self.random.randint(0, len(ids))) if changed else ids
            self.session.multiselect(key=key).set_value(value)
            value = value or None
        elif "enum" in field:
            value = self.random.choice(field["enum"]) if changed else value
            self.session.selectbox(key=key).set_value(value)
        elif kind == "boolean":
            value = self.random.random() < 0.5 if changed else value
            self.session.toggle(key=key).set_value(value)
        elif kind in ("integer", "number"):
            text = self._number(field) if changed else numbers.as_text(value)
            self.session.text_input(key=key).set_value(text)
            value = numbers.parse(text, kind)
        elif kind == "array":
            value = (
                self.random.sample(items["enum"], self.random.randint(0, 8)) if changed else value
            )
            self.session.multiselect(key=key).set_value(value)
        else:
            value = self.random.choice(TEXTS) if changed else value
            self.session.text_input(key=key).set_value(value)
        return value

    def _number(self, field: dict[str, Any]) -> str:
        """Return a number within the limits, at or beyond one of them, or no number."""
        low = field.get("minimum", field.get("exclusiveMinimum"))
        high = field.get("maximum", 10_000_000)
        whole = kind_of(field) == "integer"
        inside = self.random.randint(low, high) if whole else self.random.uniform(low, high)
        beyond = 1 if whole else 1e-6
        (value,) = self.random.choices(
            [inside, low, high, low - beyond, high + beyond, None], weights=[10, 4, 4, 1, 1, 1]
        )
        return self.random.choice(WRONG_NUMBERS) if value is None else numbers.as_text(value)


def wrong_fields(schema: dict[str, Any], shown: dict[str, Any]) -> set[str]:
    """Return the fields whose values do not fit the schema."""
    try:
        validation.check(schema, shown)
    except Invalid as error:
        return {problem.field.split(".")[1] for problem in error.problems}
    return set()


@pytest.fixture
def filling(portal, services, actor, workflow) -> Filling:
    """The form, with the files of the example uploaded and its rows in the sheet."""
    known = services.workflows.get(actor, workflow)
    files = {}
    for path in sorted((HERE / "workflows" / workflow / "example").iterdir()):
        with path.open("rb") as stream:
            file = services.files.register(actor, path.name, stream)
        files[f"example/{path.name}"] = file.id
    session = portal("new", workflow=workflow)
    if isinstance(rows := known.example.params.get("samples"), list):
        names = sorted({name for row in rows for name in row})
        lines = [[row.get(name, "").removeprefix("example/") for name in names] for row in rows]
        text = "\n".join("\t".join(line) for line in [names, *lines])
        session.text_area(key="field-samples-paste").set_value(text)
        session.button(key="field-samples-use").click().run()
    return Filling(session, known, files)


def check(filling: Filling, services, actor, count: int) -> None:
    """Press Start with `count` random fillings."""
    session, outcomes = filling.session, set()
    for number in range(count):
        shown, wrong = filling.fill()
        wrong |= wrong_fields(filling.schema, shown)
        session.text_input(key="run-name").set_value(f"Filling {number}")
        session.button(key="start").click().run()
        assert not session.exception
        runs = services.runs.list(actor, RunFilter()).items
        outcomes.add(bool(wrong))
        if wrong:
            assert runs == [], (number, shown, wrong)
            named = session.error[0].value.replace("\\", "").partition(": ")[2].rstrip(".")
            labels = sorted(filling.labels[name] for name in wrong)
            assert all(label in named for label in labels), (number, named, labels)
            assert len(named) == len(", ".join(labels)), (number, named, labels)
            continue
        (run,) = runs
        sheet = {"samples": run.params["samples"]} if "samples" in shown else {}
        assert run.params == validation.check(filling.schema, shown) | sheet, number
        services.runs.cancel(actor, run.id)
        services.runs.delete(actor, run.id)
        session.query_params.clear()
        session.query_params["workflow"] = run.workflow
        session._page_hash = calc_hash("new")
        session.run()
    assert outcomes == {True, False}  # some fillings are valid and some are not


def test_random_filling_starts_what_is_shown_or_names_each_wrong_field(filling, services, actor):
    check(filling, services, actor, 10)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_many_random_fillings_start_what_is_shown_or_name_each_wrong_field(
    filling, services, actor
):
    check(filling, services, actor, 250)
