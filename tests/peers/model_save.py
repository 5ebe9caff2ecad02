"""Saves the networks as people save them: a state dict, a checkpoint around one, TorchScript, half numbers, and safetensors.

    model_save.py FOLDER

Every file of a network holds the same weights; `<network>.safetensors` is what an import has to say of them. Prints the
files, one a line.
"""

import pathlib
import sys

import safetensors.torch
import torch

import train_modules

folder = pathlib.Path(sys.argv[1])
torch.manual_seed(7)
for network, task in [("simple", "classify"), ("resnet", "classify"), ("unet", "defects")]:
    module = train_modules.build(network, task, 4, 2).eval()
    # Halves are exact then, in all of the files.
    module.load_state_dict({
        name: value.half().float() if value.is_floating_point() else value for name, value in module.state_dict().items()
    })
    state = module.state_dict()
    wanted = {name: value.contiguous() for name, value in state.items() if value.is_floating_point()}
    safetensors.torch.save_file(wanted, folder / f"{network}.safetensors")
    forms = {
        "state": lambda path: torch.save(state, path),
        "protocol4": lambda path: torch.save(state, path, pickle_protocol=4),
        "checkpoint": lambda path: torch.save({"epoch": 3, "lr": 1e-3, "state_dict": state, "best": None}, path),
        "parallel": lambda path: torch.save({f"module.{name}": value for name, value in state.items()}, path),
        "half": lambda path: torch.save(module.half().state_dict(), path),
        "script": lambda path: torch.jit.trace(module.float(), torch.zeros(1, 1, 32, 32)).save(str(path)),
    }
    for form, save in forms.items():
        path = folder / f"{network}-{form}.pt"
        save(path)
        print(path)
# What a careless script saves: the module itself, which only its own code can read.
torch.save(module, folder / "whole.pt")
