"""Finding out what the machine can do."""

import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from tools.machine import Gpu, Machine, find_machine, parse_nvidia_smi

TWO = """0, GPU-aaaa-1, NVIDIA H200, 143771, 143000, 9.0, 570.1
1, GPU-bbbb-2, Tesla T4, 15360, [N/A], 7.5, 570.1
"""


def test_this_machine_has_cores_and_memory():
    """Whatever the machine, there is at least one core and some memory, and free memory is part of it."""
    machine = find_machine()
    assert machine.cpu_cores >= 1
    assert 0 < machine.free_memory_mb <= machine.memory_mb
    assert machine.device in ("cpu", "cuda")


def test_driver_lines_become_gpus():
    """Name, memory and compute capability are read; free memory that the driver does not tell counts as all of it."""
    first, second = parse_nvidia_smi(TWO, None)
    assert (first.name, first.memory_mb, first.free_memory_mb, first.bf16) == ("NVIDIA H200", 143771, 143000, True)
    assert (second.free_memory_mb, second.bf16) == (15360, False)


def test_visible_devices_choose_and_order():
    """CUDA_VISIBLE_DEVICES is obeyed as CUDA does: by index or UUID, stopping at the first unknown entry."""
    assert [gpu.name for gpu in parse_nvidia_smi(TWO, "1,0")] == ["Tesla T4", "NVIDIA H200"]
    assert [gpu.name for gpu in parse_nvidia_smi(TWO, "GPU-bbbb")] == ["Tesla T4"]
    assert [gpu.name for gpu in parse_nvidia_smi(TWO, "0,9,1")] == ["NVIDIA H200"]
    assert parse_nvidia_smi(TWO, "") == parse_nvidia_smi(TWO, "-1") == ()


@given(st.text(), st.none() | st.text())
def test_any_driver_output_is_survived(text, visible):
    """A broken driver prints anything; the answer is then a list without that GPU, not an exception."""
    assert isinstance(parse_nvidia_smi(text, visible), tuple)


def test_gpu_counts_only_with_a_cuda_build_of_torch():
    """A GPU that the installed torch cannot use leaves the device at cpu."""
    facts = {"cpu_cores": 4, "memory_mb": 8000, "free_memory_mb": 4000, "cpu_bf16": False}
    gpus = (Gpu(name="NVIDIA A100", memory_mb=40960, free_memory_mb=40000, compute_capability=8.0),)
    usable = Machine(**facts, gpus=gpus, torch_cuda="12.8")
    assert (usable.device, usable.precision) == ("cuda", "bf16")
    unusable = Machine(**facts, gpus=gpus, torch_cuda=None)
    assert (unusable.device, unusable.precision) == ("cpu", "fp32")
    assert "A100" in usable.summary
    assert "4 CPU cores" in unusable.summary


def test_looking_does_not_import_torch():
    """Planning must stay fast: the installed torch is identified without importing it."""
    code = "import sys; from tools.machine import find_machine; find_machine(); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
