"""The GPU's kernel, compiled by NVRTC from its wheel for every generation: registers, spills and shared memory."""

import re

import pytest

from rollcast.predictors.recurrent import cuda_compiler

nvrtc = pytest.importorskip(
    "cuda.bindings.nvrtc", reason="no cuda-bindings here; pip install 'rollcast[gpu]' brings it"
)
try:
    nvrtc.nvrtcVersion()
except RuntimeError as error:
    pytest.skip(f"no NVRTC here: {error}", allow_module_level=True)
CAPABILITIES = [(8, 0), (8, 6), (8, 9), (9, 0), (12, 0)]
# Cell and units. A multiprocessor has 65,536 registers; a block has four threads for every unit.
NETS = [("Lstm", 16), ("Lstm", 32), ("Gru", 32), ("Rnn", 32), ("Gru", 64), ("Lstm", 64)]
FEW_SPILLS = 40  # bytes, in the functions that call the passes once an update or seldomer


def macros(cell, hidden):
    sizes = {"ROLLCAST_HIDDEN": hidden, "ROLLCAST_FEATURES": 4, "ROLLCAST_OUTPUTS": 1, "ROLLCAST_SHARED_WEIGHTS": 1}
    return {"ROLLCAST_CELL": cell, **sizes}


@pytest.mark.slow
@pytest.mark.parametrize(("cell", "hidden"), NETS)
@pytest.mark.parametrize("capability", CAPABILITIES)
def test_the_passes_spill_no_registers(cell, hidden, capability):
    binary, log = cuda_compiler.compile_kernel(macros(cell, hidden), capability, "--ptxas-options=-v")
    assert binary.startswith(b"\x7fELF")
    spills = re.findall(r"Function properties for (\S+)\s.*?(\d+) bytes spill stores, (\d+) bytes spill loads", log)
    passes = [(int(stores), int(loads)) for name, stores, loads in spills if "forward" in name or "backward" in name]
    assert len(passes) == 2
    assert passes == [(0, 0), (0, 0)]
    assert all(int(stores) <= FEW_SPILLS and int(loads) <= FEW_SPILLS for _, stores, loads in spills)
    registers = max(int(count) for count in re.findall(r"Used (\d+) registers", log))
    assert registers * 4 * hidden * max(1, 256 // (4 * hidden)) <= 65_536


def test_a_kernel_that_does_not_compile_is_told():
    with pytest.raises(RuntimeError, match="NVRTC could not compile the kernel for sm_90"):
        cuda_compiler.compile_kernel(macros("NoSuchCell", 8), (9, 0))
