#!/usr/bin/env python3
"""Run exported networks with `trefoil infer --check`, and tabulate time, traffic, errors and memory.

    python measure.py --nets target/nets                        # all networks there, one picture
    python measure.py --nets target/nets --count 4 --batch=2 resnet18
    python measure.py --nets target/nets --backend fixed
    python measure.py --nets target/nets --ring=32              # other options of `trefoil infer`, with =

Memory is the largest resident set of each process, as Linux counts it (VmHWM). Only Python's standard
library and numpy are needed.
"""

import argparse
import json
import pathlib
import subprocess
import tempfile
import threading
import time

import numpy


def children(process: int) -> list[int]:
    """The processes that `process` has started."""
    found = []
    for task in pathlib.Path(f"/proc/{process}/task").iterdir():
        try:
            found += [int(child) for child in (task / "children").read_text().split()]
        except OSError:
            continue
    return found


def peak(process: int) -> int:
    """Largest resident set up to now, in bytes; 0 for a process that is gone."""
    try:
        status = pathlib.Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0
    line = next((line for line in status.splitlines() if line.startswith("VmHWM")), "VmHWM: 0")
    return int(line.split()[1]) * 1024


def run(command: list[str]) -> tuple[dict, dict[int, int]]:
    """The report of `command`, and the peak memory of it and its children, in the order of their start."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    peaks: dict[int, int] = {process.pid: 0}

    def watch() -> None:
        while process.poll() is None:
            try:
                for child in children(process.pid):
                    peaks.setdefault(child, 0)
            except OSError:
                pass
            for known in peaks:
                peaks[known] = max(peaks[known], peak(known))
            time.sleep(0.02)

    watcher = threading.Thread(target=watch)
    watcher.start()
    stdout, stderr = process.communicate()
    watcher.join()
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(command)}\n{stderr}")
    return json.loads(stdout), peaks


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("networks", nargs="*", metavar="NAME", help="[default: all in the folder]")
    parser.add_argument("--nets", type=pathlib.Path, required=True, help="folder of export.py")
    parser.add_argument("--trefoil", default="target/release/trefoil", help="the program")
    parser.add_argument("--backend", default="secure", choices=["clear", "fixed", "secure"])
    parser.add_argument("--count", type=int, default=1, help="pictures")
    parser.add_argument("--json", type=pathlib.Path, help="also write all reports to this file")
    arguments, options = parser.parse_known_args()

    networks = arguments.networks
    if not networks:
        files = sorted(arguments.nets.glob("*.onnx"), key=lambda path: path.stat().st_size)
        networks = [path.stem for path in files]
    all_pictures = numpy.load(arguments.nets / "pictures.npy")
    reports = {}
    print("network        time s  set-up s  rounds    MB sent  labels  max error  mean error  vs ONNX RT  peak memory MB")
    with tempfile.TemporaryDirectory() as folder:
        pictures = pathlib.Path(folder) / "pictures.npy"
        answers = pathlib.Path(folder) / "answers.npy"
        numpy.save(pictures, all_pictures[: arguments.count])
        for name in networks:
            command = [arguments.trefoil, "infer", "--json", "--check", "--backend", arguments.backend]
            command += ["--model", str(arguments.nets / f"{name}.onnx"), "--input", str(pictures)]
            report, peaks = run([*command, "--output", str(answers), *options])
            expected = arguments.nets / f"{name}.expected.npy"
            apart = float("nan")
            if expected.exists():
                apart = abs(numpy.load(answers) - numpy.load(expected)[: arguments.count]).max()
            sent = sum(report.get("bytes_sent_per_party") or [0]) / 1e6
            check = report
            memory = " / ".join(f"{bytes / 1e6:.0f}" for bytes in peaks.values())
            reports[name] = {**report, "peak_memory_bytes": list(peaks.values()), "largest_difference_to_onnx_runtime": float(apart)}
            print(
                f"{name:13} {report['wall_s']:7.2f} {report['setup_s']:9.2f} {report.get('rounds') or 0:7} {sent:10.1f}"
                f" {check['label_agreement']:7.0%} {check['max_abs_error']:10.1e} {check['mean_abs_error']:11.1e}"
                f" {apart:11.1e}  {memory}",
                flush=True,
            )
    if arguments.json:
        arguments.json.write_text(json.dumps(reports, indent=1))


if __name__ == "__main__":
    main()
