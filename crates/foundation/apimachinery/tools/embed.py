#!/usr/bin/env python3
"""Writes data/ from the recorded answers of a real kube-apiserver.

usage: embed.py RECORDED_DIR     (discovery-aggregated-v2.json, discovery-legacy.json,
                                  openapi-v3-schemas.json, table-columns.json)

Every file is text of one record a line, so that a line can be found without parsing the rest.
"""
import json, pathlib, sys

recorded = pathlib.Path(sys.argv[1])
data = pathlib.Path(__file__).resolve().parent.parent / "data"
load = lambda name: json.loads((recorded / name).read_text())
compact = lambda value: json.dumps(value, separators=(",", ":"), sort_keys=True)

# resources.jsonl: one resource a line, in discovery's order.
hashes = {}
for path, document in load("discovery-legacy.json").items():
    if document["kind"] == "APIResourceList":
        for resource in document["resources"]:
            if "storageVersionHash" in resource:
                hashes[document["groupVersion"], resource["name"]] = resource["storageVersionHash"]
lines = []
for root, document in load("discovery-aggregated-v2.json").items():
    for group in document["items"]:
        group_name = group["metadata"].get("name", "")
        for version in group["versions"]:
            group_version = f"{group_name}/{version['version']}" if group_name else version["version"]
            for resource in version["resources"]:
                record = {
                    "groupVersion": group_version,
                    "name": resource["resource"],
                    "singularName": resource["singularResource"],
                    "namespaced": resource["scope"] == "Namespaced",
                    "kind": resource["responseKind"]["kind"],
                    "verbs": resource["verbs"],
                }
                for key in ("shortNames", "categories"):
                    if key in resource:
                        record[key] = resource[key]
                if (group_version, resource["resource"]) in hashes:
                    record["storageVersionHash"] = hashes[group_version, resource["resource"]]
                subresources = []
                for sub in resource.get("subresources", []):
                    kind = {k: v for k, v in sub["responseKind"].items() if v}
                    subresources.append({"name": sub["subresource"], "verbs": sub["verbs"], **kind})
                if subresources:
                    record["subresources"] = subresources
                lines.append(json.dumps(record, separators=(",", ":")))
(data / "resources.jsonl").write_text("\n".join(lines) + "\n")

# schemas.tsv: NAME TAB SCHEMA, sorted by name. DeleteOptions and WatchEvent differ from document to
# document only in the list of their kinds; the plain one stands for all.
v3 = load("openapi-v3-schemas.json")
schemas = {name: schema for name, schema in v3["schemas"].items() if "@" not in name}
text = "".join(f"{name}\t{compact(schema)}\n" for name, schema in sorted(schemas.items()))
(data / "schemas.tsv").write_text(text.replace("#/components/schemas/", "#/"))

# columns.tsv: PATH TAB COLUMNS of every list as a table.
columns = load("table-columns.json")
(data / "columns.tsv").write_text("".join(
    f"{path}\t{json.dumps([[c['name'], c['type'], c['format'], c['priority']] for c in cs], separators=(',', ':'))}\n"
    for path, cs in sorted(columns.items())))
