"""What this machine can do, found without importing torch: `plan` needs it in milliseconds and `doctor` prints it."""

import os
import runpy
import shutil
import subprocess
from pathlib import Path
from typing import Literal

from pydantic import Field

from trainers.spec import Closed

NVIDIA_SMI_TIMEOUT_SECONDS = 5.0
GPU_QUERY = ("index", "uuid", "name", "memory.total", "memory.free", "compute_cap", "driver_version")
BF16_COMPUTE_CAPABILITY = 8.0
"""Ampere and later multiply bf16 in tensor cores (CUDA C programming guide, arithmetic instructions)."""
BF16_CPU_FLAGS = frozenset({"avx512_bf16", "amx_bf16"})
"""Without one of these, bf16 on a CPU is emulated and slower than fp32."""


class Gpu(Closed):
    """One CUDA device as the driver reports it."""

    name: str
    memory_mb: int = Field(description="MiB")
    free_memory_mb: int = Field(description="MiB not in use by any process at the time of asking")
    compute_capability: float | None = None
    driver: str | None = None

    @property
    def bf16(self) -> bool:
        """Whether the device multiplies bf16 natively; assumed where the driver does not say."""
        return self.compute_capability is None or self.compute_capability >= BF16_COMPUTE_CAPABILITY


class Machine(Closed):
    """CPU, memory, GPUs, and whether the installed torch can use the latter."""

    cpu_cores: int = Field(description="usable by this process (affinity and container limits applied)")
    memory_mb: int = Field(description="MiB of host memory, or of the container's limit")
    free_memory_mb: int = Field(description="MiB that a new process can take without swapping")
    cpu_bf16: bool
    gpus: tuple[Gpu, ...] = ()
    torch_version: str | None = Field(None, description="None: not installed")
    torch_cuda: str | None = Field(None, description="CUDA version the installed torch was built for; None: CPU only")

    @property
    def device(self) -> Literal["cpu", "cuda"]:
        """Where trials run: the GPU where there is one that torch can use."""
        return "cuda" if self.gpus and self.torch_cuda else "cpu"

    @property
    def precision(self) -> Literal["fp32", "bf16"]:
        """bf16 where the device has instructions for it, else fp32."""
        if self.device == "cuda":
            return "bf16" if all(gpu.bf16 for gpu in self.gpus) else "fp32"
        return "bf16" if self.cpu_bf16 else "fp32"

    @property
    def summary(self) -> str:
        """One line for people: `2 CPU cores, 23 GB free, bf16` or `1 x NVIDIA H200 (139 GB), bf16`."""
        if self.device == "cuda":
            gpu = self.gpus[0]
            return f"{len(self.gpus)} x {gpu.name} ({gpu.memory_mb / 1024:.0f} GB), {self.precision}"
        cores = "1 CPU core" if self.cpu_cores == 1 else f"{self.cpu_cores} CPU cores"
        return f"{cores}, {self.free_memory_mb / 1024:.0f} GB memory free, {self.precision}"


def find_machine() -> Machine:
    """Look at this machine. Cost: milliseconds, plus up to five seconds of `nvidia-smi` where a driver is loaded."""
    import psutil

    memory = psutil.virtual_memory()
    limit, used = _container_memory()
    total = min(int(memory.total), limit) if limit else int(memory.total)
    free = min(int(memory.available), limit - used) if limit else int(memory.available)
    version, cuda = _torch_build()
    return Machine(
        cpu_cores=_cpu_cores(),
        memory_mb=total // 2**20,
        free_memory_mb=max(free, 0) // 2**20,
        cpu_bf16=_cpu_has_bf16(),
        gpus=_gpus(),
        torch_version=version,
        torch_cuda=cuda,
    )


def parse_nvidia_smi(text: str, visible: str | None) -> tuple[Gpu, ...]:
    """GPUs from `nvidia-smi --query-gpu=... --format=csv,noheader,nounits` lines, in the order of GPU_QUERY.

    `visible` is the value of CUDA_VISIBLE_DEVICES (indices or UUID prefixes; None: all). Lines that cannot be read
    (a device that has fallen off the bus) are left out.
    """
    rows = [[cell.strip() for cell in line.split(",")] for line in text.splitlines()]
    row_of = {row[0]: row for row in rows if len(row) == len(GPU_QUERY) and row[3].isdigit()}
    if visible is None:
        return tuple(_gpu(row) for row in row_of.values())
    devices = []
    for part in (part.strip() for part in visible.split(",")):
        row = row_of.get(part) or next((r for r in row_of.values() if part and r[1].startswith(part)), None)
        if row is None:
            break  # CUDA stops at the first entry it does not know; an empty value or -1 hides all
        devices.append(_gpu(row))
    return tuple(devices)


def _gpu(row: list[str]) -> Gpu:
    _, _, name, total, free, capability, driver = row
    return Gpu(
        name=name,
        memory_mb=int(total),
        free_memory_mb=int(free) if free.isdigit() else int(total),
        compute_capability=float(capability) if capability.replace(".", "", 1).isdigit() else None,
        driver=driver,
    )


def _gpus() -> tuple[Gpu, ...]:
    command = shutil.which("nvidia-smi")
    if command is None:
        return ()
    try:
        answer = subprocess.run(
            [command, f"--query-gpu={','.join(GPU_QUERY)}", "--format=csv,noheader,nounits"],
            capture_output=True,
            text=True,
            timeout=NVIDIA_SMI_TIMEOUT_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ()  # no working driver
    return parse_nvidia_smi(answer.stdout, os.environ.get("CUDA_VISIBLE_DEVICES"))


def _cpu_cores() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    quota = _first_line(Path("/sys/fs/cgroup/cpu.max")).split()
    if len(quota) == 2 and quota[0].isdigit():
        cores = min(cores, max(1, int(quota[0]) // int(quota[1])))
    return cores


def _container_memory() -> tuple[int | None, int]:
    """The control group's limit in bytes (None: none) and what is used of it, file cache that can go left out."""
    group = Path("/sys/fs/cgroup")
    limit, used = _first_line(group / "memory.max"), _first_line(group / "memory.current")
    if not (limit.isdigit() and used.isdigit()):
        return None, 0
    statistics = dict(line.split(" ", 1) for line in (group / "memory.stat").read_text(encoding="utf-8").splitlines())
    return int(limit), max(0, int(used) - int(statistics.get("inactive_file", 0)))


def _cpu_has_bf16() -> bool:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return False  # not Linux: fp32 is always right
    flags = next((line.partition(":")[2].split() for line in lines if line.startswith("flags")), [])
    return not BF16_CPU_FLAGS.isdisjoint(flags)


def _torch_build() -> tuple[str | None, str | None]:
    """Version and CUDA version of the installed torch, from its version file: importing it takes seconds."""
    from importlib.util import find_spec

    spec = find_spec("torch")
    if spec is None or spec.origin is None:
        return None, None
    facts = runpy.run_path(str(Path(spec.origin).with_name("version.py")))
    return facts["__version__"], facts["cuda"]


def _first_line(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").partition("\n")[0].strip()
    except OSError:
        return ""
