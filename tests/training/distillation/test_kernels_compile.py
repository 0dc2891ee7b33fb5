"""Triton's kernels compile for a GPU, without one. The interpreter would run what its compiler refuses."""

import os
import subprocess
import sys

import pytest

PROGRAM = """
import sys
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from textbook.training.distillation import attention_kernels, relation_kernels

POINTERS = {"Q", "K", "V", "OUT", "DO", "DQ", "DK", "DV", "T", "S", "G"}
FP32 = {"LOGS", "DELTAS", "LOSSES", "WEIGHTS", "LOGS_T", "LOGS_S"}
CONSTANTS = dict(
    D=32, DP=32, ABOVE=0, TILE=int(sys.argv[2]), DROPS=True, DT=16, DTP=16, DS=6, DSP=16, EACH=8
)
TYPES = {"STARTS": "*i32", "LENGTHS": "*i32", "SEED": "*i64", "scale": "fp32", "drop": "fp32"}
TYPES |= {"scale_t": "fp32", "scale_s": "fp32"}
for module in (attention_kernels, relation_kernels):
    for name, kernel in vars(module).items():
        if isinstance(kernel, triton.JITFunction) and kernel.__module__ == module.__name__ and name[0] != "_":
            kind = sys.argv[1]
            signature, constants = {}, {}
            for argument in kernel.arg_names:
                if argument in CONSTANTS:
                    signature[argument], constants[argument] = "constexpr", CONSTANTS[argument]
                else:
                    known = f"*{kind}" if argument in POINTERS else "*fp32" if argument in FP32 else "i32"
                    signature[argument] = TYPES.get(argument, known)
            source = ASTSource(fn=kernel, signature=signature, constexprs=constants)
            compiled = triton.compile(source, target=GPUTarget("cuda", 90, 32), options={"num_warps": 4})
            print(name, len(compiled.asm["cubin"]), compiled.metadata.shared)
"""


@pytest.mark.parametrize(
    ("precision", "tile"),
    [("bf16", 16), *(pytest.param(kind, 64, marks=pytest.mark.slow) for kind in ("bf16", "fp32"))],
)
def test_all_kernels_compile_for_an_h100(precision, tile, tmp_path):
    path = tmp_path / "compile_kernels.py"  # Triton reads the source of a kernel from its file
    path.write_text(PROGRAM)
    clean = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    completed = subprocess.run(
        [sys.executable, path, precision, str(tile)],
        capture_output=True,
        text=True,
        env={**clean, "TRITON_CACHE_DIR": str(tmp_path / "cache")},
    )
    assert completed.returncode == 0, completed.stderr[-3000:]
    sizes = {line.split()[0]: int(line.split()[2]) for line in completed.stdout.splitlines()}
    assert len(sizes) == 8
    assert max(sizes.values()) < 228 * 1024 // 2  # shared memory of an H100: two programs fit at least
