"""Whether this machine's GPU is a graphics card or a data-centre card, asked of the driver without choosing the GPU."""

from typing import Final

from .tensorrt_flavour import PLAIN, Gpu
from .tensorrt_rtx import is_consumer
from .tensorrt_runtime import describe_gpu, first_line, load_cuda
from .timeout_worker import TimeoutWorker, WorkerTimeout

LOOK_S: Final = 5.0  # how long a driver may take to say which GPU it has


def graphics_card(device: int = 0) -> tuple[bool, str]:
    """Whether GPU ``device`` is a card of the RTX series, and how that is known; False where it cannot be asked.

    Loads CUDA's binding and asks the driver in a thread of its own, for ``LOOK_S`` at most. Raises nothing.
    """

    def look() -> Gpu:
        return describe_gpu(load_cuda(PLAIN), device)

    worker = TimeoutWorker("which GPU")
    try:
        gpu = worker.call(look, LOOK_S)
    except WorkerTimeout:
        return False, f"the driver did not say within {LOOK_S:g} s which GPU it has"
    except Exception as error:  # noqa: BLE001 - whatever a driver's library raises, it is the reason
        return False, f"which GPU this is cannot be asked: {first_line(error)}"
    finally:
        worker.close(lambda: None, 0.0)
    card = f"{gpu.name} has compute capability {gpu.capability}"
    if is_consumer(gpu.capability):
        return True, f"{card}, a graphics card: TensorRT for RTX before TensorRT"
    return False, f"{card}, no graphics card of the RTX series: TensorRT before TensorRT for RTX"
