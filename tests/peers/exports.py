"""Everything that a dataset exports, read by the tools that people read such files with.

usage: exports.py DATASET       (a folder with index.sqlite and what `ferrule export` wrote in its usual places)

Prints one JSON object: what was read, and every difference from the database. Nothing of Ferrule is used.
"""
import contextlib
import csv
import io
import json
import math
import sqlite3
import sys
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from pycocotools.coco import COCO

dataset = Path(sys.argv[1])
database = sqlite3.connect(f"file:{dataset / 'index.sqlite'}?mode=ro", uri=True)
database.row_factory = sqlite3.Row
wrong, read = [], {}


def check(holds, *what):
    if not holds:
        wrong.append([str(part) for part in what])


def ask(sql, *values):
    return database.execute(sql, values).fetchall()


# SQLite's own word.
check([tuple(row) for row in ask("PRAGMA integrity_check")] == [("ok",)], "integrity_check")
check(ask("PRAGMA foreign_key_check") == [], "foreign_key_check")
images = {row["image_id"]: row for row in ask("SELECT * FROM images")}
defects = {row["defect_id"]: row for row in ask("SELECT * FROM defects")}
parts = ["train", "val", "test"] if any(row["split"] for row in images.values()) else ["all"]


def members(part):
    return {i for i, row in images.items() if part == "all" or row["split"] == part}


# pandas reads every CSV; every number is the database's to the last bit.
tables = {"intensity_stats": ("region_intensity", ["image_id", "region"]), "trends": ("region_trend", ["image_id", "region"]),
          "geometry": ("images", ["image_id"]), "defects": ("defects", ["defect_id"]),
          "correlations": ("correlations", ["image_id_a", "image_id_b"])}
for file, (table, keys) in tables.items():
    path = dataset / "features" / f"{file}.csv"
    frame = pd.read_csv(path, float_precision="round_trip", dtype={key: str for key in keys})
    rows = {tuple(row[key] for key in keys): row for row in ask(f"SELECT * FROM {table}")}
    read[f"{file}.csv"] = len(frame)
    check(len(frame) == len(rows), file, "rows", len(frame), len(rows))
    for record in frame.to_dict("records"):
        row = rows[tuple(record[key] for key in keys)]
        for column in set(record) & set(row.keys()):
            ours, theirs = record[column], row[column]
            same = pd.isna(ours) if theirs is None else ours == theirs
            check(same, file, column, ours, theirs)
    with open(path, newline="") as text:
        raw = text.read()
    check(raw.count("\r\n") == raw.count("\n") > 0, file, "line ends of RFC 4180")
    for cell in (cell for row in csv.reader(io.StringIO(raw)) for cell in row):
        number = cell.replace(".", "").replace("e", "").replace("-", "").replace("+", "").isdigit()
        check(number or not cell.startswith(("=", "+", "-", "@", "\t", "\r")), file, "a formula", cell)

# NumPy reads the arrays, and they are the PNG masks.
arrays = sorted((dataset / "masks").glob("*.npy"))
read["npy"] = len(arrays)
for path in arrays:
    image, what = path.name.split("_")[:2]
    array = np.load(path, allow_pickle=False)
    row = images[image]
    check(array.dtype == np.uint8 and array.shape == (row["height"], row["width"]), path.name, array.shape)
    check(set(np.unique(array)) <= {0, 255} and array.any(), path.name, "levels")
    png = dataset / "masks" / f"{image}_{what}_mask.png"
    check((cv2.imread(str(png), cv2.IMREAD_UNCHANGED) == array).all(), path.name, "is not the PNG")
    area = sum(r["area_px"] for r in defects.values() if r["image_id"] == image and r["dtype"] == what)
    count = sum(1 for r in defects.values() if r["image_id"] == image and r["dtype"] == what)
    if count == 1:
        check((array > 0).sum() == area, path.name, "area")

def load(path):
    with contextlib.redirect_stdout(sys.stderr):
        return COCO(str(path))


# pycocotools loads the annotations and draws masks of the right area.
read["coco"] = 0
for part in parts:
    coco = load(dataset / "coco" / f"annotations_{part}.json")
    found = {image["image_id"] for image in coco.dataset["images"]}
    check(found == members(part), "coco", part, len(found))
    check({c["name"] for c in coco.dataset["categories"]} >= {"scratch", "pit", "chip", "particle", "residue"}, "categories")
    check("info" in coco.dataset and coco.dataset["licenses"], "info and licences")
    for image in coco.dataset["images"]:
        row = images[image["image_id"]]
        label = {None: None, 0: "clean", 1: "defect"}[row["has_defect"]]
        check(image.get("label") == label, "label", image["file_name"], image.get("label"), label)
        check((image["zones"]["cladding"] is None) == (row["clad_r"] is None), "zones", image["file_name"])
    for annotation in coco.loadAnns(coco.getAnnIds()):
        row = defects[annotation["defect_id"]]
        mask = coco.annToMask(annotation)
        ys, xs = np.nonzero(mask)
        box = [int(xs.min()), int(ys.min()), int(xs.max() - xs.min() + 1), int(ys.max() - ys.min() + 1)]
        check(mask.sum() == row["area_px"] == annotation["area"], "area", annotation["defect_id"], mask.sum())
        check(box == annotation["bbox"], "bbox", annotation["defect_id"], box, annotation["bbox"])
        check(coco.loadCats(annotation["category_id"])[0]["name"] == row["dtype"], "category", annotation["defect_id"])
        read["coco"] += 1

# A reader of TFRecord by the published formats: length, masked CRC-32C, example.proto.
TABLE = []
for n in range(256):
    for _ in range(8):
        n = (n >> 1) ^ (0x82F63B78 if n & 1 else 0)
    TABLE.append(n)


def crc(data):
    value = 0xFFFFFFFF
    for byte in data:
        value = TABLE[(value ^ byte) & 0xFF] ^ (value >> 8)
    value ^= 0xFFFFFFFF
    return ((value >> 15 | value << 17) + 0xA282EAD8) & 0xFFFFFFFF


def example_class():
    file = descriptor_pb2.FileDescriptorProto(name="example.proto", package="t", syntax="proto3")
    kinds = descriptor_pb2.FieldDescriptorProto

    def message(name, *fields):
        made = file.message_type.add(name=name)
        for number, (field, kind, type_name, repeated) in enumerate(fields, 1):
            label = kinds.LABEL_REPEATED if repeated else kinds.LABEL_OPTIONAL
            made.field.add(name=field, number=number, type=kind, type_name=type_name, label=label)
        return made

    message("BytesList", ("value", kinds.TYPE_BYTES, None, True))
    message("FloatList", ("value", kinds.TYPE_FLOAT, None, True))
    message("Int64List", ("value", kinds.TYPE_INT64, None, True))
    lists = [(n, kinds.TYPE_MESSAGE, f".t.{t}", False) for n, t in
             (("bytes_list", "BytesList"), ("float_list", "FloatList"), ("int64_list", "Int64List"))]
    feature = message("Feature", *lists)
    feature.oneof_decl.add(name="kind")
    for field in feature.field:
        field.oneof_index = 0
    features = message("Features", ("feature", kinds.TYPE_MESSAGE, ".t.Features.FeatureEntry", True))
    entry = features.nested_type.add(name="FeatureEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, type=kinds.TYPE_STRING, label=kinds.LABEL_OPTIONAL)
    entry.field.add(name="value", number=2, type=kinds.TYPE_MESSAGE, type_name=".t.Feature", label=kinds.LABEL_OPTIONAL)
    message("Example", ("features", kinds.TYPE_MESSAGE, ".t.Features", False))
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("t.Example"))


Example = example_class()


def records(path):
    data = path.read_bytes()
    at = 0
    while at < len(data):
        head = data[at:at + 8]
        length = int.from_bytes(head, "little")
        check(crc(head) == int.from_bytes(data[at + 8:at + 12], "little"), path.name, "checksum of a length")
        body = data[at + 12:at + 12 + length]
        if length < 200_000:
            check(crc(body) == int.from_bytes(data[at + 12 + length:at + 16 + length], "little"), path.name, "checksum")
        yield Example.FromString(body).features.feature
        at += 16 + length
    check(at == len(data), path.name, "ends within a record")


read["tfrecord"] = 0
for part in parts:
    shards = sorted((dataset / "tfrecords").glob(f"{part}-*.tfrecord"))
    check(shards[0].name == f"{part}-00000-of-{len(shards):05}.tfrecord", "shards", shards)
    seen = set()
    for feature in (feature for shard in shards for feature in records(shard)):
        image = feature["image/source_id"].bytes_list.value[0].decode()
        row = images[image]
        picture = cv2.imdecode(np.frombuffer(feature["image/encoded"].bytes_list.value[0], np.uint8), cv2.IMREAD_GRAYSCALE)
        size = (feature["image/height"].int64_list.value[0], feature["image/width"].int64_list.value[0])
        check(picture is not None and picture.shape == size == (row["height"], row["width"]), "picture", image, size)
        check(feature["image/label"].int64_list.value[0] == (-1 if row["has_defect"] is None else row["has_defect"]), "label", image)
        mine = [r for r in defects.values() if r["image_id"] == image]
        mine.sort(key=lambda r: r["place"])
        masks = feature["image/object/mask"].bytes_list.value
        check(len(masks) == len(mine) == len(feature["image/object/bbox/xmin"].float_list.value), "objects", image)
        for mask, row_, xmin in zip(masks, mine, feature["image/object/bbox/xmin"].float_list.value):
            drawn = cv2.imdecode(np.frombuffer(mask, np.uint8), cv2.IMREAD_UNCHANGED)
            check((drawn > 0).sum() == row_["area_px"], "object mask", row_["defect_id"])
            check(math.isclose(xmin, row_["box_x"] / row["width"], abs_tol=1e-6), "xmin", row_["defect_id"])
        if row["clad_r"] is not None:
            check(len(feature["image/mask/cladding"].bytes_list.value) == 1, "cladding mask", image)
        seen.add(image)
        read["tfrecord"] += 1
    check(seen == members(part), "tfrecord", part, len(seen))

# pyarrow reads Parquet and joins.
frames = {path.stem: pq.read_table(path) for path in sorted((dataset / "parquet").glob("*.parquet"))}
read["parquet"] = len(frames)
for name in ("images", "defects", "region_intensity", "region_trend", "zones", "features", "verdicts", "correlations"):
    count = ask(f"SELECT count(*) FROM {name}")[0][0]
    check(frames[name].num_rows == count, "parquet", name, frames[name].num_rows, count)
joined = frames["defects"].drop(["mask"]).join(frames["images"].select(["image_id", "has_defect", "filename"]), "image_id", join_type="inner")
check(joined.num_rows == len(defects), "join", joined.num_rows, len(defects))
for record in frames["defects"].to_pylist():
    row = defects[record["defect_id"]]
    check(all(record[key] == row[key] for key in record), "parquet defects", record["defect_id"])
    check(sum(np.frombuffer(record["mask"], "<u4").reshape(-1, 3)[:, 2]) == record["area_px"], "runs", record["defect_id"])

# YOLO: each picture has its list.
read["yolo"] = 0
for part in parts:
    pictures = {path.stem: path for path in (dataset / "yolo" / "images" / part).iterdir()}
    labels = {path.stem: path for path in (dataset / "yolo" / "labels" / part).iterdir()}
    check(set(pictures) == set(labels) == members(part), "yolo", part)
    for image, path in labels.items():
        lines = [line.split() for line in path.read_text().splitlines()]
        mine = sorted((r for r in defects.values() if r["image_id"] == image), key=lambda r: r["place"])
        check(len(lines) == len(mine), "yolo lines", image)
        for (_, cx, _, w, _), row in zip(lines, mine):
            width = images[image]["width"]
            left = (float(cx) - float(w) / 2) * width
            check(abs(left - row["box_x"]) < 0.01, "yolo box", row["defect_id"], left)
        read["yolo"] += 1

# Changed pictures: on their parent's side, their masks where the defects are now.
read["augmented"] = 0
manifest = pd.read_csv(dataset / "augmented" / "manifest.csv", dtype={"image_id": str}, float_precision="round_trip")
for part in parts:
    coco = load(dataset / "augmented" / "coco" / f"annotations_{part}.json")
    names = {image["file_name"] for image in coco.dataset["images"]}
    check(set(manifest[manifest["image_id"].isin(members(part))]["filename"]) == names, "augmented", part)
    for image in coco.dataset["images"]:
        parent = images[image["image_id"]]
        picture = cv2.imread(str(dataset / "augmented" / "images" / image["file_name"]), cv2.IMREAD_UNCHANGED)
        check(picture.shape == (parent["height"], parent["width"]), "augmented size", image["file_name"])
        check(part == "all" or parent["split"] == part, "augmented split", image["file_name"])
        zone = image["zones"]["cladding"]
        path = dataset / "augmented" / "masks" / image["file_name"].replace(".png", "_cladding_mask.png")
        if zone is not None:
            mask = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
            core = cv2.imread(str(path).replace("_cladding_", "_core_"), cv2.IMREAD_UNCHANGED)
            glass = mask > 0 if core is None else (mask > 0) | (core > 0)
            ys, xs = np.nonzero(glass)
            whole = (zone["cx"] - zone["ax"] > 0 and zone["cx"] + zone["ax"] < parent["width"]
                     and zone["cy"] - zone["by"] > 0 and zone["cy"] + zone["by"] < parent["height"])
            if whole:
                near = abs(xs.mean() - zone["cx"]) + abs(ys.mean() - zone["cy"]) < 1
                check(near, "augmented cladding", image["file_name"], xs.mean(), ys.mean(), zone)
                area = math.pi * zone["ax"] * zone["by"]
                check(abs(len(xs) / area - 1) < 0.02, "augmented area", image["file_name"], len(xs), area)
        read["augmented"] += 1
    for annotation in coco.loadAnns(coco.getAnnIds()):
        row = defects[annotation["defect_id"]]
        mask = coco.annToMask(annotation)
        ys, xs = np.nonzero(mask)
        check(mask.sum() == annotation["area"] <= 1.3 * row["area_px"] + 4, "augmented defect", annotation["defect_id"])
        check([xs.min(), ys.min()] == annotation["bbox"][:2], "augmented box", annotation["defect_id"])

print(json.dumps({"read": read, "parts": parts, "wrong": wrong[:30], "wrong_count": len(wrong)}))
