r"""What a worker (or an inventory) said, made inert for the place where it will stand.

A worker may send anything: escape sequences, markup, formulas, workflow commands, text that turns the reading
direction round. Each function here takes such a text and gives one that its format shows as plain text. All of them
turn what cannot be seen into a visible escape (``\x1b``, ``\u202e``, ``\n``): nothing is dropped, nothing acts.
"""

from __future__ import annotations

import re

_HIDDEN = (
    "\\x00-\\x09\\x0b-\\x1f\\x7f-\\x9f\\xad"  # C0, DEL, C1, soft hyphen
    "\\u0600-\\u0605\\u061c\\u06dd\\u070f\\u0890\\u0891\\u08e2\\u180e"  # format characters of scripts
    "\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u206f"  # zero width, line separators, bidi
    "\\ud800-\\udfff\\ufeff\\ufff9-\\ufffb\\ufffe\\uffff"  # lone surrogates, byte order mark, no characters
    "\\U000110bd\\U000110cd\\U00013430-\\U0001345f\\U0001bca0-\\U0001bca3\\U0001d173-\\U0001d17a"
    "\\U000e0000-\\U000e0fff"  # tags and variation selectors, which can carry a hidden text
)
"""The inside of a character class: all of the categories Cc (but line feed), Cf, Cs, Zl and Zp, and a few more."""

_UNSEEN = re.compile(f"[\\n{_HIDDEN}]")
_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def terminal(text: str) -> str:
    """For a terminal, and the first step for every other place."""
    if text.isascii() and text.isprintable():  # nearly all there is, and much faster than the pattern
        return text
    return _UNSEEN.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    character = found[0]
    code = ord(character)
    return _NAMED.get(character) or (
        f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
    )


_MARKED = re.compile(r"[\\`*\[\]|~$]|(?<![^\W_])_|_(?![^\W_])")
_ENTITIES = (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"))
_REFERENCE = re.compile(r"(@|#(?=\d)|\bGH-(?=\d))")
_BARE_LINK = re.compile(r"(?i)\b(https?|ftp|mailto|xmpp)(:)|\b(www)(\.)")
_LINE_START = re.compile(r"^(\s*)(\d*)([-+#=.)])(?=[-+#=]*(?:\s|$))")


_CODE = re.compile(r"(`[^`<>&|]+`)")


def markdown(text: str) -> str:
    """For GitHub-flavoured Markdown, a table's cell too: no markup, HTML, link, mention or reference comes to life.

    A `quoted` part stays one: whoever wrote it, nothing in a code span comes to life either.
    """
    parts = _CODE.split(terminal(text))
    text = "".join(part if place % 2 else _plain_markdown(part) for place, part in enumerate(parts))
    return _LINE_START.sub(lambda found: f"{found[1]}{found[2]}\\{found[3]}", text)


def _plain_markdown(text: str) -> str:
    for character, entity in _ENTITIES:
        text = text.replace(character, entity)
    text = _MARKED.sub(lambda found: "\\" + found[0], text)
    text = _REFERENCE.sub(lambda found: found[1] + "&#8288;", text)
    return _BARE_LINK.sub(lambda found: f"{found[1] or found[3]}&#{ord(found[2] or found[4])};", text)


def xml(text: str) -> str:
    """For XML 1.0, as text or between double quotes."""
    text = terminal(text)
    if "&" in text:
        text = text.replace("&", "&amp;")
    if "<" in text:
        text = text.replace("<", "&lt;")
    if ">" in text:
        text = text.replace(">", "&gt;")
    return text.replace('"', "&quot;") if '"' in text else text


_FORMULA = tuple("=+-@\t\r\uff1d\uff0b\uff0d\uff20")


def csv(text: str) -> str:
    """For a spreadsheet's cell: what it would take for a formula begins with an apostrophe."""
    shown = terminal(text)
    return f"'{shown}" if text.lstrip(" \n").startswith(_FORMULA) else shown


def label(text: str) -> str:
    """For the value of a Prometheus label, between double quotes."""
    return terminal(text).replace("\\", "\\\\").replace('"', '\\"')


def command(text: str) -> str:
    """For the message of a GitHub workflow command; a line end that we set ourselves is written ``%0A``."""
    return "%0A".join(terminal(line).replace("%", "%25") for line in text.split("\n"))


def command_property(text: str) -> str:
    """For a property (file, title) of a GitHub workflow command."""
    return terminal(text).replace("%", "%25").replace(":", "%3A").replace(",", "%2C")


def sarif(text: str) -> str:
    """For a SARIF message: ``[text](target)`` would be an embedded link."""
    return terminal(text).replace("](", "] (")


_MENTION = re.compile(r"(?i)(?<![\w.@-])@(?=\w)|@(?=everyone|here|channel|all)")
_CHAT = str.maketrans({"<": "\u2039", ">": "\u203a"})  # single angle quotation marks


def chat(text: str) -> str:
    """For mail, a chat or a webhook, whose markup nobody knows here: no tag, mention or link comes to life."""
    shown = terminal(text).translate(_CHAT).replace("](", "] (").replace("://", "[:]//")
    return _MENTION.sub("@ ", shown)


_UNSEEN_IN_JSON = re.compile(f"[<{_HIDDEN}]")


def json(text: str) -> str:
    """For a finished JSON document: the same document, pure to a terminal and to an HTML page around it."""
    return _UNSEEN_IN_JSON.sub(_escape_in_json, text)


def _escape_in_json(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code < 0x10000:
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"
