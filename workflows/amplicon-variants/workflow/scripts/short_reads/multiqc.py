"""Custom sections of a MultiQC report, and changes that let it work in a sandboxed frame."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from importlib.metadata import PackageNotFoundError, version
from typing import Any

# In a frame without an origin, access to local storage and cookies raises an error, which stops the
# scripts of MultiQC. These replacements keep the values in memory while the page is open. The
# welcome banner of MultiQC is hidden because it links to a video on another site.
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
    """A tool that was used: its Python package, its role and its publication."""

    package: str
    role: str
    citation: str
    doi: str
    number: str = ""  # version, if the package is not installed where scripts run

    @property
    def version(self) -> str:
        try:
            return self.number or version(self.package)
        except PackageNotFoundError:
            return "(unknown version)"


def with_version(tools: Sequence[Tool], package: str, number: str) -> list[Tool]:
    """Return the tools with the version of one that is not installed where scripts run."""
    return [replace(tool, number=number) if tool.package == package else tool for tool in tools]


def make_frame_safe(page: str) -> str:
    """Return a MultiQC report that works in a frame without an origin.

    Raises ValueError if the page has no head.
    """
    head, mark, rest = page.partition("<head>")
    if not mark:
        raise ValueError("The report is not an HTML page with a head.")
    return f"{head}{mark}\n{STAND_INS}{rest}"


def methods_section(
    name: str, steps: Sequence[str], tools: Sequence[Tool], settings: Mapping[str, Any]
) -> str:
    """Return the MultiQC section with the steps, tools, settings and citations."""
    return json.dumps(
        {
            "id": "methods",
            "section_name": "Methods and citations",
            "description": f"Steps, tools, settings and citations of the workflow {escape(name)}.",
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
    """Return the MultiQC section of a table with one row per sample."""
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
