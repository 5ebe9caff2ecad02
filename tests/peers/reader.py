"""The reader class that trains on a dataset by its database, as people have it: sqlite3, OpenCV, pictures under images/.

Prints one JSON object: how many pictures each part gave, what the manifests say against the database, SQLite's own checks.
"""

import csv
import json
import sqlite3
import sys
from pathlib import Path

import cv2
import numpy as np


class FiberDataset:
    def __init__(self, split: str, db_path: str, images_dir: str):
        self.conn = sqlite3.connect(db_path)
        cur = self.conn.cursor()
        cur.execute("SELECT image_id, filename, has_defect FROM images WHERE split=?;", (split,))
        self.rows = cur.fetchall()
        self.images_dir = Path(images_dir)

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, idx):
        image_id, fname, label = self.rows[idx]
        img = cv2.imread(str(self.images_dir / fname), cv2.IMREAD_GRAYSCALE)
        if img is None:
            raise RuntimeError(fname)
        img = cv2.resize(img, (256, 256))
        return (img.astype(np.float32) / 255.0 - 0.5) / 0.5, int(label)


def main(root: Path) -> dict:
    database = root / "index.sqlite"
    answer = {"parts": {}, "labels": {}, "wrong": []}
    for split in ("train", "val", "test"):
        dataset = FiberDataset(split, str(database), str(root / "images"))
        labels = []
        for idx in range(len(dataset)):
            img, label = dataset[idx]
            if img.shape != (256, 256) or not np.isfinite(img).all():
                answer["wrong"].append(f"{split} {idx}: {img.shape}")
            labels.append(label)
        answer["parts"][split] = len(dataset)
        answer["labels"][split] = sum(labels)
        with open(root / "splits" / f"{split}.csv", newline="", encoding="utf-8") as file:
            listed = [(row["image_id"], row["filename"], int(row["has_defect"])) for row in csv.DictReader(file)]
        if sorted(listed) != sorted(dataset.rows):
            answer["wrong"].append(f"{split}.csv is not what the database says")
    connection = sqlite3.connect(database)
    answer["integrity"] = connection.execute("PRAGMA integrity_check").fetchone()[0]
    answer["foreign_keys"] = len(connection.execute("PRAGMA foreign_key_check").fetchall())
    # The four tables keep the columns that anything written against them names.
    columns = {
        "images": "image_id, filename, centre_x, centre_y, core_r, clad_r, ferrule_r, has_defect, split",
        "region_intensity": "image_id, region, mean, std, min, max, p25, p50, p75",
        "defects": "image_id, defect_id, dtype, severity, x, y, area_px, confidence",
        "correlations": "image_id_a, image_id_b, pearson, spearman",
    }
    for table, names in columns.items():
        found = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
        if found[: len(names.split(", "))] != names.split(", "):
            answer["wrong"].append(f"{table} has {found}")
    return answer


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]))))
