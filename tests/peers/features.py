"""Every figure of a dataset, computed again with NumPy and OpenCV from the same masks and the same pixels.

usage: features.py DATASET        (a folder with index.sqlite, images/ and masks/, of lossless pictures)

Prints one JSON object: how many images and values were compared, and every value that differs. Gray levels are those of
8 bits; a 16-bit sample v is round(v * 255 / 65535). Nothing of Ferrule is used but what it stored.
"""
import json
import math
import sqlite3
import sys
from pathlib import Path

import cv2
import numpy as np

# Integers and percentiles are exact. Means and deviations may differ by the order of summation; OpenCV's magnitudes are
# 32-bit floats, ours 32-bit roots added up in another order.
EXACT, CLOSE, SINGLE = 1e-9, 1e-7, 1e-5

dataset = Path(sys.argv[1])
database = sqlite3.connect(f"file:{dataset / 'index.sqlite'}?mode=ro", uri=True)
database.row_factory = sqlite3.Row
compared, wrong = 0, []


def compare(image, name, ours, theirs, tolerance):
    """Relative to the larger of 1 and the value."""
    global compared
    compared += 1
    same = ours is not None and theirs is not None and abs(ours - theirs) <= tolerance * max(1.0, abs(theirs))
    if not same:
        wrong.append({"image": image, "name": name, "ours": ours, "theirs": theirs})


def gray8(path):
    picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert picture is not None and picture.ndim == 2, f"{path} is no gray picture"
    if picture.dtype == np.uint16:
        return ((picture.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
    return picture


def intensity(pixels):
    p25, p50, p75 = np.percentile(pixels, [25, 50, 75])
    return {"mean": (pixels.mean(), CLOSE), "std": (pixels.std(), CLOSE), "min": (pixels.min(), EXACT),
            "max": (pixels.max(), EXACT), "p25": (p25, EXACT), "p50": (p50, EXACT), "p75": (p75, EXACT)}


def trend_maps(gray):
    magnitude = cv2.magnitude(cv2.Sobel(gray, cv2.CV_32F, 1, 0, ksize=3), cv2.Sobel(gray, cv2.CV_32F, 0, 1, ksize=3))
    exact = gray.astype(np.float64)
    box = lambda values: cv2.boxFilter(values, cv2.CV_64F, (3, 3), borderType=cv2.BORDER_REFLECT_101)
    return magnitude.astype(np.float64), cv2.Laplacian(gray, cv2.CV_64F), box(exact * exact) - box(exact) ** 2


def trend(maps, inside):
    magnitude, laplacian, variance = (values[inside] for values in maps)
    return {"grad_mean": (magnitude.mean(), SINGLE), "grad_std": (magnitude.std(), SINGLE),
            "lap_mean": (laplacian.mean(), CLOSE), "lap_std": (laplacian.std(), CLOSE),
            "pixel_count": (inside.sum(), EXACT), "local_variance": (variance.mean(), CLOSE)}


def geometry(zones, aspect, um_per_px):
    """Radii, ellipticity and concentricity from the outlines, on square pixels as high as the picture's."""
    out, known = {}, {}
    for name, z in zones.items():
        if name == "adhesive":
            continue
        ax, by = z["ax"] * aspect, z["by"]
        known[name] = (z["cx"] * aspect, z["cy"])
        out[name, "centre_x"], out[name, "centre_y"] = z["cx"], z["cy"]
        out[name, "radius_px"] = math.sqrt(ax * by)
        out[name, "radius_um"] = math.sqrt(ax * by) * um_per_px
        if name != "ferrule":
            out[name, "ellipticity"] = 1 - min(ax, by) / max(ax, by)
    if "core" in known and "cladding" in known:
        apart = math.dist(known["core"], known["cladding"])
        out["core", "concentricity_px"], out["core", "concentricity_um"] = apart, apart * um_per_px
        out["core", "radius_share"] = out["core", "radius_px"] / out["cladding", "radius_px"]
    return out


def radius_at(outline, xs, ys):
    """1 on the outline, less inside."""
    turn = math.radians(outline["angle_deg"])
    dx, dy = xs - outline["cx"], ys - outline["cy"]
    along = (dx * math.cos(turn) + dy * math.sin(turn)) / outline["ax"]
    across = (dy * math.cos(turn) - dx * math.sin(turn)) / outline["by"]
    return np.hypot(along, across)


def runs(blob):
    return np.frombuffer(blob, "<u4").reshape(-1, 3)


def defect_sums(defects, labels):
    """Counted in the innermost zone that is touched; pixels where they lie."""
    names = {1: "core", 2: "cladding", 3: "adhesive", 4: "ferrule"}
    counts, areas, total = {}, {}, 0
    for defect in defects:
        touched = np.concatenate([labels[y, x:x + n] for y, x, n in runs(defect["mask"])])
        total += touched.size
        inner = touched[touched > 0].min(initial=9)
        counts[inner] = counts.get(inner, 0) + 1
        for label in names:
            areas[label] = areas.get(label, 0) + int((touched == label).sum())
    out = {("image", "defect_count"): len(defects), ("image", "defect_area_px"): total}
    everywhere = int((labels > 0).sum()) or labels.size
    out["image", "defect_area_share"] = total / everywhere
    for label, name in names.items():
        size = int((labels == label).sum())
        if size:
            out[name, "defect_count"] = counts.get(label, 0)
            out[name, "defect_area_px"] = areas.get(label, 0)
            out[name, "defect_area_share"] = areas.get(label, 0) / size
    return out


def quality_score(gray, labels, cladding, focus, dark_level=40.0, vignette=0.4):
    """100 * focus * exposure * room * wholeness * evenness, as measure-intensity documents it."""
    area = lambda label: int((labels == label).sum())
    white = lambda label: float((gray[labels == label] >= 254).mean()) if area(label) else 0.0
    background = gray[labels == (4 if area(4) else 0)]
    exposure = min(1.0, float(np.percentile(background, 50)) / (2 * dark_level))
    room = 1 - min(1.0, 10 * max(float((background >= 254).mean()), white(2)))
    wholeness = min(1.0, (area(1) + area(2)) / (math.pi * cladding["ax"] * cladding["by"]))
    height, width = gray.shape
    ys, xs = np.mgrid[2:height:8, 2:width:8]
    on_ferrule, levels = labels[ys, xs] == 4, gray[ys, xs].astype(np.float64)
    left, right, top, bottom = 8 * xs < width, 8 * xs >= 7 * width, 8 * ys < height, 8 * ys >= 7 * height
    corners = sorted(levels[c & on_ferrule].mean() for c in (left & top, right & top, left & bottom, right & bottom)
                     if (c & on_ferrule).any())
    near = on_ferrule & (radius_at(cladding, xs, ys) < 1.6) & ~((left | right) & (top | bottom))
    evenness = 1.0
    if len(corners) >= 2 and near.any():
        evenness = min(1.0, (corners[0] + corners[1]) / 2 / levels[near].mean() / (2 * vignette))
    return 100 * focus * exposure * room * wholeness * evenness


images = database.execute("SELECT * FROM images ORDER BY filename").fetchall()
for row in images:
    name, key = row["filename"], (row["image_id"],)
    ask = lambda table: database.execute(f"SELECT * FROM {table} WHERE image_id = ?", key).fetchall()
    gray = gray8(dataset / "images" / name)
    features = {(f["region"], f["name"]): f["value"] for f in ask("features")}
    intensities, trends = ({r["region"]: r for r in ask(table)} for table in ("region_intensity", "region_trend"))
    histograms = {(h["region"], h["name"]): json.loads(h["counts"]) for h in ask("region_histogram")}
    zones = {z["zone"]: z for z in ask("zones")}
    maps, labels = trend_maps(gray), np.zeros(gray.shape, np.uint8)
    for label, region in ((1, "core"), (2, "cladding"), (4, "ferrule")):
        file = dataset / "masks" / f"{row['image_id']}_{region}_mask.png"
        if not file.exists():
            compare(name, f"{region} measured without a mask", float(region in intensities), 0.0, EXACT)
            continue
        inside = cv2.imread(str(file), cv2.IMREAD_UNCHANGED) > 0
        labels[inside] = label
        pixels = gray[inside]
        for rows, values in ((intensities, intensity(pixels)), (trends, trend(maps, inside))):
            for column, (value, tolerance) in values.items():
                compare(name, f"{region} {column}", rows[region][column], float(value), tolerance)
        counts = cv2.calcHist([gray], [0], inside.astype(np.uint8), [256], [0, 256]).ravel()
        for level, (ours, theirs) in enumerate(zip(histograms[region, "gray"], counts, strict=True)):
            compare(name, f"{region} histogram {level}", ours, float(theirs), EXACT)
    if "adhesive" in zones:
        # Its mask is not kept: what lies there and belongs to no other zone.
        ys, xs = np.mgrid[: gray.shape[0], : gray.shape[1]]
        labels[(labels == 0) & (radius_at(zones["adhesive"], xs, ys) < 1.05)] = 3
    um_per_px = row["um_per_px"]
    if "cladding" in zones:
        # Stated by nobody: what the plug-in used follows from a radius that it gives.
        cladding = zones["cladding"]
        aspect = features["cladding", "radius_px"] ** 2 / (cladding["ax"] * cladding["by"])
        compare(name, "image um_per_px", features["image", "um_per_px"], um_per_px, EXACT)
        for (region, figure), value in geometry(zones, aspect, um_per_px).items():
            missing_for_a_reason = figure == "ellipticity" and (region, figure) not in features and region == "cladding"
            if not missing_for_a_reason:
                compare(name, f"{region} {figure}", features.get((region, figure)), value, CLOSE)
        score = quality_score(gray, labels, cladding, features["image", "focus"])
        compare(name, "image quality_score", features["image", "quality_score"], score, CLOSE)
    for (region, figure), value in defect_sums(ask("defects"), labels).items():
        compare(name, f"{region} {figure}", features.get((region, figure)), value, CLOSE)

print(json.dumps({"images": len(images), "compared": compared, "wrong": wrong[:40], "wrong_count": len(wrong),
                  "numpy": np.__version__, "opencv": cv2.__version__}))
