"""Loads trained models as Python does, and event files as TensorBoard does.

    train_load.py [--models FOLDER] [--cases FOLDER] [RUN...]

For each `<name>.pt` of the models: `torch.load(weights_only=True)` gives a state dict that an equal module takes without a
word missing, and safetensors gives the same numbers. A folder of cases has folders with `input.npy`, `logits.npy` and a
model: there the module's logits are compared with ours to 1e-5, too. For each run TensorBoard's own reader has to find
every scalar of the journal. Needs torch, safetensors, tensorboard, numpy; prints one JSON object a thing compared, exit status 1 on the first
that differs.
"""

import argparse
import json
import pathlib
import sys

import numpy
import safetensors
import safetensors.torch
import torch

import train_modules


def card_of(path):
    with safetensors.safe_open(path, "pt") as file:
        return json.loads(file.metadata()["ferrule"])


def module_of(card, state):
    module = train_modules.build(card["network"], card["task"], card["width"], len(card["classes"]), 2 if card["input"]["levels"] == "zones" else 1)
    missing, unexpected = module.load_state_dict(state, strict=False)
    missing = [name for name in missing if not name.endswith("num_batches_tracked")]
    if missing or unexpected:
        sys.exit(f"state dict: missing {missing}, unexpected {unexpected}")
    return module.eval()


def check_model(path):
    state = torch.load(path, weights_only=True)
    other = path.with_suffix(".safetensors")
    same = safetensors.torch.load_file(other)
    if sorted(state) != sorted(same) or not all(torch.equal(state[name], same[name]) for name in state):
        sys.exit(f"{path} and {other} hold different numbers")
    module_of(card_of(other), state)
    numbers = sum(value.numel() for value in state.values())
    print(json.dumps({"model": path.name, "tensors": len(state), "numbers": numbers}))


def check_case(folder):
    path = folder / "model.pt"
    check_model(path)
    module = module_of(card_of(path.with_suffix(".safetensors")), torch.load(path, weights_only=True))
    with torch.no_grad():
        logits = module(torch.from_numpy(numpy.load(folder / "input.npy"))).numpy()
    expected = numpy.load(folder / "logits.npy")
    scale = max(1.0, float(numpy.abs(expected).max()))
    worst = float(numpy.abs(logits - expected).max()) / scale
    print(json.dumps({"case": folder.name, "worst": worst}))
    if not worst < 1e-5:
        sys.exit(f"{folder}: logits differ by {worst}")


def check_run(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    board = EventAccumulator(str(folder), size_guidance={"scalars": 0, "images": 0})
    board.Reload()
    expected = {}
    for line in (folder / "journal.jsonl").read_text().splitlines():
        event = json.loads(line)
        if event["event"] not in ("epoch", "test"):
            continue
        for name, value in event.items():
            if isinstance(value, (int, float)) and not isinstance(value, bool) and name != "epoch":
                split, _, rest = name.partition("_")
                tag = f"{split}/{rest}" if split in ("train", "val", "test") else name
                expected[(tag, event["epoch"])] = value
    for (tag, epoch), value in expected.items():
        found = [scalar.value for scalar in board.Scalars(tag) if scalar.step == epoch]
        if not any(abs(it - value) <= 1e-6 * max(1.0, abs(value)) for it in found):
            sys.exit(f"{folder}: {tag} of epoch {epoch} is {found}, expected {value}")
    print(json.dumps({"run": folder.name, "scalars": len(expected), "pictures": len(board.Tags()["images"])}))


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("runs", type=pathlib.Path, nargs="*")
    arguments.add_argument("--models", type=pathlib.Path)
    arguments.add_argument("--cases", type=pathlib.Path)
    given = arguments.parse_args()
    for path in sorted(given.models.glob("*.pt")) if given.models else []:
        check_model(path)
    for folder in sorted(given.cases.iterdir()) if given.cases else []:
        check_case(folder)
    for folder in given.runs:
        check_run(folder)


main()
