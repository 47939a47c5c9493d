"""Prints the devices of this machine, one a line: `python -m workers.encoders.devices`.

A program of its own, because whoever supervises workers needs no torch in its memory, and no context on a device.
"""

import sys

import torch


def all_devices() -> list[str]:
    """Every CUDA device that this process may see; without one Apple's, or the CPU."""
    if torch.cuda.is_available():
        return [f"cuda:{number}" for number in range(torch.cuda.device_count())]
    return ["mps"] if torch.backends.mps.is_available() else ["cpu"]


if __name__ == "__main__":
    sys.stdout.write("\n".join(all_devices()))
