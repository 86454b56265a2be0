"""The README of a workflow loads nothing: no image is left, however it is written."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from tests.helpers.properties import given
from ui.parts.readme import as_page

PARSER = MarkdownIt("commonmark", {"html": False})


def links(text):
    """The addresses of the images and of the links that a parser of CommonMark sees."""
    tokens = [child for token in PARSER.parse(text) for child in token.children or ()]
    return (
        [token.attrs["src"] for token in tokens if token.type == "image"],
        [token.attrs["href"] for token in tokens if token.type == "link_open"],
    )


@pytest.mark.parametrize(
    "text",
    [
        "![x](http://evil.example/x.png)",
        "!![x](http://evil.example/x.png)",
        "!!!![x](/etc/passwd)",
        "[a!](docs/x.md)[b](http://evil.example/x.png)",
        "\\`![x](http://evil.example/x.png)\\`",
        "`` ` ``![x](http://evil.example/x.png)`",
        "<pre>\n```\n</pre>\n\n![x](http://evil.example/x.png)",
        "- a\n\n  ```\n![x](http://evil.example/x.png)\n",
        "``` `a`\n![x](http://evil.example/x.png)\n",
        "![x][pic]\n\n[pic]: http://evil.example/x.png",
        "![pic]\n\n[pic]: file:///etc/passwd",
        "[![x](http://evil.example/x.png)](http://example.org)",
        "![x](data:image/svg+xml;base64,AAAA)",
    ],
)
def test_images_are_links_at_most(text):
    assert links(as_page(text))[0] == []


@given(st.text("!![]()`~\\<>:ax \n-$", max_size=60))
def test_no_text_makes_an_image(text):
    assert links(as_page(text + "![x](http://evil.example/x.png)" + text))[0] == []
    assert "![" not in as_page(text)


def test_links_to_files_of_the_workflow_are_text():
    text = (
        "[a](docs/x.md) [b][ref] [c](https://example.org) [d](javascript:alert(1))\n\n[ref]: ../y"
    )
    assert links(as_page(text))[1] == ["https://example.org"]
    assert links(as_page("[b][r]\n\n[r]: https://example.org"))[1] == ["https://example.org"]


def test_code_is_displayed_unchanged():
    text = "```\n# x $a$ #![cfg] ![alt](path)\n```\n"
    assert as_page(text).replace("\u2060", "") == text
