#!/usr/bin/env python3
"""A peer for `ferrule inspect`: the same job with OpenCV and NumPy on one thread, as written with care.

  inspect_opencv.py --masks DIR FILE...      prints one JSON object a file, as `ferrule inspect --json` does

Cladding and core by rings of a reduced picture and polar refinement; background and noise from the fibre's own radial
profile inside and a coarse median outside; spots by hysteresis against the noise; scratches by line means in rotated
pictures; statistics of each zone; the mask as PNG. Works in place and in 8 or 16 bits where that is exact enough.
"""
import argparse
import hashlib
import itertools
import json
import math
import os
import sys
import time

import cv2
import numpy as np

REDUCED = 320
RAYS = 360
ANGLES = 12
LINE = 23
ASIDE = 3
SPOT_HIGH, SPOT_LOW, RIM_HIGH = 8.0, 2.5, 12.0
LINE_HIGH, LINE_LOW = 8.0, 5.0
LEAST_CONTRAST = 2.0
ZONES = ("core", "cladding", "ferrule")
TURNS = np.arange(RAYS, dtype=np.float32) * np.float32(2 * np.pi / RAYS)
COS, SIN = np.cos(TURNS), np.sin(TURNS)


def frame_of(gray):
    """Columns and rows inside black bars."""
    def span(profile):
        level = 0.5 * np.median(profile)
        near = len(profile) // 8
        dark = np.flatnonzero(profile < level)
        low = dark[dark < near]
        high = dark[dark >= len(profile) - near]
        return (low[-1] + 3 if low.size else 0), (high[0] - 2 if high.size else len(profile))
    height, width = gray.shape
    x0, x1 = span(gray[height // 4:3 * height // 4:8].mean(0))
    y0, y1 = span(gray[:, width // 4:3 * width // 4:8].mean(1))
    return x0, y0, x1, y1


def unroll(picture, ellipse, first, last, step, rays=slice(None)):
    """Rays around an ellipse (cx, cy, ax, by) from `first` to `last` of its size, a row each; radii in its size."""
    cx, cy, ax, by = ellipse
    radii = np.arange(first, last, step / math.sqrt(ax * by), dtype=np.float32)
    x = (cx + np.outer(COS[rays] * ax, radii)).astype(np.float32)
    y = (cy + np.outer(SIN[rays] * by, radii)).astype(np.float32)
    samples = cv2.remap(picture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    inside = (x >= 0) & (y >= 0) & (x <= picture.shape[1] - 1) & (y <= picture.shape[0] - 1)
    return samples.astype(np.float32), inside, radii


def steps_around(small, x, y, aspect, largest):
    """Closed rings around a centre: step from inside to outside at each radius, and how many sectors agree."""
    samples, inside, radii = unroll(small, (x, y, aspect, 1.0), 4, largest, math.sqrt(aspect), slice(None, None, 6))
    sectors = samples.reshape(20, 3, -1).mean(1)
    half = 4
    sums = np.concatenate([np.zeros((20, 1), np.float32), np.cumsum(sectors, 1)], 1)
    middle = np.arange(half, sectors.shape[1] - half)
    step = (sums[:, middle + half + 1] - sums[:, middle + 1] - sums[:, middle] + sums[:, middle - half]) / half
    typical = np.median(step, 0)
    agreed = ((step * np.sign(typical) > 0.3 * np.abs(typical)) & inside.reshape(20, 3, -1).all(1)[:, middle]).mean(0)
    return radii[middle], typical, agreed


def coarse_cladding(gray):
    """Centre and radius of the outermost strong ring, and its polarity; None without one."""
    scale = REDUCED / max(gray.shape)
    small = cv2.GaussianBlur(cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), (5, 5), 1.0)
    side = min(small.shape)
    best = None
    for strictness in (60, 35, 20):
        circles = cv2.HoughCircles(small, cv2.HOUGH_GRADIENT_ALT if strictness > 50 else cv2.HOUGH_GRADIENT, 1.5,
                                   side / 12, param1=120 if strictness > 50 else 60,
                                   param2=0.7 if strictness > 50 else strictness,
                                   minRadius=int(0.04 * side), maxRadius=int(0.6 * side))
        if circles is None:
            continue
        # Pixels of old cameras are not square, and a fibre's picture then no circle.
        for (x, y, _), aspect in itertools.product(circles[0, :6], (1.0, 0.92)):
            radii, step, agreed = steps_around(small, float(x), float(y), aspect, 0.62 * side)
            size = np.abs(step) * agreed
            top = cv2.dilate(size.reshape(1, -1), np.ones((1, 7), np.uint8)).ravel()
            rings = np.flatnonzero((size >= top) & (agreed > 0.7) & (size > max(1.0, 0.15 * size.max())) &
                                   (radii > 0.1 * side))
            if rings.size:
                ring = rings[-1]
                score = agreed[ring] ** 2 * min(abs(step[ring]), 60) * math.sqrt(radii[ring])
                if best is None or score > best[0]:
                    best = score, (float(x), float(y), aspect, float(radii[ring])), float(np.sign(step[ring]))
        if best is not None:
            break
    if best is None:
        return None
    _, (x, y, aspect, radius), sign = best
    shift = (1 / scale - 1) / 2
    return (x / scale + shift, y / scale + shift, aspect * radius / scale, radius / scale), sign


def edges_on_rays(gray, ellipse, sign, reach, sigma, step):
    """The outermost strong edge of that polarity on each ray: its points, and their strengths."""
    radius = math.sqrt(ellipse[2] * ellipse[3])
    ends = 3 * sigma / radius
    samples, inside, radii = unroll(gray, ellipse, max(1 - reach - ends, 0.05), 1 + reach + ends, step)
    half = int(3 * sigma / step)
    taps = np.arange(-half, half + 1, dtype=np.float32)
    kernel = taps * np.exp(-0.5 * (taps * step / sigma) ** 2)
    kernel /= (kernel * taps).sum()
    slopes = cv2.filter2D(samples, -1, kernel.reshape(1, -1)) * sign
    slopes[:, :half], slopes[:, -half:] = 0, 0
    slopes[~inside] = 0
    here = slopes[:, 1:-1]
    peaks = (here >= 0.5 * slopes.max(1, keepdims=True)) & (here > 0)
    peaks &= (here >= slopes[:, :-2]) & (here > slopes[:, 2:])
    found = peaks.any(1)
    at = peaks.shape[1] - np.argmax(peaks[:, ::-1], 1)
    rows = np.arange(RAYS)
    left, middle, right = slopes[rows, at - 1], slopes[rows, at], slopes[rows, np.minimum(at + 1, slopes.shape[1] - 1)]
    bend = left - 2 * middle + right
    offset = np.where(np.abs(bend) > 1e-6, 0.5 * (left - right) / np.where(bend == 0, 1, bend), 0).clip(-0.5, 0.5)
    s = radii[0] + (at + offset) * (radii[1] - radii[0])
    points = np.stack([ellipse[0] + COS * ellipse[2] * s, ellipse[1] + SIN * ellipse[3] * s], 1)
    strong = found & (middle > 0.25 * np.median(middle[found])) if found.any() else found
    return points[strong], rows[strong]


def fit_upright(points, start):
    """Robust least squares of an ellipse with upright axes: A x² + B y² + C x + D y = 1 about the start."""
    cx, cy, ax, by = start
    x, y = (points[:, 0] - cx) / ax, (points[:, 1] - cy) / by
    weight = np.ones(len(x))
    for _ in range(8):
        terms = np.stack([x * x, y * y, x, y], 1)
        a, b, c, d = np.linalg.lstsq(terms * weight[:, None], weight, rcond=None)[0]
        if a <= 0 or b <= 0:
            return None
        whole = 1 + c * c / (4 * a) + d * d / (4 * b)
        ux, uy, sx, sy = -c / (2 * a), -d / (2 * b), math.sqrt(whole / a), math.sqrt(whole / b)
        off = (np.hypot((x - ux) / sx, (y - uy) / sy) - 1) * math.sqrt(ax * by)
        spread = max(1.4826 * np.median(np.abs(off)), 0.3)
        weight = np.clip(1 - (off / (4 * spread)) ** 2, 0, None)
    return (cx + ux * ax, cy + uy * by, sx * ax, sy * by), float(spread), float((np.abs(off) < 3 * spread).mean())


def refine(gray, ellipse, sign):
    """The outline to a fraction of a pixel; None where no ellipse fits."""
    for reach, sigma, step in ((0.16, 1.6, 1.0), (0.07, 1.3, 0.5)):
        reach = max(reach, 8 / math.sqrt(ellipse[2] * ellipse[3]))
        points, _ = edges_on_rays(gray, ellipse, sign, reach, sigma, step)
        fit = fit_upright(points, ellipse) if len(points) > RAYS / 4 else None
        if fit is None or not 0.7 < fit[0][2] / fit[0][3] < 1.4:
            return None
        ellipse = fit[0]
    return ellipse, fit[1], fit[2] * len(points) / RAYS


def find_core(gray, cladding):
    """The strongest closed step well inside the cladding; None without one."""
    samples, _, radii = unroll(gray, cladding, 0.05, 0.9, 1.0)
    sectors = cv2.GaussianBlur(samples.reshape(24, RAYS // 24, -1).mean(1), (7, 1), 1.5)
    lag = 4
    step = sectors[:, 2 * lag:] - sectors[:, :-2 * lag]
    # Shading is a slope everywhere; an edge is more than that.
    step -= cv2.blur(step, (61, 1))
    typical = np.median(step, 0)
    agreed = (step * np.sign(typical) > 0.35 * np.abs(typical)).mean(0)
    score = np.abs(typical) * (agreed > 0.75)
    at = int(score.argmax())
    if score[at] < 2.0:
        return None
    size = radii[at + lag]
    start = (cladding[0], cladding[1], cladding[2] * size, cladding[3] * size)
    fit = refine(gray, start, float(np.sign(typical[at])))
    if fit is None or fit[1] > 3 or not 0.85 < fit[0][2] / start[2] < 1.18:
        return start, abs(float(typical[at]))
    return fit[0], abs(float(typical[at]))


class Coordinates:
    """Distance of each pixel from the fibre's middle, in which core and cladding are circles, around the fibre."""

    def __init__(self, shape, cladding, core, margin):
        cx, cy, ax, by = cladding
        height, width = shape
        far = max(ax, by) + margin
        self.left, self.right = max(int(cx - far), 0), min(int(cx + far) + 2, width)
        self.top, self.bottom = max(int(cy - far), 0), min(int(cy + far) + 2, height)
        self.window = np.s_[self.top:self.bottom, self.left:self.right]
        x = (np.arange(self.left, self.right, dtype=np.float32) - np.float32(cx)) ** 2
        y = (np.arange(self.top, self.bottom, dtype=np.float32) - np.float32(cy)) ** 2
        self.edge = math.sqrt(ax * by)
        self.rho = cv2.sqrt(x[None, :] / np.float32(ax * ax) + y[:, None] / np.float32(by * by)) * np.float32(self.edge)
        self.bins = int(self.edge + margin)
        self.core = core
        self.cladding = cladding

    def profiles(self, plane):
        """Medians over eight sectors, a distance each, and the spread over directions."""
        samples, inside, _ = unroll(plane, self.cladding, 0, (self.bins + 1) / self.edge, 1.0)
        samples = samples[:, :self.bins]
        overlapping = np.concatenate([samples, samples[:90]]).reshape(10, 45, -1)
        sectors = np.stack([np.median(overlapping[i:i + 2].reshape(90, -1), 0) for i in range(8)])
        return sectors

    def model(self, sectors):
        """The healthy fibre in the window: profiles interpolated between sectors."""
        table = np.concatenate([sectors[-1:], sectors, sectors[:1]]).astype(np.float32)
        x = np.arange(self.left, self.right, dtype=np.float32) - np.float32(self.cladding[0])
        y = np.arange(self.top, self.bottom, dtype=np.float32) - np.float32(self.cladding[1])
        xx, yy = np.broadcast_to(x, self.rho.shape), np.broadcast_to(y[:, None], self.rho.shape)
        turn = cv2.phase(np.ascontiguousarray(xx), np.ascontiguousarray(yy))
        turn *= np.float32(8 / (2 * np.pi))
        # Sector i spans two eighths of a turn and has its middle at i + 1.
        return cv2.remap(table, self.rho, turn, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def background_of(gray, fibre):
    """Illumination outside of the fibre, from a coarse median, and the fibre's own picture inside."""
    small = cv2.resize(gray, None, fx=1 / 8, fy=1 / 8, interpolation=cv2.INTER_AREA)
    if fibre is not None:
        cx, cy, ax, by = fibre.cladding
        inside = np.zeros_like(small)
        axes = (int((ax + 14) / 8) + 1, int((by + 14) / 8) + 1)
        cv2.ellipse(inside, (int(cx / 8), int(cy / 8)), axes, 0, 0, 360, 255, -1)
        open_cells = cv2.bitwise_not(inside)
        # Under the fibre the level of its surroundings, so that medians beside it are not pulled.
        weight = cv2.boxFilter(open_cells.astype(np.float32), -1, (41, 41))
        level = cv2.boxFilter(np.where(inside > 0, 0, small).astype(np.float32) * 255, -1, (41, 41))
        usual = float(np.median(small[open_cells > 0])) if (open_cells > 0).any() else 128.0
        filled = np.where(weight > 1, level / np.maximum(weight, 1), usual)
        small = np.where(inside > 0, filled, small).astype(np.uint8)
    smooth = cv2.GaussianBlur(cv2.medianBlur(small, 15).astype(np.float32), (5, 5), 1.2)
    background = cv2.resize(smooth, gray.shape[::-1], interpolation=cv2.INTER_LINEAR)
    if fibre is not None:
        model = fibre.model(fibre.profiles(gray))
        share = np.clip((fibre.bins - 2 - fibre.rho) / 6, 0, 1)
        part = background[fibre.window]
        part += (model - part) * share
    return background


def noise_of(response, usable, fibre):
    """Noise at each pixel: locally outside, a distance from the middle inside."""
    sampled = np.abs(response[1::4, 1::3])[usable[1::4, 1::3] > 0]
    whole = max(float(np.median(sampled)) / 0.6745, 0.25) if sampled.size else 0.25
    quiet = np.minimum(np.abs(response), 3 * whole)
    cells = cv2.resize(quiet, None, fx=1 / 16, fy=1 / 16, interpolation=cv2.INTER_AREA) / 0.798
    cells = cv2.blur(cv2.erode(cells, np.ones((3, 3), np.uint8)), (5, 5))
    noise = cv2.resize(np.clip(cells, 0.9 * whole, 2.5 * whole), response.shape[::-1], interpolation=cv2.INTER_LINEAR)
    if fibre is not None:
        samples, inside, _ = unroll(np.abs(response), fibre.cladding, 0, (fibre.bins + 1) / fibre.edge, 1.0)
        spread = np.partition(samples[::2, :fibre.bins], int(0.35 * RAYS / 2), axis=0)[int(0.35 * RAYS / 2)] / 0.4538
        spread = np.maximum(spread, 0.6 * whole).reshape(1, -1).astype(np.float32)
        spread = cv2.dilate(spread, np.ones((1, 5), np.uint8))
        table = np.concatenate([spread, np.full((1, 2), spread[0, -1], np.float32)], 1)
        level = np.zeros_like(fibre.rho)
        around = cv2.remap(table, fibre.rho, level, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
        part = noise[fibre.window]
        inner = fibre.rho < fibre.edge + 4
        ring = ~inner & (fibre.rho < fibre.bins)
        part[inner] = around[inner]
        part[ring] = np.maximum(part[ring], around[ring])
    return noise


def find_spots(response, noise, usable, fibre, mask, defects):
    """Components above the low threshold that pass the high one somewhere."""
    strength = cv2.absdiff(response, 0)
    ratio = cv2.divide(strength, noise)
    clear = cv2.compare(usable, 0, cv2.CMP_GT)
    low = cv2.bitwise_and(cv2.compare(ratio, SPOT_LOW, cv2.CMP_GT), clear)
    high = cv2.bitwise_and(cv2.compare(ratio, SPOT_HIGH, cv2.CMP_GT), cv2.compare(strength, LEAST_CONTRAST, cv2.CMP_GT))
    high = cv2.bitwise_and(high, clear)
    if fibre is not None:
        rim = np.abs(fibre.rho - fibre.edge) < 4
        high[fibre.window][rim & (ratio[fibre.window] < RIM_HIGH)] = 0
    count, labels, stats, centres = cv2.connectedComponentsWithStats(low, connectivity=8, ltype=cv2.CV_32S)
    for label in np.unique(labels[high > 0]):
        x, y, w, h, area = (int(v) for v in stats[label])
        if label == 0 or area < 4:
            continue
        part = labels[y:y + h, x:x + w] == label
        values = response[y:y + h, x:x + w][part]
        peak = float(ratio[y:y + h, x:x + w][part].max())
        kind = "residue" if area > 250 else "pit" if -values.min() > 2 * values.max() else "particle"
        if fibre is not None:
            cx, cy, ax, by = fibre.cladding
            off = (math.hypot((centres[label][0] - cx) / ax, (centres[label][1] - cy) / by) - 1) * fibre.edge
            kind = "chip" if abs(off) < 8 and area > 12 else kind
        add(defects, mask, kind, (x, y, w, h), part, centres[label], area, peak / SPOT_HIGH)


def find_scratches(response, noise, usable, fibre, mask, defects):
    """Line means against both sides, in pictures rotated so that the line lies along a row."""
    half = cv2.resize(cv2.divide(response, noise), None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    half[usable[::2, ::2][:half.shape[0], :half.shape[1]] == 0] = 0
    if fibre is not None:
        rim = np.zeros(half.shape, np.uint8)
        cx, cy, ax, by = (v / 2 for v in fibre.cladding)
        cv2.ellipse(rim, (round(cx), round(cy)), (round(ax), round(by)), 0, 0, 360, 255, 7)
        half[rim > 0] = 0
    scale = max(float(np.median(np.abs(half[1::3, 1::3]))) / 0.6745, 1e-3)
    # A byte a pixel, the level at 128, cut at three standard deviations: rotating and adding up bytes is quick.
    values = (np.clip(half, -3 * scale, 3 * scale) * (32 / scale) + 128).astype(np.uint8)
    height, width = values.shape
    strongest = np.zeros(values.shape, np.uint8)
    column = np.ones((5, 1), np.uint8)
    for direction in range(ANGLES):
        turn = cv2.getRotationMatrix2D((width / 2, height / 2), 180.0 * direction / ANGLES, 1.0)
        sin, cos = abs(turn[0, 1]), abs(turn[0, 0])
        wide, high = int(height * sin + width * cos) + 2, int(height * cos + width * sin) + 2
        turn[:, 2] += ((wide - width) / 2, (high - height) / 2)
        turned = cv2.warpAffine(values, turn, (wide, high), flags=cv2.INTER_LINEAR, borderValue=128)
        means = cv2.boxFilter(turned, cv2.CV_16U, (LINE, 1), normalize=False, borderType=cv2.BORDER_REPLICATE)
        means = means.view(np.int16)
        middle, above, below = means[ASIDE:-ASIDE], means[:-2 * ASIDE], means[2 * ASIDE:]
        score = cv2.max(cv2.subtract(middle, cv2.max(above, below)), cv2.subtract(cv2.min(above, below), middle))
        sampled = score[::11, ::7][middle[::11, ::7] != 128 * LINE]
        if sampled.size < 64:
            continue
        sampled.sort()
        centre, upper = float(sampled[sampled.size // 2]), float(sampled[sampled.size * 4 // 5])
        # In eighths of a standard deviation; a ridge is what nothing beside it exceeds.
        unit = 8 * 0.8416 / max(upper - centre, 2.0)
        levels = cv2.add(cv2.multiply(score, unit, dtype=cv2.CV_16S), (-centre * unit, 0, 0, 0)).clip(0, 255)
        levels = levels.astype(np.uint8)
        levels[cv2.dilate(levels, column) > levels] = 0
        back = cv2.invertAffineTransform(turn)
        shifted = np.float32([[1, 0, 0], [0, 1, ASIDE]])
        back = back @ np.vstack([shifted, (0, 0, 1)])
        straight = cv2.warpAffine(levels, back, (width, height), flags=cv2.INTER_NEAREST)
        strongest = cv2.max(strongest, straight)
    closed = cv2.morphologyEx(strongest, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    ridges = cv2.compare(closed, 8 * LINE_LOW, cv2.CMP_GT)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(ridges, connectivity=8, ltype=cv2.CV_32S)
    strong = np.zeros(count, np.uint8)
    strong[labels[strongest > 8 * LINE_HIGH]] = 255
    strong[(stats[:, cv2.CC_STAT_WIDTH] < 10) & (stats[:, cv2.CC_STAT_HEIGHT] < 10)] = 0
    strong[0] = 0
    drawn = strong[labels]
    whole = cv2.resize(cv2.dilate(drawn, np.ones((3, 3), np.uint8)), mask.shape[::-1], interpolation=cv2.INTER_NEAREST)
    whole[usable == 0] = 0
    count, labels, stats, centres = cv2.connectedComponentsWithStats(whole, connectivity=8, ltype=cv2.CV_32S)
    for label in range(1, count):
        x, y, w, h, area = (int(v) for v in stats[label])
        if max(w, h) >= 20:
            add(defects, mask, "scratch", (x, y, w, h), labels[y:y + h, x:x + w] == label, centres[label], area, 1.5)


def add(defects, mask, kind, box, part, centre, area, over):
    """Lists a defect and draws it."""
    x, y, w, h = box
    number = min(len(defects) + 1, 255)
    mask[y:y + h, x:x + w][part] = number
    length = math.hypot(w, h) if kind == "scratch" else float(max(w, h))
    confidence = 1 - 0.5 * math.exp(1 - max(over, 1))
    defects.append({"id": str(number), "type": kind, "severity": "LOW", "confidence": confidence, "bbox": [x, y, w, h],
                    "x": float(centre[0]), "y": float(centre[1]), "area_px": area, "length_px": length,
                    "width_px": area / length, "angle_deg": 0.0, "zone": None, "plugin": "opencv", "parts": []})


def statistics_of(gray, labels):
    """Gray levels, gradient, Laplacian and local variance of each zone."""
    across, down = cv2.Sobel(gray, cv2.CV_32F, 1, 0), cv2.Sobel(gray, cv2.CV_32F, 0, 1)
    gradient = cv2.magnitude(across, down)
    laplacian = cv2.Laplacian(gray, cv2.CV_16S)
    mean = cv2.blur(gray, (3, 3), dst=None).astype(np.float32)
    variance = cv2.sqrBoxFilter(gray, cv2.CV_32F, (3, 3)) - cv2.multiply(mean, mean)
    features = []
    for number, zone in enumerate(ZONES, 1):
        inside = cv2.compare(labels, number, cv2.CMP_EQ)
        pixels = cv2.countNonZero(inside)
        if pixels == 0:
            continue
        counts = cv2.calcHist([gray], [0], inside, [256], [0, 256]).ravel()
        levels, below = np.arange(256), np.cumsum(counts)
        average = float((counts * levels).sum() / pixels)
        found = {"mean": average, "std": math.sqrt(float((counts * (levels - average) ** 2).sum() / pixels)),
                 "min": int(np.flatnonzero(counts)[0]), "max": int(np.flatnonzero(counts)[-1])}
        found.update({f"p{q}": int(np.searchsorted(below, q / 100 * (pixels - 1), "right")) for q in (25, 50, 75)})
        x, y, w, h = cv2.boundingRect(inside)
        window = np.s_[y:y + h, x:x + w]
        inside = inside[window]
        for name, plane in (("grad", gradient), ("lap", laplacian)):
            m, s = cv2.meanStdDev(plane[window], mask=inside)
            found.update({f"{name}_mean": float(m[0, 0]), f"{name}_std": float(s[0, 0])})
        found["local_var_mean"] = cv2.mean(variance[window], mask=inside)[0]
        features += [{"region": zone, "name": name, "value": value, "unit": ""} for name, value in found.items()]
    return features


def inspect(path, masks):
    """One picture, from its file to its mask on disk."""
    ms, clock = {}, time.perf_counter()

    def lap(stage):
        nonlocal clock
        now = time.perf_counter()
        ms[stage] = ms.get(stage, 0.0) + (now - clock) * 1e3
        clock = now

    data = np.fromfile(path, np.uint8)
    image_id = hashlib.sha256(data).hexdigest()[:16]
    gray = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)
    if gray is None:
        return {"path": path, "error": "not a picture that OpenCV reads"}
    height, width = gray.shape
    lap("decode")

    x0, y0, x1, y1 = frame_of(gray)
    zones, fibre, labels = {"core": None, "cladding": None}, None, np.zeros(gray.shape, np.uint8)
    coarse = coarse_cladding(gray[y0:y1, x0:x1])
    if coarse is not None:
        (cx, cy, ax, by), sign = coarse
        start = (cx + x0, cy + y0, ax, by)
        fit = refine(gray, start, sign)
        cladding = fit[0] if fit else start
        core = find_core(gray, cladding)
        labels[y0:y1, x0:x1] = 3
        for number, outline in ((2, cladding), (1, core[0] if core else None)):
            if outline is not None:
                cx, cy, ax, by = (int(round(v * 16)) for v in outline)
                cv2.ellipse(labels, (cx, cy), (ax, by), 0, 0, 360, number, -1, cv2.LINE_8, 4)
        labels[:y0], labels[y1:], labels[:, :x0], labels[:, x1:] = 0, 0, 0, 0
        fibre = Coordinates(gray.shape, cladding, core and core[0], 0.12 * math.sqrt(cladding[2] * cladding[3]) + 6)
        named = {"cladding": cladding, "core": core[0] if core else None}
        sides = ("cx", "cy", "ax", "by")
        zones = {name: outline and dict(zip(sides, map(float, outline)), angle_deg=0.0, confidence=0.9)
                 for name, outline in named.items()}
    lap("segment")

    mask, defects = np.zeros(gray.shape, np.uint8), []
    if fibre is not None:
        usable = cv2.erode(labels, np.ones((9, 9), np.uint8))
        residual = cv2.subtract(gray, background_of(gray, fibre), dtype=cv2.CV_32F)
        response = cv2.GaussianBlur(residual, (5, 5), 1.0)
        noise = noise_of(response, usable, fibre)
        find_spots(response, noise, usable, fibre, mask, defects)
        find_scratches(response, noise, usable, fibre, mask, defects)
    lap("detect")

    features = statistics_of(gray, labels)
    lap("measure")
    if masks:
        cv2.imwrite(os.path.join(masks, f"{image_id}_defect_mask.png"), mask, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    lap("mask")
    return {"path": path, "image_id": image_id, "width": width, "height": height, "um_per_px": None, "zones": zones,
            "defects": defects, "has_defect": bool(defects), "features": features, "error": None, "ms": ms}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--masks", help="folder for <image_id>_defect_mask.png")
    parser.add_argument("files", nargs="+")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    if arguments.masks:
        os.makedirs(arguments.masks, exist_ok=True)
    for path in arguments.files:
        print(json.dumps(inspect(path, arguments.masks)))


if __name__ == "__main__":
    sys.exit(main())
