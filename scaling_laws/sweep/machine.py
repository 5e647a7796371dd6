"""What this machine offers: cores, accelerators, a cache folder. Found out without importing JAX."""

import glob
import hashlib
import importlib.util
import math
import os
import platform
from pathlib import Path

_QUOTA = Path("/sys/fs/cgroup/cpu.max")
_CPUINFO = Path("/proc/cpuinfo")
SINGLE_THREADED = {
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NPROC": "1",  # the size of the thread pool that XLA's CPU client makes
}
HUGE_PAGES = "glibc.malloc.hugetlb=1"  # a dispatch asks for its scratch memory anew: 288 MB in small pages take .2 s


def cores() -> list[int]:
    """Numbers of the cores that this process may use, cut to a container's quota of CPU time."""
    allowed = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    return list(allowed)[: _quota()]


def _quota() -> int | None:
    try:
        limit, period = _QUOTA.read_text().split()
        return max(1, math.ceil(int(limit) / int(period)))
    except (OSError, ValueError):  # no such file, or `max`: no quota
        return None


def accelerator() -> bool:
    """Whether JAX will find a GPU or TPU: by `JAX_PLATFORMS`, else by devices together with an installed plugin."""
    wanted = os.environ.get("JAX_PLATFORMS", "")
    if wanted:
        return wanted.split(",")[0] != "cpu"
    nvidia = glob.glob("/dev/nvidia[0-9]*") and any(
        importlib.util.find_spec(name) for name in ("jax_cuda12_plugin", "jax_cuda13_plugin")
    )
    tpu = (glob.glob("/dev/accel*") or glob.glob("/dev/vfio/[0-9]*")) and importlib.util.find_spec("libtpu")
    return bool(nvidia or tpu)


def device_count() -> int:
    """How many accelerators JAX will find; 1 without any."""
    if not accelerator():
        return 1
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return max(1, len([name for name in named.split(",") if name.strip()]))
    return max(1, len(glob.glob("/dev/nvidia[0-9]*")), len(glob.glob("/dev/accel*")))


def worker_count(asked: int) -> int:
    """How many worker processes to run: `asked`, or when 0 one a core, and one in all on an accelerator."""
    return asked or (1 if accelerator() else len(cores()))


def worker_environment(single_threaded: bool | None = None) -> dict[str, str]:
    """Variables to set before a worker starts: by default one thread each on CPU, nothing on an accelerator."""
    if accelerator() if single_threaded is None else not single_threaded:
        return {}
    given, tunables = os.environ.get("XLA_FLAGS", ""), os.environ.get("GLIBC_TUNABLES", "")
    return SINGLE_THREADED | {
        "XLA_FLAGS": f"{given} {SINGLE_THREADED['XLA_FLAGS']}".strip(),
        "GLIBC_TUNABLES": f"{tunables}:{HUGE_PAGES}".lstrip(":"),
    }


def cache_folder() -> Path:
    """This user's folder for what can be made again: `$XDG_CACHE_HOME/scaling_laws`, `~/.cache/scaling_laws`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "scaling_laws"


def task_cache_folder() -> Path:
    """Folder of prepared tasks: tokens and the vocabularies behind them."""
    return cache_folder() / "tasks"


def compile_cache_folder() -> Path:
    """Folder of compiled programs, apart by kind of processor: a home may be shared by unlike machines."""
    return cache_folder() / "programs" / f"{platform.machine()}-{_processor()}"


def _processor() -> str:
    try:
        lines = _CPUINFO.read_text().splitlines()
    except OSError:
        lines = [platform.processor()]
    facts = sorted({line for line in lines if line.startswith(("model name", "flags", "Features", "CPU part"))})
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:8]
