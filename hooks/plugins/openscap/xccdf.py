"""XCCDF 1.1 and 1.2, as far as results need it (NIST SP 800-126 and IR 7275)."""

import collections
import os
import re
import xml.etree.ElementTree as xml


class Rule:
    """A rule of the profile, and how it ended."""

    def __init__(self, name, result, severity, messages):
        self.name, self.result, self.severity, self.messages = name, result, severity, messages
        self.title, self.description, self.fix = name, "", ""


def local(tag):
    """A tag without its namespace."""
    return tag.rpartition("}")[2]


def text_of(element):
    return " ".join("".join(element.itertext()).split()) if element is not None else ""


def children(element, name):
    return [child for child in element if local(child.tag) == name]


def first(element, name):
    return next(iter(children(element, name)), None)


def short(identifier):
    """xccdf_org.ssgproject.content_rule_no_telnet is no_telnet."""
    return re.sub(r"^xccdf_[^_]+_rule_", "", identifier)


def files_beside(path):
    """The files that an XCCDF file refers to, in its directory; a data stream holds everything itself."""
    names = {element.get("href") for _, element in xml.iterparse(path) if local(element.tag) == "check-content-ref"}
    beside = (
        os.path.join(os.path.dirname(path), name)
        for name in sorted(filter(None, names))
        if "/" not in name and "#" not in name
    )
    return [file for file in beside if os.path.isfile(file)]


def rules_in(path):
    """The rules that were selected, in order, from what `oscap xccdf eval --results` wrote."""
    described, ended = {}, []
    for _, element in xml.iterparse(path):
        if local(element.tag) == "Rule":
            described[element.get("id")] = (
                text_of(first(element, "title")),
                text_of(first(element, "description")),
                text_of(first(element, "fixtext")),
            )
        elif local(element.tag) == "rule-result":
            result = text_of(first(element, "result"))
            if result != "notselected":
                messages = [text_of(message) for message in children(element, "message")]
                identifier = element.get("idref") or "unnamed"
                ended.append(
                    (identifier, Rule(short(identifier), result, element.get("severity") or "unknown", messages))
                )
            element.clear()
    seen = collections.Counter()
    for identifier, rule in ended:
        seen[identifier] += 1  # A rule with several checks ends once for each.
        if seen[identifier] > 1:
            rule.name += f" #{seen[identifier]}"
        if identifier in described:
            title, rule.description, rule.fix = described[identifier]
            rule.title = title or rule.title
    return [rule for _, rule in ended]
