"""Correlations of a dataset, computed again with SciPy from the very grids that they were made from.

usage: correlations.py DATASET GRIDS        (a folder with index.sqlite, and a file of grids below its .grids/)

Prints one JSON object. A file of grids holds records of one length: 64 bytes of head ("FGRID001", the image's id, the
key, the hash of the cells), then the cells, one byte each; the last record of an image counts.
"""
import json
import math
import sqlite3
import sys
from pathlib import Path

import numpy as np
from scipy import stats

dataset, name = Path(sys.argv[1]), sys.argv[2]
side = int(name.rsplit("-", 1)[1].split(".")[0])
bytes_ = np.fromfile(dataset / ".grids" / name, dtype=np.uint8)
records = bytes_.reshape(-1, 64 + side * side)
grids = {}
for record in records:
    assert record[:8].tobytes() == b"FGRID001"
    grids[record[8:24].tobytes().decode()] = record[64:]

database = sqlite3.connect(f"file:{dataset / 'index.sqlite'}?mode=ro", uri=True)
rows = database.execute("SELECT image_id_a, image_id_b, pearson, spearman FROM correlations").fetchall()
worst, nulls, wrong = 0.0, 0, []
likeness = {image: {} for image in grids}
for a, b, pearson, spearman in rows:
    assert a < b, (a, b)
    x, y = grids[a].astype(np.float64), grids[b].astype(np.float64)
    if x.min() == x.max() or y.min() == y.max():
        nulls += 1
        if pearson is not None or spearman is not None:
            wrong.append([a, b, "a constant picture has a coefficient"])
        continue
    for ours, theirs in ((pearson, stats.pearsonr(x, y)[0]), (spearman, stats.spearmanr(x, y)[0])):
        apart = math.inf if ours is None else abs(ours - theirs)
        worst = max(worst, apart)
        if apart > 1e-9:
            wrong.append([a, b, ours, float(theirs)])
    likeness[a][b] = likeness[b][a] = pearson

images = {row[0] for row in database.execute("SELECT image_id FROM images")}
print(json.dumps({"rows": len(rows), "grids": len(grids), "worst": worst, "nulls": nulls, "wrong": wrong[:20],
                  "unknown": len(set(grids) - images), "neighbours": {a: len(n) for a, n in likeness.items()}}))
