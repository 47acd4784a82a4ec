# SPDX-License-Identifier: BSD-2-Clause
"""The rules of an alerts file, as texts: what each is called, asks and says, and the rule with one thing in it changed.

The file is read as text, not as YAML: `- alert:` begins a rule, `expr:` is a line or a folded block, annotations are in quotes. Where it is
written in another way, reading it fails."""

import json
import re

TOKEN = re.compile(r"""(?P<matchers>\{[^}]*\})|(?P<window>\[\d+[smhd]\])|(?P<offset>offset\s+\d+[smhd])|by\s*\([^)]*\)
                       |(?P<metric>\b(?:whereto_\w+|up)\b)|(?P<number>\b\d+(?:\.\d+)?\b)
                       |(?P<comparison>[<>]=?|[!=]=)|(?P<set>\b(?:and|or|unless)\b)""", re.X)
MATCHER = re.compile(r'(\w+)\s*[!=]~?\s*"([^"]*)"')
OPPOSITE = {"<": ">", ">": "<", "<=": ">", ">=": "<", "==": "!=", "!=": "==", "and": "or", "or": "and", "unless": "and"}


class Rule:
    def __init__(self, text):
        self.text = text.rstrip() + "\n"
        self.name = re.match(r"alert: (\w+)\n", text)[1]
        found = re.search(r"^        expr: (?:>-\n((?:          .*\n)+)|(.*\n))", self.text, re.M)
        self.start, self.end = found.span(1 if found[1] else 2)
        self.expression = self.text[self.start:self.end]
        self.severity = re.search(r"^        labels: \{severity: (\w+)\}$", self.text, re.M)[1]
        self.annotations = {key: json.loads('"' + re.sub(r"\n\s*", " ", value) + '"') for key, value in
                            re.findall(r'^          (summary|description): "((?:[^"\\]|\\.)*)"$', self.text, re.M)}
        self.tokens = [(found.lastgroup, found[0], *found.span()) for found in TOKEN.finditer(self.expression) if found.lastgroup]

    def said(self, labels, value):
        """The annotations of an alert with these labels. Names of ASes are not known."""
        def text(template):
            template = re.sub(r"\{\{ with query .*?\{\{ end \}\}", "", template)
            template = re.sub(r"\{\{ \$labels\.(\w+) \}\}", lambda found: labels[found[1]], template)
            return re.sub(r"\{\{ \$value [^}]*\}\}", str(value), template)
        return {key: text(template) for key, template in self.annotations.items()}

    def labels_said(self):
        return set(re.findall(r"\$labels\.(\w+)", " ".join(self.annotations.values())))

    def metrics(self):
        return {text for kind, text, _, _ in self.tokens if kind == "metric"}

    def body(self):
        """What it asks and how patiently."""
        return self.text[:self.text.index("        annotations:")].split("\n", 1)[1]

    # ---- changed ----

    def _with(self, start, end, text):
        return self.text[:self.start + start] + text + self.text[self.start + end:]

    def _windows(self):
        """Half and twice a window, wherever it stands; of a day only half: the cases are no longer than that."""
        for window in sorted({text for kind, text, _, _ in self.tokens if kind == "window"}):
            seconds = int(window[1:-2]) * {"m": 60, "h": 3600, "d": 86400}[window[-2]]
            for other in [f"[{seconds // 2}s]"] + ([f"[{seconds * 2}s]"] if seconds < 86400 else []):
                yield f"{other} for {window}", self.text[:self.start] + self.expression.replace(window, other) + self.text[self.end:]

    def _matchers(self, text, start, end):
        yield f"without {text}", self._with(start, end, "")
        for name, value in MATCHER.findall(text):
            for one in value.split("|"):
                yield f"{name} not {one}", self._with(start, end, text.replace(one, "changed"))

    def changed(self):
        """(what, text) of this rule with one thing changed: each metric's name, number, comparison, condition, label, window, and its patience.
        Offsets stay: they only keep the present out of what it is compared with."""
        yield from self._windows()
        for kind, text, start, end in self.tokens:
            if kind == "metric":
                yield f"{text} of another name", self._with(start, end, text + "_changed")
            elif kind in ("comparison", "set"):
                yield f"{OPPOSITE[text]} for {text}", self._with(start, end, OPPOSITE[text])
            elif kind == "number":
                for other in ("3",) if float(text) == 0 else (f"{float(text) * 0.75:g}", f"{float(text) * 1.34:g}"):
                    yield f"{other} for {text}", self._with(start, end, other)
            elif kind == "matchers":
                yield from self._matchers(text, start, end)
        patience = re.search(r"^        for: (\d+)m\n", self.text, re.M)
        if patience:
            yield "no patience", self.text.replace(patience[0], "")
            yield "twice the patience", self.text.replace(patience[0], f"        for: {2 * int(patience[1])}m\n")
        yield "another severity", self.text.replace(f"severity: {self.severity}", "severity: changed")


def read(path):
    with open(path, encoding="utf-8") as file:
        _, *blocks = re.split(r"^      - (?=alert:)", re.sub(r"^  (?! )(?s:.*?)^    rules:\n", "", file.read(), flags=re.M), flags=re.M)
    return [Rule(block) for block in blocks]


def file_of(texts):
    """A rules file of these rules."""
    return "groups:\n  - name: tried\n    rules:\n" + "".join("      - " + text for text in texts)
