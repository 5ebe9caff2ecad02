"""How long NumPy and SciPy take for the correlations of pictures that are in a file of bytes.

usage: correlations_speed.py FILE CELLS        (pictures one after the other, CELLS bytes each)

Prints one JSON object: seconds of two calls of numpy.corrcoef on 64-bit values and on ready average ranks, seconds of
pearsonr and spearmanr for one pair (median of 20), and some of the values as [a, b, pearson, spearman].
"""
import json
import statistics
import sys
import time

import numpy as np
from scipy import stats

cells = np.fromfile(sys.argv[1], dtype=np.uint8).reshape(-1, int(sys.argv[2]))
count = len(cells)


def average_ranks(picture):
    """By counting: the same as scipy.stats.rankdata, for bytes."""
    counts = np.bincount(picture, minlength=256)
    return (np.cumsum(counts) - (counts - 1) / 2)[picture]


def timed(work):
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


values = cells.astype(np.float64)
first, pearson = timed(lambda: np.corrcoef(values))
del values
ranks = np.stack([average_ranks(picture) for picture in cells])
second, spearman = timed(lambda: np.corrcoef(ranks))
del ranks
pairs = [(i, (i * 37 + 1) % count) for i in range(0, count, max(1, count // 20))][:20]
floats = {i: cells[i].astype(np.float32) for pair in pairs for i in pair}
loop = [timed(lambda: (stats.pearsonr(floats[a], floats[b]), stats.spearmanr(floats[a], floats[b])))[0] for a, b in pairs]
sample = [(i, (i * 7 + 3) % count) for i in range(0, count, max(1, count // 200))]
print(json.dumps({"corrcoef_s": first + second, "pair_s": statistics.median(loop),
                  "values": [[a, b, pearson[a, b], spearman[a, b]] for a, b in sample if a != b]}))
