"""Bright spots: places far above the picture's median. Copy it into a workspace's plugins/ folder."""
import numpy as np

FERRULE = {
    "id": "bright-spots",
    "version": "1.0.0",
    "slot": "detect",
    "summary": "Spots far above the picture's median",
    "parameters": {
        "above": {"default": 60, "low": 1, "high": 255, "unit": "gray", "help": "How far above the median"},
    },
}


def detect(image, scene):
    # Of 3x3 pixels at a time: one that stands alone is noise.
    around, (height, width) = np.pad(image.astype(np.uint16), 1, mode="edge"), image.shape
    total = sum(around[y : y + height, x : x + width] for y in range(3) for x in range(3))
    return total > 9 * (np.median(image) + scene.parameters["above"])
