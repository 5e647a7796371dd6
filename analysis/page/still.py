"""Pages without a script: one self-contained file, its figures inside as images, which run nothing."""

import base64
from pathlib import Path

from analysis.figures.chart import Drawing
from analysis.page.document import policy_hash, style
from analysis.page.markup import Markup, join, raw_element, tag

DRAWN = """
.drawn { display: block; width: 100%; max-width: 44rem; height: auto; background: #fff; border-radius: 7px; }
"""


def document(title: str, main: Markup, own_style: str = "") -> str:
    """The text of a page around its <main>, with rules of its own after the pages' style."""
    sheet = style(DRAWN + own_style)
    policy = f"default-src 'none'; style-src '{policy_hash(sheet)}'; img-src data:; base-uri 'none'; form-action 'none'"
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", title),
        raw_element("style", sheet),
    )
    return "<!doctype html>\n" + join(tag("html", head, tag("body", main), lang="en")) + "\n"


def image(drawing: Drawing, svg: Path) -> Markup:
    """A drawing that was saved as SVG, with its caption."""
    data = base64.b64encode(svg.read_bytes()).decode()
    picture = tag("img", src=f"data:image/svg+xml;base64,{data}", alt=drawing.title, class_="drawn")
    return tag("figure", Markup(picture.removesuffix("</img>")), tag("figcaption", drawing.caption))
