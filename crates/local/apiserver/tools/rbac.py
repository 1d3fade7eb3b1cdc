#!/usr/bin/env python3
"""Writes data/rbac.jsonl from the recorded answers of a kube-apiserver: one default role or binding a line.

    tools/rbac.py RECORDED/rbac-bootstrap.json > data/rbac.jsonl
"""
import json
import sys


def objects(recorded):
    for plural, items in recorded.items():
        kind = {"clusterroles": "ClusterRole", "clusterrolebindings": "ClusterRoleBinding"}[plural]
        for item in items:
            meta = item["metadata"]
            kept = {key: meta[key] for key in ("name", "namespace", "labels", "annotations") if key in meta}
            body = {key: item[key] for key in ("rules", "aggregationRule", "roleRef", "subjects") if item.get(key)}
            yield {"kind": kind, "metadata": kept, **body}


for one in objects(json.load(open(sys.argv[1]))):
    print(json.dumps(one, separators=(",", ":")))
