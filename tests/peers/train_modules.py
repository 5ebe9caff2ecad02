"""The networks of `plugins/torch/src/networks` as PyTorch modules, with the same names of their parts."""

import torch
from torch import nn
from torch.nn import functional


class Simple(nn.Module):
    """The source design's SimpleCNN."""

    def __init__(self, width=16, classes=2):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, width, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(width, 2 * width, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(2 * width, 4 * width, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1),
        )
        self.fc = nn.Linear(4 * width, classes)

    def forward(self, x):
        return self.fc(self.body(x).flatten(1))


class Block(nn.Module):
    def __init__(self, before, after, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(after)
        self.down = None
        if before != after or stride != 1:
            self.down = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))

    def forward(self, x):
        inner = functional.relu(self.bn1(self.conv1(x)))
        past = x if self.down is None else self.down(x)
        return functional.relu(self.bn2(self.conv2(inner)) + past)


class Resnet(nn.Module):
    def __init__(self, width=24, classes=2, pixels=False, planes=1):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(planes, width, 3, 2, 1, bias=False), nn.BatchNorm2d(width))
        sizes = [width * 2**stage for stage in range(4)]
        for stage, (before, after) in enumerate(zip([width, *sizes], sizes)):
            blocks = nn.Sequential(Block(before, after, 1 if stage == 0 else 2), Block(after, after, 1))
            setattr(self, f"layer{stage + 1}", blocks)
        self.pixels = pixels
        if pixels:
            for stage, size in enumerate(sizes):
                setattr(self, f"lateral{stage + 1}", nn.Conv2d(size, 2 * width, 1))
            self.out = nn.Conv2d(2 * width, classes, 3, padding=1)
        else:
            self.head = nn.Sequential(nn.Linear(8 * width, 2 * width), nn.ReLU(), nn.Linear(2 * width, classes))

    def forward(self, x):
        size = x.shape[2:]
        x = functional.relu(self.stem(x))
        stages = []
        for stage in range(1, 5):
            x = getattr(self, f"layer{stage}")(x)
            stages.append(x)
        if not self.pixels:
            return self.head(functional.adaptive_avg_pool2d(x, 1).flatten(1))
        total = None
        for stage in range(4, 0, -1):
            here = getattr(self, f"lateral{stage}")(stages[stage - 1])
            if total is not None:
                here = here + functional.interpolate(total, here.shape[2:], mode="nearest")
            total = here
        return functional.interpolate(self.out(functional.relu(total)), size, mode="bilinear", align_corners=False)


def double(before, after):
    return nn.Sequential(
        nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU(),
        nn.Conv2d(after, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU(),
    )


class Unet(nn.Module):
    def __init__(self, width=16, classes=2, planes=1):
        super().__init__()
        w = width
        self.enc1, self.enc2, self.enc3 = double(planes, w), double(w, 2 * w), double(2 * w, 4 * w)
        self.mid = double(4 * w, 8 * w)
        self.dec3, self.dec2, self.dec1 = double(12 * w, 4 * w), double(6 * w, 2 * w), double(3 * w, w)
        self.out4, self.out3 = nn.Conv2d(8 * w, classes, 1), nn.Conv2d(4 * w, classes, 1)
        self.out2, self.out1 = nn.Conv2d(2 * w, classes, 1), nn.Conv2d(w, classes, 1)

    def forward(self, x):
        height, width = x.shape[2:]
        x = functional.pad(x, (0, -width % 8, 0, -height % 8), mode="replicate") if width % 8 or height % 8 else x
        first = self.enc1(x)
        second = self.enc2(functional.max_pool2d(first, 2))
        third = self.enc3(functional.max_pool2d(second, 2))
        x = self.mid(functional.max_pool2d(third, 2))
        scores = self.out4(x)
        levels = ((third, self.dec3, self.out3), (second, self.dec2, self.out2), (first, self.dec1, self.out1))
        for across, level, out in levels:
            size = across.shape[2:]
            x = level(torch.cat([functional.interpolate(x, size, mode="nearest"), across], 1))
            scores = out(x) + functional.interpolate(scores, size, mode="nearest")
        return scores[:, :, :height, :width]


def build(network, task, width, classes, planes=1):
    """The module that a model's card describes."""
    if network == "simple":
        return Simple(width, classes)
    if network == "resnet":
        return Resnet(width, classes, pixels=task == "defects", planes=planes)
    return Unet(width, classes, planes)
