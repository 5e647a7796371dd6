"""HTML that is escaped by construction: every string is text unless it came out of `tag`."""

import html
import json
from collections.abc import Iterable
from typing import Any

VOID = frozenset({"meta", "input"})


class Markup(str):
    """Text that is HTML already. Only this module makes it, from escaped parts."""

    __slots__ = ()


def tag(name: str, /, *children: "str | Iterable[str] | None", **attributes: Any) -> Markup:
    """<name ...>children</name>; strings are escaped, Markup is not, None is left out.

    Attributes: a trailing underscore is dropped (class_), other underscores become hyphens, None and False are
    left out, True stands alone.
    """
    inner = "".join(escaped(child) for child in _flat(children))
    opening = f"<{name}{''.join(_attribute(key, value) for key, value in attributes.items())}>"
    return Markup(opening if name in VOID else f"{opening}{inner}</{name}>")


def escaped(text: str) -> Markup:
    """`text` made safe between tags and inside quoted attributes."""
    return text if isinstance(text, Markup) else Markup(html.escape(text, quote=True))


def join(*parts: str) -> Markup:
    """Parts one after another, escaped."""
    return Markup("".join(escaped(part) for part in parts))


def raw_element(name: str, /, content: str, **attributes: Any) -> Markup:
    """A <style> or <script> of our own source, which HTML does not unescape. Raises ValueError on an early end tag."""
    if f"</{name}" in content.lower():
        raise ValueError(f"<{name}>: its content would end the element early")
    return Markup(tag(name, None, **attributes).removesuffix(f"</{name}>") + content + f"</{name}>")


def json_text(value: Any) -> str:
    """JSON for a <script type=application/json>: no character that HTML or a script could take for an end."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _flat(children: Iterable[Any]) -> Iterable[str]:
    for child in children:
        if isinstance(child, str):
            yield child
        elif child is not None:
            yield from _flat(child)


def _attribute(key: str, value: Any) -> str:
    name = key.rstrip("_").replace("_", "-")
    if value is None or value is False:
        return ""
    return f" {name}" if value is True else f' {name}="{escaped(str(value))}"'
