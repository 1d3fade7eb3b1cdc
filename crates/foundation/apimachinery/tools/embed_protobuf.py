#!/usr/bin/env python3
"""Writes data/protobuf.tsv from the sources of Kubernetes' API types.

usage: embed_protobuf.py MODULE_CACHE VERSION      (for example ~/go/pkg/mod/k8s.io 0.37.2; the modules api, apimachinery,
                                                    apiextensions-apiserver and kube-aggregator must be there)

Wire types come from generated.proto; JSON names, embedding and whether an absent value differs from a zero one come from
the struct tags of the Go types beside it.

A line is either `=GROUP/VERSION TAB PACKAGE` or `PACKAGE.MESSAGE TAB FIELD FIELD ...`, a field being
`NUMBER,NAME,FLAGS,TYPE`: flags are r (repeated), m (map with text keys), e (embedded: its fields stand in the parent),
z (zero values are left out); types are s text, b bool, v whole number, y bytes, d double, or a message's name.
"""
import pathlib, re, sys

cache, version = pathlib.Path(sys.argv[1]), sys.argv[2]
data = pathlib.Path(__file__).resolve().parent.parent / "data" / "protobuf.tsv"
SCALARS = {"string": "s", "bool": "b", "int32": "v", "int64": "v", "uint32": "v", "uint64": "v", "bytes": "y", "double": "d"}
WANTED = re.compile(r"(api/.*/v1|api/autoscaling/v2|api/scheduling/v1alpha3|apimachinery/pkg/(runtime|api/resource|util/intstr|apis/meta/v1)|apis/apiextensions/v1|apis/apiregistration/v1)$")


def go_structs(folder):
    """JSON name, pointer and embedding of every field with a protobuf number, by struct and number."""
    structs = {}
    for path in folder.glob("*.go"):
        if path.name.endswith("_test.go") or path.name.startswith(("generated", "zz_")):
            continue
        current = None
        for line in path.read_text().splitlines():
            opening = re.match(r"type (\w+) struct", line)
            if opening:
                current = structs.setdefault(opening[1], {})
            elif line.startswith("}"):
                current = None
            elif current is not None:
                tag = re.search(r'json:"([^"]*)".*protobuf:"[^",]*,(\d+)', line)
                if tag:
                    name, *options = tag[1].split(",")
                    words = line.split("`")[0].split()
                    kind = words[-1]
                    current[int(tag[2])] = {
                        "name": name,
                        "embedded": "inline" in options or name == "",
                        "zero": "omitempty" in options or "omitzero" in options,
                        "pointer": kind.startswith("*") or kind.startswith(("[]", "map[")),
                    }
    return structs


lines = []
for module in ("api", "apimachinery", "apiextensions-apiserver", "kube-aggregator"):
    root = cache / f"{module}@v{version}"
    for proto in sorted(root.rglob("generated.proto")):
        folder = proto.parent
        relative = folder.relative_to(root.parent).as_posix().replace(f"{module}@v{version}", module)
        if not WANTED.search(relative):
            continue
        text = proto.read_text()
        package = re.search(r"^package ([\w.]+);", text, re.M)[1]
        short = lambda name: name.lstrip(".") if "." in name else f"{package}.{name}"
        register = folder / "register.go"
        group = re.search(r'GroupName\s*=\s*"([^"]*)"', register.read_text()) if register.exists() else None
        if group and "meta" not in package:
            prefix = f"{group[1]}/" if group[1] else ""
            lines.append(f"={prefix}{package.rsplit('.', 1)[1]}\t{package}")
        structs = go_structs(folder)
        for message in re.finditer(r"^message (\w+) \{\n(.*?)^\}", text, re.M | re.S):
            fields = []
            for field in re.finditer(r"^  (optional|repeated) ([\w.]+|map<[^>]+>) (\w+) = (\d+);|^  map<string, ([\w.]+)> (\w+) = (\d+);", message[2], re.M):
                if field[5]:
                    kind, name, number, flags = field[5], field[6], int(field[7]), "m"
                else:
                    kind, name, number, flags = field[2], field[3], int(field[4]), "r" if field[1] == "repeated" else ""
                go = structs.get(message[1], {}).get(number)
                if go:
                    if go["embedded"]:
                        flags += "e"
                    else:
                        name = go["name"]
                    if go["zero"] and not go["pointer"]:
                        flags += "z"
                fields.append(f"{number},{name},{flags},{SCALARS.get(kind) or short(kind)}")
            lines.append(f"{package}.{message[1]}\t{' '.join(fields)}")
# The common prefix says nothing.
data.write_text("".join(line.replace("k8s.io.", "") + "\n" for line in sorted(lines)))
