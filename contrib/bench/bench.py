#!/usr/bin/python3
"""CPU a query of rondo and others, as a multiple of an echo server of the same run. README.md says how it measures.

    contrib/bench/bench.py --build build/release [--workloads W1,W3] [--servers rondo,nsd] [--seconds 5] [--rounds 3]
"""

import argparse
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import servers  # noqa: E402
import workloads  # noqa: E402


def options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default=".",
                        help="build folder with rondod and contrib/bench/echo (after make bench)")
    parser.add_argument("--workloads", default=",".join(workloads.ALL), help="default: %(default)s")
    parser.add_argument("--servers", default="rondo,nsd,knot,gdnsd", help="default: %(default)s; echo always runs")
    parser.add_argument("--names", type=int, default=1_000_000, help="names of the large zones (W5: half of them cuts)")
    parser.add_argument("--seconds", type=int, default=5, help="of load a measurement")
    parser.add_argument("--rounds", type=int, default=3, help="the median of so many counts")
    parser.add_argument("--rate", type=int,
                        help="queries a second offered to all (dnsperf -Q); default: as many as are answered")
    parser.add_argument("--clients", type=int, default=8, help="sockets of the generator")
    parser.add_argument("--outstanding", type=int, default=256, help="queries in flight")
    parser.add_argument("--cores", default="0,1", help="of the server and of the generator")
    parser.add_argument("--port", type=int, default=15353)
    parser.add_argument("--data", help="folder for zones and questions, kept between runs")
    return parser.parse_args()


def dnsperf(args, queries, seconds):
    """Queries answered, and the answered share of those sent."""
    command = ["taskset", "-c", args.cores.split(",")[1], "dnsperf", "-s", "127.0.0.1", "-p", args.port, "-d", queries,
               "-l", seconds, "-c", args.clients, "-T", 1, "-q", args.outstanding, "-O", "suppress=timeout"]
    if args.rate:
        command += ["-Q", args.rate]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    answered = re.search(r"Queries completed:\s+(\d+)", done.stdout)
    took = re.search(r"Run time \(s\):\s+([\d.]+)", done.stdout)
    sent = re.search(r"Queries sent:\s+(\d+)", done.stdout)
    if not (answered and took and sent):
        raise RuntimeError(f"dnsperf said:\n{done.stdout}{done.stderr}")
    return int(answered[1]), int(answered[1]) / max(1, int(sent[1])), float(took[1])


def measure(args, server, workload, zone, queries):
    """One server, one workload, once."""
    load_sec = server.start(workload, zone)
    try:
        dnsperf(args, queries, 1)  # warm
        resident = server.resident_bytes()
        before = server.cpu_sec()
        answered, share, took = dnsperf(args, queries, args.seconds)
        after = server.cpu_sec()
    finally:
        server.stop()
    return {"cpu_us": (after[0] - before[0]) / answered * 1e6, "user_us": (after[1] - before[1]) / answered * 1e6,
            "qps": answered / took, "share": share, "load_sec": load_sec, "resident": resident}


def run(args, folder, workload, chosen):
    """All servers, round by round; name → the median of each figure, and of the
    ratios to the echo of the same round."""
    zone, queries = workload.write(args.data or folder, args.names)
    results = {}
    for _ in range(args.rounds):
        echo_us = None
        for name in ["echo", *chosen]:
            server = servers.ALL[name](f"{folder}/{name}", args.port, args.cores.split(",")[0])
            if not server.can(workload):
                continue
            try:
                figures = measure(args, server, workload, zone, queries)
            except RuntimeError as problem:
                print(f"{workload.name}: {problem}", file=sys.stderr)
                continue
            echo_us = figures["cpu_us"] if name == "echo" else echo_us
            figures["ratio"] = figures["cpu_us"] / echo_us
            results.setdefault(name, []).append(figures)
    return {name: {key: statistics.median(one[key] for one in rounds) for key in rounds[0]}
            for name, rounds in results.items()}


def show(workload, results):
    print(f"\n{workload.name} {workload.title}")
    print(f"  {'':8} {'÷ echo':>8} {'CPU µs':>8} {'user µs':>8} {'k qps':>8} {'answered':>9} {'load s':>8} {'MiB':>8}")
    for name, figures in results.items():
        print(f"  {name:8} {figures['ratio']:8.2f} {figures['cpu_us']:8.2f} {figures['user_us']:8.2f} "
              f"{figures['qps'] / 1000:8.1f} {figures['share'] * 100:8.2f}% {figures['load_sec']:8.2f} "
              f"{figures['resident'] / 2**20:8.1f}")
    sys.stdout.flush()


def main():
    args = options()
    build = pathlib.Path(args.build).resolve()
    os.environ.setdefault("RONDOD", str(build / "rondod"))
    os.environ.setdefault("ECHO", str(build / "contrib/bench/echo"))
    for need in (os.environ["RONDOD"], os.environ["ECHO"]):
        if not os.access(need, os.X_OK):
            sys.exit(f"{need} is missing: make && make bench, or name the build folder by --build")
    chosen = [name for name in args.servers.split(",") if name != "echo"]
    unknown = [name for name in chosen if name not in servers.ALL]
    unknown += [name for name in args.workloads.split(",") if name not in workloads.ALL]
    if unknown:
        sys.exit("unknown: " + ", ".join(unknown))
    with tempfile.TemporaryDirectory(prefix="rondo-bench-") as folder:
        os.chmod(folder, 0o755)
        for name in args.workloads.split(","):
            show(workloads.ALL[name], run(args, folder, workloads.ALL[name], chosen))


if __name__ == "__main__":
    main()
