"""What every page is made of: the style with its colours, and the hashes by which a browser knows it."""

import base64
import hashlib
from importlib import resources

from analysis.figures.style import ROLES


def source(name: str) -> str:
    """A file of this package, as text."""
    return resources.files("analysis.page").joinpath(name).read_text(encoding="utf-8")


def style(own: str = "") -> str:
    """The pages' style sheet with the colours of the figures, and rules of a page's `own` after it."""
    roles = [[f"  --{role}: {pair[scheme]};" for role, pair in ROLES.items()] for scheme in (0, 1)]
    text = source("page.css").replace("LIGHT_ROLES", "\n".join(roles[0]))
    return text.replace("DARK_ROLES", "\n".join(roles[1])) + own


def policy_hash(text: str) -> str:
    """What a Content-Security-Policy calls an inline source: nothing else on the page may run or style it."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
