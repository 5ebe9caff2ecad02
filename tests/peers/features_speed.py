"""Intensity and trend figures of each zone by careful NumPy and OpenCV, timed on the same pictures and zones as ours.

usage: features_speed.py ANSWERS        (what `ferrule inspect --json` printed)

Prints one JSON object: the median over pictures of the milliseconds that all figures of a picture take (decoding and
drawing the masks left out), and the number of pictures. One thread.
"""
import json
import math
import statistics
import sys
import time

import cv2
import numpy as np

cv2.setNumThreads(1)
LEVELS = np.arange(256, dtype=np.float64)


def masks(shape, zones):
    """Core, cladding and the rest, each as 0 and 255."""
    drawn, inner = {}, np.zeros(shape, np.uint8)
    for name in ("core", "cladding"):
        z = zones.get(name)
        if z:
            whole = np.zeros(shape, np.uint8)
            axes = (z["ax"], z["by"])
            cv2.ellipse(whole, ((z["cx"], z["cy"]), (2 * axes[0], 2 * axes[1]), z["angle_deg"]), 255, -1)
            drawn[name] = cv2.subtract(whole, inner)
            inner = cv2.bitwise_or(inner, whole)
    drawn["ferrule"] = cv2.bitwise_not(inner)
    return drawn


def intensity(gray, mask):
    """By one histogram, as all of it follows from one."""
    counts = cv2.calcHist([gray], [0], mask, [256], [0, 256]).ravel().astype(np.float64)
    total = counts.sum()
    if total == 0:
        return None
    mean = counts @ LEVELS / total
    spread = math.sqrt(max(counts @ (LEVELS - mean) ** 2 / total, 0))
    below = np.cumsum(counts)

    def percentile(share):
        place = (total - 1) * share
        low, high = np.searchsorted(below, [math.floor(place) + 1, min(math.floor(place) + 2, total)])
        return low + (high - low) * (place - math.floor(place))

    present = np.flatnonzero(counts)
    return mean, spread, present[0], present[-1], percentile(0.25), percentile(0.5), percentile(0.75)


def trends(gray, zones):
    across, down = cv2.Sobel(gray, cv2.CV_32F, 1, 0), cv2.Sobel(gray, cv2.CV_32F, 0, 1)
    magnitude, laplacian = cv2.magnitude(across, down), cv2.Laplacian(gray, cv2.CV_32F)
    plane = gray.astype(np.float32)
    mean = cv2.boxFilter(plane, cv2.CV_32F, (3, 3))
    variance = cv2.subtract(cv2.boxFilter(cv2.multiply(plane, plane), cv2.CV_32F, (3, 3)), cv2.multiply(mean, mean))
    return {name: (cv2.meanStdDev(magnitude, mask=mask), cv2.meanStdDev(laplacian, mask=mask),
                   cv2.mean(variance, mask=mask)[0], cv2.countNonZero(mask)) for name, mask in zones.items()}


times = []
for line in open(sys.argv[1]):
    answer = json.loads(line)
    gray = cv2.imread(answer["path"], cv2.IMREAD_GRAYSCALE)
    if answer["error"] or gray is None:
        continue
    zones = masks(gray.shape, answer["zones"])
    rounds = []
    for _ in range(3):
        start = time.perf_counter()
        figures = {name: intensity(gray, mask) for name, mask in zones.items()}
        more = trends(gray, zones)
        rounds.append((time.perf_counter() - start) * 1e3)
        assert len(figures) == len(more)
    times.append(statistics.median(rounds))
print(json.dumps({"ms": statistics.median(times), "pictures": len(times)}))
