"""A dataset read by TensorFlow and by PyTorch, as people train with them.

usage: heavy.py DATASET        (with tfrecords/ and splits)

TensorFlow iterates the shards and decodes pictures and masks; PyTorch trains one step on a data set that asks the database
as the source design's reader class does. Prints one JSON object.
"""
import json
import os
import sqlite3
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
import tensorflow as tf
import torch
from PIL import Image

root = Path(sys.argv[1])
database = sqlite3.connect(f"file:{root / 'index.sqlite'}?mode=ro", uri=True)
sizes = {i: (h, w) for i, h, w in database.execute("SELECT image_id, height, width FROM images")}
text, numbers = tf.io.VarLenFeature(tf.string), tf.io.VarLenFeature(tf.float32)
wanted = {"image/encoded": tf.io.FixedLenFeature([], tf.string), "image/source_id": tf.io.FixedLenFeature([], tf.string),
          "image/label": tf.io.FixedLenFeature([], tf.int64), "image/object/bbox/xmin": numbers, "image/object/mask": text}
seen = set()
for shard in sorted(map(str, (root / "tfrecords").glob("*.tfrecord"))):
    for record in tf.data.TFRecordDataset(shard):
        example = tf.io.parse_single_example(record, wanted)
        image = example["image/source_id"].numpy().decode()
        picture = tf.io.decode_image(example["image/encoded"], channels=1)
        assert tuple(picture.shape[:2]) == sizes[image], (image, picture.shape)
        masks = [tf.io.decode_png(mask) for mask in tf.sparse.to_dense(example["image/object/mask"])]
        assert all(tuple(mask.shape[:2]) == sizes[image] and tf.reduce_max(mask) == 255 for mask in masks)
        assert len(masks) == len(tf.sparse.to_dense(example["image/object/bbox/xmin"]))
        seen.add(image)


class Images(torch.utils.data.Dataset):
    """What the source design's class asks, and where it looks for pictures."""

    def __init__(self, folder, split):
        rows = sqlite3.connect(folder / "index.sqlite").execute(
            "SELECT image_id, filename, has_defect FROM images WHERE split=?", (split,))
        self.folder, self.rows = folder, rows.fetchall()

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, place):
        _, filename, label = self.rows[place]
        picture = Image.open(self.folder / "images" / filename).convert("L").resize((256, 256))
        return torch.from_numpy(np.asarray(picture, np.float32) / 127.5 - 1)[None], int(label)


torch.manual_seed(0)
pictures = Images(root, "train")
loader = torch.utils.data.DataLoader(pictures, batch_size=4, shuffle=True)
network = torch.nn.Sequential(torch.nn.Conv2d(1, 8, 3), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(),
                              torch.nn.Linear(8, 2))
optimiser = torch.optim.Adam(network.parameters())
inputs, labels = next(iter(loader))
loss = torch.nn.functional.cross_entropy(network(inputs), labels)
loss.backward()
optimiser.step()
print(json.dumps({"tfrecord": len(seen), "train": len(pictures), "loss": loss.item(),
                  "tensorflow": tf.__version__, "torch": torch.__version__}))
