"""Bright spots: pixels far above the picture's median. Copy it into a workspace's plugins/ folder."""
import numpy as np

FERRULE = {
    "id": "bright-spots",
    "version": "1.0.0",
    "slot": "detect",
    "summary": "Pixels far above the picture's median",
    "parameters": {
        "above": {"default": 60, "low": 1, "high": 255, "unit": "gray", "help": "How far above the median"},
    },
}


def detect(image, scene):
    return image > np.median(image) + scene.parameters["above"]
