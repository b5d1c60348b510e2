#!/usr/bin/env python3
"""What llvm-mca says of the inner loops of the NEON kernels: cycles for 16 multiply-adds, and the share of the processor's peak.

    cycles.py [PATTERN] [--mca llvm-mca-19]

Needs Go, aarch64-linux-gnu-objdump and llvm-mca 18 or later. It models no memory, and knows Apple's processors from the A7 on
by that one alone: an M1 does twice as many multiply-adds in a cycle. A Cortex-A76 does as many as a Neoverse N1, of which it is
the twin, but is modelled by the A57.
"""
import argparse
import os
import pathlib
import re
import subprocess
import tempfile

CPUS = {"apple-m1": 2, "neoverse-v1": 4, "neoverse-n1": 2, "cortex-a76": 1}  # fmla of four float32 that it does in a cycle
ITERATIONS = 100
FMLA = re.compile(r"^fmla\s+v\d+\.4s, v\d+\.4s, v\d+\.4s$")  # those by element belong to the decoders of blocks


def disassemble(folder: str) -> dict[str, list[tuple[int, str]]]:
    """Instructions of each function, with their addresses."""
    kernel = pathlib.Path(__file__).resolve().parents[2]
    binary = os.path.join(folder, "kernel.test")
    environment = os.environ | {"GOOS": "linux", "GOARCH": "arm64", "CGO_ENABLED": "0"}
    subprocess.run(["go", "test", "-c", "-o", binary, "."], cwd=kernel, env=environment, check=True)
    text = subprocess.run(["aarch64-linux-gnu-objdump", "-d", "--no-show-raw-insn", binary], capture_output=True, text=True, check=True).stdout
    functions, current = {}, None
    for line in text.splitlines():
        if name := re.match(r"^[0-9a-f]+ <(.*)>:$", line):
            neon = re.search(r"internal/kernel\.(\w+NEON)\.abi0$", name[1])
            current = functions.setdefault(neon[1], []) if neon else None
        elif current is not None and (part := re.match(r"^\s*([0-9a-f]+):\s+(\S.*)$", line)):
            current.append((int(part[1], 16), re.sub(r"\s*(<.*)?(//.*)?$", "", part[2]).replace("\t", " ").strip()))
    return functions


def loops(code: list[tuple[int, str]]) -> list[list[str]]:
    """Bodies of the loops that have none inside, without their branches."""
    found = []
    for at, instruction in code:
        if jump := re.match(r"^(?:cbnz \w+,|b\.\w+) ?([0-9a-f]+)$", instruction):
            if (target := int(jump[1], 16)) <= at:
                found.append((target, at))
    inner = [a for a in found if not any(b != a and a[0] <= b[0] and b[1] <= a[1] for b in found)]
    branch = re.compile(r"^(cbnz|cbz|b|b\.\w+) ")
    return [[i for at, i in code if start <= at <= end and not branch.match(i)] for start, end in inner]


def cycles(mca: str, cpu: str, body: list[str]) -> float:
    command = [mca, "-mtriple=aarch64", "-mcpu=" + cpu, f"-iterations={ITERATIONS}", "-instruction-info=0", "-resource-pressure=0"]
    out = subprocess.run(command, input="\n".join(body), capture_output=True, text=True, check=True).stdout
    return int(re.search(r"Total Cycles:\s+(\d+)", out)[1]) / ITERATIONS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pattern", nargs="?", default="^(dot|tile)")
    parser.add_argument("--mca", default="llvm-mca-19")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        functions = disassemble(folder)
    print(f"{'':20s}" + "".join(f"{cpu:>20s}" for cpu in CPUS))
    for name, code in functions.items():
        if not re.search(args.pattern, name):
            continue
        body = max(loops(code), key=lambda body: (sum(map(bool, map(FMLA.match, body))), len(body)))
        multiplies = sum(map(bool, map(FMLA.match, body)))
        row = f"{name.removesuffix('NEON'):20s}"
        for cpu, peak in CPUS.items():
            n = cycles(args.mca, cpu, body)
            row += f"{n * 4 / multiplies:12.2f} {100 * multiplies / peak / n:5.0f} %" if multiplies else f"{n:12.1f}        "
        print(row)


if __name__ == "__main__":
    main()
