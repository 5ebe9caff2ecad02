#!/usr/bin/env python3
"""The unit that inspections are measured in: JPEG files to gray by libjpeg-turbo, as OpenCV reads them, one thread.

  decode_gray.py FILE...      prints {"ms": median of the milliseconds a file takes}
"""
import json
import statistics
import sys
import time

import cv2


def main():
    cv2.setNumThreads(1)
    times = []
    for path in sys.argv[1:]:
        start = time.perf_counter()
        picture = cv2.imread(path, cv2.IMREAD_GRAYSCALE)
        times.append((time.perf_counter() - start) * 1e3)
        if picture is None:
            sys.exit(f"{path}: not a picture that OpenCV reads")
    print(json.dumps({"ms": statistics.median(times)}))


if __name__ == "__main__":
    main()
