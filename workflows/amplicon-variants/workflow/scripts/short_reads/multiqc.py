"""Sections of our own in a MultiQC report, and the report made fit for a sandboxed frame."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from importlib.metadata import PackageNotFoundError, version
from typing import Any

# A page in a frame without an origin has neither local storage nor cookies: reading them raises,
# and MultiQC's scripts stop where they do. These stand in for them as long as the page is open.
# Its welcome, which leads to a film elsewhere, is not for the readers of a report.
STAND_INS = """<style>#mqc_welcome { display: none !important; }</style>
<script>
(function () {
  function memory(kept) {
    return {
      getItem: function (key) { return key in kept ? kept[key] : null; },
      setItem: function (key, value) { kept[key] = String(value); },
      removeItem: function (key) { delete kept[key]; },
      clear: function () { kept = {}; },
      key: function (index) { return Object.keys(kept)[index] || null; },
      get length() { return Object.keys(kept).length; }
    };
  }
  ["localStorage", "sessionStorage"].forEach(function (name) {
    try { window[name].length; } catch (refused) {
      Object.defineProperty(window, name, { value: memory({ mqc_hide_welcome: "true" }) });
    }
  });
  try { document.cookie; } catch (refused) {
    var cookie = "";
    Object.defineProperty(document, "cookie", {
      get: function () { return cookie; },
      set: function (value) { cookie = String(value).split(";")[0]; }
    });
  }
})();
</script>
"""


@dataclass(frozen=True, slots=True)
class Tool:
    """What took part: its Python package, what it did, where it is described."""

    package: str
    role: str
    citation: str
    doi: str
    number: str = ""  # its version, where the package does not tell it

    @property
    def version(self) -> str:
        try:
            return self.number or version(self.package)
        except PackageNotFoundError:
            return "of unknown version"


def with_version(tools: Sequence[Tool], package: str, number: str) -> list[Tool]:
    """The same tools, with the version of one that is not installed where a script runs."""
    return [replace(tool, number=number) if tool.package == package else tool for tool in tools]


def framed(page: str) -> str:
    """A MultiQC report that works in a frame without an origin."""
    head, mark, rest = page.partition("<head>")
    if not mark:
        raise ValueError("This is no HTML page with a head.")
    return f"{head}{mark}\n{STAND_INS}{rest}"


def methods_section(
    name: str, steps: Sequence[str], tools: Sequence[Tool], settings: Mapping[str, Any]
) -> str:
    """What was done, with which settings and tools, and what to cite, for MultiQC."""
    return json.dumps(
        {
            "id": "methods",
            "section_name": "Methods and citations",
            "description": f"What {escape(name)} did, with what, and what to cite.",
            "plot_type": "html",
            "data": "".join(
                [
                    "<ol>",
                    *(f"<li>{escape(step)}</li>" for step in steps),
                    "</ol><h4>Tools</h4><ul>",
                    *(tool_line(tool) for tool in tools),
                    '</ul><h4>Settings</h4><table class="table table-condensed" '
                    'style="width:auto"><tbody>',
                    *(
                        f"<tr><th>{escape(key)}</th><td>{escape(str(value))}</td></tr>"
                        for key, value in settings.items()
                    ),
                    "</tbody></table>",
                ]
            ),
        }
    )


def tool_line(tool: Tool) -> str:
    link = f'<a href="https://doi.org/{escape(tool.doi)}">doi:{escape(tool.doi)}</a>'
    return (
        f"<li><b>{escape(tool.package)}</b> {escape(tool.version)}: {escape(tool.role)}<br>"
        f"{escape(tool.citation)} {link}</li>"
    )


def table_section(
    name: str, title: str, description: str, headers: Mapping[str, Any], data: Mapping[str, Any]
) -> str:
    """A table of MultiQC: a row for each sample."""
    return json.dumps(
        {
            "id": name,
            "section_name": title,
            "description": description,
            "plot_type": "table",
            "pconfig": {"id": f"{name}-table", "title": title},
            "headers": headers,
            "data": data,
        }
    )
