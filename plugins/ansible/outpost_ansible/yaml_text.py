"""YAML, as far as it is needed: written so that Ansible takes no string for a template, and told apart when read."""

import json
import os
import re


def quoted(text):
    """A double-quoted YAML scalar: JSON, but for characters that YAML wants escaped or in another way."""
    out = []
    for char in text:
        code = ord(char)
        if char in '"\\':
            out.append("\\" + char)
        elif code in (0x2028, 0x2029):  # Line breaks to YAML.
            out.append("\\u%04x" % code)
        elif 0x20 <= code < 0x7F or (0xA0 <= code < 0xD800) or (0xE000 <= code < 0xFEFF):
            out.append(char)
        elif code > 0xFFFF:
            out.append("\\U%08x" % code)
        elif 0xD800 <= code < 0xE000:
            out.append("?")  # Half a character.
        else:
            out.append("\\u%04x" % code)
    return '"' + "".join(out) + '"'


def as_unsafe(value):
    """A JSON value as YAML in which Ansible never looks for a template, in no string at any depth."""
    if isinstance(value, dict):
        return "{" + ", ".join("%s: %s" % (quoted(str(key)), as_unsafe(one)) for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(as_unsafe(one) for one in value) + "]"
    if isinstance(value, str):
        return "!unsafe " + quoted(value)
    return json.dumps(value)


def write_unsafe(path, variables):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write("---\n")
        for name, value in variables.items():
            file.write("%s: %s\n" % (quoted(name), as_unsafe(value)))


def is_playbook(path):
    """Whether the items of a YAML list are plays: one has `hosts` or `import_playbook` among its own keys."""
    column = None
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            item = re.match(r"( *)- +", line)
            if item and (column is None or len(item.group(1)) <= column[0]):
                column = (len(item.group(1)), item.end())
            if column is None:
                continue
            own = line[column[1]:] if (item and item.end() == column[1]) or not line[:column[1]].strip() else ""
            if re.match(r"[\"']?(hosts|(ansible\.builtin\.)?import_playbook)[\"']?\s*:", own):
                return True
    return False


def read_layout(path):
    """The few lines of a layout file: `key: value` and `key: [a, b]`; or nothing, when it is a list (of plays or tasks)."""
    found = {}
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            entry = re.match(r"([a-z_]+):\s*(.*?)\s*(#.*)?$", line)
            if entry:
                value = entry.group(2)
                items = [one.strip(" \"'") for one in value.strip("[]").split(",") if one.strip()]
                found[entry.group(1)] = items if value.startswith("[") else value.strip("\"'")
    return found if "layout" in found else None
