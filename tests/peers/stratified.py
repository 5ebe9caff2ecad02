"""The splits of a dataset against scikit-learn's own stratified ones: as many pictures of each class on each side.

usage: stratified.py DATASET        (of pictures that are in no group, with splits of 70, 15 and 15 percent)

Prints one JSON object: counts of ours and theirs by class and side, and every cell that differs by more than one picture
from its exact share, or by more than two from scikit-learn's.
"""

import json
import sqlite3
import sys
from collections import Counter
from pathlib import Path

from sklearn.model_selection import train_test_split

SHARES = {"train": 0.7, "val": 0.15, "test": 0.15}


def main(root: Path) -> dict:
    database = sqlite3.connect(f"file:{root / 'index.sqlite'}?mode=ro", uri=True)
    rows = database.execute("SELECT image_id, has_defect, split FROM images WHERE split IS NOT NULL").fetchall()
    images, labels = [row[0] for row in rows], [row[1] for row in rows]
    ours = Counter((label, side) for _, label, side in rows)
    train, rest, train_labels, rest_labels = train_test_split(
        images, labels, test_size=1 - SHARES["train"], stratify=labels, random_state=0)
    _, _, val_labels, test_labels = train_test_split(rest, rest_labels, test_size=0.5, stratify=rest_labels, random_state=0)
    theirs = Counter()
    for side, some in (("train", train_labels), ("val", val_labels), ("test", test_labels)):
        theirs.update((label, side) for label in some)
    wrong = []
    for label, count in Counter(labels).items():
        for side, share in SHARES.items():
            cell = (label, side)
            if abs(ours[cell] - share * count) > 1 or abs(ours[cell] - theirs[cell]) > 2:
                wrong.append({"label": label, "side": side, "ours": ours[cell], "exact": share * count, "theirs": theirs[cell]})
    return {"images": len(rows), "classes": len(set(labels)), "wrong": wrong}


print(json.dumps(main(Path(sys.argv[1]))))
