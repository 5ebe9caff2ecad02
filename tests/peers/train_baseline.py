"""The source design's training script, made to run: PyTorch, a DataLoader with four workers, OpenCV reading and resizing.

    train_baseline.py DATASET [--network simple|unet] [--epochs 3] [--batch 32] [--threads N] [--improved] [--plain] [--save-init FILE]

`--improved` gives it our two tricks: channels-last input, and an allocator that keeps its pages. For `unet` the dataset's
masks of defects are the target, one class for all kinds. Prints one JSON object an epoch: images a second, loss.
`--plain` varies and shuffles nothing; `--save-init` keeps the weights it begins with. Needs torch, numpy, cv2 (and safetensors
with --save-init).
"""

import argparse
import ctypes
import json
import pathlib
import random
import sqlite3
import time

import cv2
import numpy
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

import train_modules


class FiberDataset(Dataset):
    def __init__(self, root, split, network, size, augment):
        self.root, self.network, self.size, self.augment = root, network, size, augment
        with sqlite3.connect(root / "index.sqlite") as database:
            self.rows = database.execute(
                "SELECT image_id, filename, has_defect FROM images WHERE split = ? ORDER BY image_id", (split,)
            ).fetchall()

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        image_id, name, label = self.rows[index]
        picture = cv2.imread(str(self.root / "images" / name), cv2.IMREAD_GRAYSCALE)
        target = label
        if self.network == "unet":
            target = numpy.zeros(picture.shape, numpy.uint8)
            for path in (self.root / "defects").glob(f"{image_id}_*_mask.png"):
                target |= (cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) > 0).astype(numpy.uint8)
            target = cv2.resize(target, (self.size, self.size), interpolation=cv2.INTER_NEAREST)
        if self.augment and random.random() < 0.5:
            picture = cv2.flip(picture, 1)
            target = cv2.flip(target, 1) if self.network == "unet" else target
        picture = cv2.resize(picture, (self.size, self.size))
        x = torch.from_numpy(picture).float().div(127.5).sub(1).unsqueeze(0)
        return x, torch.as_tensor(target, dtype=torch.long)


def keep_pages():
    """M_ARENA_MAX, M_MMAP_MAX, M_TRIM_THRESHOLD of glibc's mallopt."""
    libc = ctypes.CDLL(None)
    for setting, value in ((-8, 1), (-4, 0), (-1, 2**31 - 1)):
        libc.mallopt(setting, value)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("root", type=pathlib.Path)
    parser.add_argument("--network", default="simple", choices=["simple", "unet"])
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--improved", action="store_true")
    parser.add_argument("--plain", action="store_true")
    parser.add_argument("--save-init", type=pathlib.Path)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    given = parser.parse_args()
    if given.improved:
        keep_pages()
    if given.threads:
        torch.set_num_threads(given.threads)
    torch.manual_seed(0)
    net = train_modules.build(given.network, "defects" if given.network == "unet" else "classify", 16, 2)
    if given.save_init:
        from safetensors.torch import save_file

        save_file(net.state_dict(), given.save_init)
    net.to(given.device)
    train = FiberDataset(given.root, "train", given.network, given.size, augment=not given.plain)
    loader = DataLoader(train, given.batch, shuffle=not given.plain, num_workers=4)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    criterion = nn.CrossEntropyLoss()
    for epoch in range(1, given.epochs + 1):
        net.train()
        start, total = time.perf_counter(), 0.0
        for x, y in loader:
            x, y = x.to(given.device), y.to(given.device)
            if given.improved:
                n, _, height, width = x.shape
                x = x.as_strided((n, 1, height, width), (height * width, 1, width, 1))
            optimizer.zero_grad()
            loss = criterion(net(x), y)
            loss.backward()
            optimizer.step()
            total += float(loss.detach()) * len(x)
        seconds = time.perf_counter() - start
        told = {"epoch": epoch, "images_per_second": len(train) / seconds, "loss": total / max(1, len(train))}
        print(json.dumps(told), flush=True)


main()
