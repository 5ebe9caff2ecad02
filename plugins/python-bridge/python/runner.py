"""The Python side of Ferrule's bridge: loads one plug-in file and answers questions about pictures until its input ends.

Started by the bridge as `python -c <this> MEMORY SCRIPT`. MEMORY is the number of an inherited descriptor: the memory in
which the bridge lays pictures and finds masks. Questions come as JSON, one a line, on standard input; answers go the same
way to what was standard output. Whatever the plug-in prints goes to standard error.

Layout of the memory for a picture of width x height, offsets from the question:
  pixels_at  rows without padding: uint8, uint16 in the machine's order, or three uint8 red, green, blue
  labels_at  uint8 a pixel: 0 no zone, 1 core, 2 cladding, 3 adhesive, 4 ferrule
  found_at   uint16 a pixel, written here: 0 nothing, k the k-th defect of the answer
"""
import ctypes
import importlib.metadata
import importlib.util
import inspect
import json
import mmap
import os
import platform
import sys
import traceback
import types

KINDS = ("scratch", "pit", "chip", "particle", "residue", "anomaly")
SLOTS = ("segment", "detect", "measure")


class Refused(Exception):
    """Something about the plug-in or its answer that its author can mend."""


def environment():
    """What may change an answer beside the plug-in's own files."""
    found = [f"{platform.python_implementation()} {platform.python_version()}"]
    for name in ("numpy", "opencv-python", "opencv-python-headless", "opencv-contrib-python"):
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            pass
    return ", ".join(found)


def load(path):
    """The plug-in as a module; modules beside it can be imported."""
    sys.path.insert(0, os.path.dirname(path))
    spec = importlib.util.spec_from_file_location("ferrule_plugin", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def parameter(name, given):
    if not isinstance(given, dict) or "default" not in given:
        raise Refused(f"parameter {name!r} needs a dict with a \"default\"")
    default = given["default"]
    described = {"name": name, "default": default, "unit": str(given.get("unit", "")), "help": str(given.get("help", ""))}
    if isinstance(default, bool):
        described["kind"] = "bool"
    elif isinstance(default, (int, float)):
        if "low" not in given or "high" not in given:
            raise Refused(f"parameter {name!r} is a number and needs \"low\" and \"high\"")
        whole = all(isinstance(given[key], int) for key in ("default", "low", "high"))
        kind = int if whole else float
        described.update(kind="integer" if whole else "real", default=kind(default), low=kind(given["low"]), high=kind(given["high"]))
    elif isinstance(default, str):
        options = given.get("options")
        described["kind"] = "text" if options is None else "choice"
        if options is not None:
            described["options"] = [str(option) for option in options]
    else:
        raise Refused(f"parameter {name!r} has a default that is no bool, number or text")
    return described


def describe(module):
    about = getattr(module, "FERRULE", None)
    if not isinstance(about, dict):
        raise Refused("it has no dict FERRULE that describes it")
    missing = [key for key in ("id", "version", "slot") if not isinstance(about.get(key), str)]
    if missing:
        raise Refused(f"its FERRULE lacks {', '.join(missing)}")
    if about["slot"] not in SLOTS:
        raise Refused(f"its slot is {about['slot']!r}, expected one of {', '.join(SLOTS)}")
    if not callable(getattr(module, about["slot"], None)):
        raise Refused(f"its slot is {about['slot']}, and it has no function {about['slot']}(image, scene)")
    unknown = set(about) - {"id", "version", "slot", "summary", "accepts", "parameters"}
    if unknown:
        raise Refused(f"its FERRULE has unknown keys: {', '.join(sorted(unknown))}")
    return {
        "id": about["id"],
        "version": about["version"],
        "slot": about["slot"],
        "summary": str(about.get("summary", "")),
        "accepts": [str(name) for name in about.get("accepts", [])],
        "parameters": [parameter(name, given) for name, given in about.get("parameters", {}).items()],
    }


class Pictures:
    """Views onto the shared memory."""

    def __init__(self, descriptor):
        self.descriptor = descriptor
        self.memory = None

    def map(self, question):
        if self.memory is None or len(self.memory) < question["bytes"]:
            self.memory = mmap.mmap(self.descriptor, question["bytes"])

    def array(self, question, key, kind, planes=1):
        height, width = question["height"], question["width"]
        shape = (height, width) if planes == 1 else (height, width, planes)
        return np.ndarray(shape, kind, self.memory, question[key])

    def picture(self, question):
        kind, planes = {"gray8": (np.uint8, 1), "gray16": (np.uint16, 1), "rgb8": (np.uint8, 3)}[question["format"]]
        image = self.array(question, "pixels_at", kind, planes)
        image.flags.writeable = False
        return image


def region(shape, item, number):
    """The pixels of one reported defect, as (rows, columns, mask or True)."""
    height, width = shape
    mask, box = item.get("mask"), item.get("bbox")
    if box is not None:
        x, y, w, h = (int(value) for value in box)
        if w < 1 or h < 1 or x < 0 or y < 0 or x + w > width or y + h > height:
            raise Refused(f"defect {number}: its bbox {[x, y, w, h]} is not in the picture of {width} x {height}")
        rows, columns = slice(y, y + h), slice(x, x + w)
        if mask is None:
            return rows, columns, True
        mask = np.asarray(mask, dtype=bool)
        if mask.shape not in ((h, w), (height, width)):
            raise Refused(f"defect {number}: its mask is {mask.shape}, expected {(h, w)} or {(height, width)}")
        return rows, columns, mask if mask.shape == (h, w) else mask[rows, columns]
    if mask is None:
        raise Refused(f"defect {number} has neither mask nor bbox")
    mask = np.asarray(mask, dtype=bool)
    if mask.shape != (height, width):
        raise Refused(f"defect {number}: its mask is {mask.shape}, expected {(height, width)}")
    return slice(None), slice(None), mask


def plain(value):
    """A scalar as JSON takes it."""
    if isinstance(value, np.generic):
        value = value.item()
    return value if isinstance(value, (bool, int, float, str)) else str(value)


def told(item):
    """What a defect's dict says beside its pixels."""
    kind = str(item.get("type", "anomaly"))
    if kind not in KINDS:
        raise Refused(f"a defect's type is {kind!r}, expected one of {', '.join(KINDS)}")
    severity = item.get("severity")
    return {
        "type": kind,
        "confidence": float(item.get("confidence", 0.8)),
        "severity": None if severity is None else str(severity).upper(),
        "attributes": {str(name): plain(value) for name, value in item.get("attributes", {}).items()},
    }


def detections(answer, found):
    """Lays the masks out and says what they are."""
    found[...] = 0
    if answer is None:
        return {"defects": [], "split": False}
    if isinstance(answer, np.ndarray):
        if answer.shape != found.shape:
            raise Refused(f"it returned an array of {answer.shape}, expected the picture's {found.shape}")
        if answer.dtype == bool:
            found[answer] = 1
            return {"defects": [told({})], "split": True}
        if not np.issubdtype(answer.dtype, np.integer):
            raise Refused(f"it returned an array of {answer.dtype}, expected bool (a mask) or integers (a label a defect)")
        labels = np.unique(answer[answer > 0])
        if len(labels) > 65535:
            raise Refused(f"it returned {len(labels)} defects, at most 65535 can be told apart")
        found[...] = np.where(answer > 0, np.searchsorted(labels, answer) + 1, 0)
        return {"defects": [told({}) for _ in labels], "split": False}
    items = list(answer)
    if len(items) > 65535:
        raise Refused(f"it returned {len(items)} defects, at most 65535 can be told apart")
    for number, item in enumerate(items, 1):
        if not isinstance(item, dict):
            raise Refused(f"defect {number} is {type(item).__name__}, expected a dict")
        rows, columns, mask = region(found.shape, item, number)
        found[rows, columns][mask] = number
    return {"defects": [told(item) for item in items], "split": False}


def outlines(answer):
    zones = {}
    for name, zone in (answer or {}).items():
        if zone is not None:
            radius = zone.get("r")
            numbers = {"cx": zone["cx"], "cy": zone["cy"], "ax": zone.get("ax", radius), "by": zone.get("by", radius)}
            zones[str(name)] = {key: float(value) for key, value in numbers.items()}
            zones[str(name)].update(angle_deg=float(zone.get("angle_deg", 0.0)), confidence=float(zone.get("confidence", 0.5)))
    return {"zones": zones}


def features(answer):
    found = []
    for name, value in (answer or {}).items():
        value, unit = value if isinstance(value, tuple) else (value, "")
        where, name = name if isinstance(name, tuple) else ("image", name)
        found.append([str(where), str(name), float(value), str(unit)])
    return {"features": found}


def call(function, image, scene):
    # A function of the picture alone is fine too.
    takes = [p for p in inspect.signature(function).parameters.values() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return function(image) if len(takes) == 1 else function(image, scene)


def answer(module, slot, pictures, question):
    pictures.map(question)
    labels = pictures.array(question, "labels_at", np.uint8)
    labels.flags.writeable = False
    scene = types.SimpleNamespace(
        labels=labels,
        zones=question["zones"],
        um_per_px=question["um_per_px"],
        pixel_aspect=question["pixel_aspect"],
        parameters=question["parameters"],
        defects=question["defects"],
    )
    result = call(getattr(module, slot), pictures.picture(question), scene)
    if slot == "detect":
        return detections(result, pictures.array(question, "found_at", np.uint16))
    return outlines(result) if slot == "segment" else features(result)


def line_of(error, script):
    """One line: what went wrong, and where in the plug-in."""
    text = " ".join(str(error).split())
    if isinstance(error, Refused):
        return text
    if isinstance(error, SyntaxError):
        return f"SyntaxError: {error.msg} ({os.path.basename(error.filename or script)} line {error.lineno})"
    folder = os.path.dirname(script)
    ours = [frame for frame in traceback.extract_tb(error.__traceback__) if os.path.dirname(frame.filename) == folder]
    place = f" ({os.path.basename(ours[-1].filename)} line {ours[-1].lineno})" if ours else ""
    return f"{type(error).__name__}: {text}{place}"


def main():
    global np
    # PR_SET_PDEATHSIG, SIGKILL: nobody would end this process if the bridge were killed in a call.
    ctypes.CDLL(None).prctl(1, 9, 0, 0, 0)
    descriptor, script = int(sys.argv[1]), sys.argv[2]
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    questions = os.fdopen(os.dup(0), "r", encoding="utf-8")
    os.dup2(2, 1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)

    def say(message):
        answers.write(json.dumps(message) + "\n")
        answers.flush()

    try:
        import numpy as np
    except ImportError as error:
        return say({"error": f"NumPy is missing in {sys.executable} ({error}); run: {sys.executable} -m pip install numpy"})
    try:
        module = load(script)
        about = describe(module)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return say({"error": line_of(error, script)})
    say({"hello": {"environment": environment(), "descriptor": about}})
    pictures = Pictures(descriptor)
    for line in questions:
        try:
            message = {"answer": answer(module, about["slot"], pictures, json.loads(line))}
        except BaseException as error:
            traceback.print_exc()
            message = {"error": line_of(error, script)}
        say(message)


main()
