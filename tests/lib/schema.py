# SPDX-License-Identifier: BSD-2-Clause
"""JSON Schema (2020-12), as much of it as src/http/openapi.json uses; a keyword that is not known here is an error, so
nothing is passed over.

    checker = Checker(document)
    checker.check({"$ref": "#/components/schemas/Top"}, answer)   # a list of what is wrong, empty when nothing is
    checker.unseen()                                              # properties that no answer has had

Stricter than the standard: a member that no schema of the object names is wrong, unless additionalProperties allows it.
For tests: what is answered must be what is described."""

import re

ANNOTATIONS = {"description", "default", "example", "title"}
TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


class SchemaError(Exception):
    """The document itself is wrong."""


def is_type(value, name):
    if name == "integer":
        return isinstance(value, int) and not isinstance(value, bool)
    if name == "number":
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if name not in TYPES:
        raise SchemaError(f"type {name}")
    return isinstance(value, TYPES[name])


class Checker:
    def __init__(self, document):
        self.document = document
        self.named = {}   # id of a schema with properties: (schema, names that were seen)
        self._name(document.get("components", {}).get("schemas", {}))

    def _name(self, node):
        if isinstance(node, dict) and isinstance(node.get("properties"), dict):
            self.named[id(node)] = (node, set())
        for part in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
            self._name(part)

    def resolve(self, node):
        """A node, or what it refers to."""
        while isinstance(node, dict) and "$ref" in node:
            if len(node) != 1 or not node["$ref"].startswith("#/"):
                raise SchemaError(f"reference {node}")
            target = self.document
            for part in node["$ref"][2:].split("/"):
                if part not in target:
                    raise SchemaError(f"{node['$ref']} is not there")
                target = target[part]
            node = target
        return node

    def check(self, schema, value, at="answer"):
        wrong, named = self._apply(schema, value, at)
        if not wrong and isinstance(value, dict):
            wrong = [f"{at}.{name}: not described" for name in value if name not in named]
        return wrong

    def unseen(self):
        return sorted(f"{name} of {', '.join(list(schema['properties'])[:3])}..." for schema, seen in self.named.values()
                      for name in schema["properties"] if name not in seen)

    def _apply(self, schema, value, at):
        """(what is wrong, the names of an object's members that this schema describes)"""
        schema = self.resolve(schema)
        wrong, named = [], set()
        for key, argument in schema.items():
            if key in ANNOTATIONS:
                continue
            method = getattr(self, "_" + key, None)
            if not method:
                raise SchemaError(f"keyword {key}")
            more, names = method(argument, value, at, schema)
            wrong += more
            named |= names
        return wrong, named

    def _type(self, names, value, at, schema):
        names = names if isinstance(names, list) else [names]
        return ([] if any(is_type(value, name) for name in names) else [f"{at}: {value!r} is none of {names}"]), set()

    def _enum(self, values, value, at, schema):
        return ([] if value in values else [f"{at}: {value!r} is not in {values}"]), set()

    def _const(self, wanted, value, at, schema):
        return ([] if value == wanted else [f"{at}: {value!r} is not {wanted!r}"]), set()

    def _format(self, name, value, at, schema):
        if name != "date-time":
            raise SchemaError(f"format {name}")
        return ([] if not isinstance(value, str) or TIME.fullmatch(value) else [f"{at}: {value!r} is no time"]), set()

    def _pattern(self, pattern, value, at, schema):
        return ([] if not isinstance(value, str) or re.search(pattern, value) else [f"{at}: {value!r} is not like {pattern}"]), set()

    def _maxLength(self, most, value, at, schema):
        return ([] if not isinstance(value, str) or len(value) <= most else [f"{at}: too long"]), set()

    def _minimum(self, least, value, at, schema):
        return ([] if not is_type(value, "number") or value >= least else [f"{at}: {value} is less than {least}"]), set()

    def _maximum(self, most, value, at, schema):
        return ([] if not is_type(value, "number") or value <= most else [f"{at}: {value} is more than {most}"]), set()

    def _required(self, names, value, at, schema):
        return ([f"{at}.{name}: is not there" for name in names if isinstance(value, dict) and name not in value]), set()

    def _properties(self, properties, value, at, schema):
        seen = self.named.get(id(schema), (schema, set()))[1]
        if not isinstance(value, dict):
            return [], set()
        wrong = []
        for name in properties:
            if name in value:
                seen.add(name)
                wrong += self.check(properties[name], value[name], f"{at}.{name}")
        return wrong, set(properties)

    def _additionalProperties(self, inner, value, at, schema):
        if not isinstance(value, dict):
            return [], set()
        rest = [name for name in value if name not in schema.get("properties", {})]
        if inner is True:
            return [], set(rest)
        return [text for name in rest for text in self.check(inner, value[name], f"{at}.{name}")], set(rest)

    def _items(self, inner, value, at, schema):
        if not isinstance(value, list):
            return [], set()
        return [text for i, item in enumerate(value) for text in self.check(inner, item, f"{at}[{i}]")], set()

    def _allOf(self, parts, value, at, schema):
        wrong, named = [], set()
        for part in parts:
            more, names = self._apply(part, value, at)
            wrong += more
            named |= names
        return wrong, named

    def _oneOf(self, parts, value, at, schema):
        found = [self._apply(part, value, at) for part in parts]
        good = [names for wrong, names in found if not wrong]
        if len(good) == 1:
            return [], good[0]
        return [f"{at}: {len(good)} of the schemas fit: {[wrong[:1] for wrong, _ in found]}"], set()
