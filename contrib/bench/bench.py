#!/usr/bin/python3
"""CPU a query of rondo and others, as a multiple of an echo server of the same run. README.md says how it measures.

    contrib/bench/bench.py --build build/release [--workloads W1,W3] [--servers rondo,nsd] [--seconds 5] [--rounds 3]
"""

import argparse
import os
import pathlib
import statistics
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import generators  # noqa: E402
import servers  # noqa: E402
import workloads  # noqa: E402


def options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default=".",
                        help="build folder with rondod and contrib/bench (after make bench)")
    parser.add_argument("--workloads", default=",".join(workloads.ALL), help="default: %(default)s")
    parser.add_argument("--servers", default="rondo,nsd,knot,gdnsd,bind", help="default: %(default)s; echo always runs")
    parser.add_argument("--names", type=int, default=1_000_000, help="names of the large zones (W5: half of them cuts)")
    parser.add_argument("--seconds", type=int, default=5, help="of load a measurement")
    parser.add_argument("--rounds", type=int, default=3, help="the median of so many counts")
    parser.add_argument("--rate", type=int,
                        help="queries a second offered to all (not W6); default: as many as are answered")
    parser.add_argument("--clients", type=int, default=8, help="sockets of the generator")
    parser.add_argument("--outstanding", type=int, default=256, help="queries in flight")
    parser.add_argument("--sources", type=int, metavar="N", default=0,
                        help="W1 to W5, W7: from N addresses (flood instead of dnsperf), the servers' rate limits on")
    parser.add_argument("--cookies", action="store_true",
                        help="each source with a DNS cookie; --sources 10000 if not given")
    parser.add_argument("--cores", default="0,1", help="of the server and of the generator")
    parser.add_argument("--port", type=int, default=15353)
    parser.add_argument("--data", help="folder for zones and questions, kept between runs")
    args = parser.parse_args()
    if args.cookies and not args.sources:
        args.sources = 10_000
    return args


def measure(args, server, workload, zone, queries):
    """One server, one workload, once."""
    load_sec = server.start(workload, zone)
    try:
        server.check(workload, queries)
        generators.put(args, workload, queries, 1)  # warm
        resident = server.resident_bytes()
        before = server.cpu_sec()
        figures = generators.put(args, workload, queries, args.seconds)
        after = server.cpu_sec()
    finally:
        server.stop()
    answered = figures["answered"]
    return figures | {"cpu_us": (after[0] - before[0]) / answered * 1e6,
                      "user_us": (after[1] - before[1]) / answered * 1e6, "qps": answered / figures["seconds"],
                      "load_sec": load_sec, "resident": resident}


def run(args, folder, workload, chosen):
    """All servers, round by round; name → the median of each figure, and of the
    ratios to the echo of the same round."""
    zone, queries = workload.write(args.data or folder, args.names)
    results = {}
    for _ in range(args.rounds):
        echo_us = None
        for name in ["echo", *chosen]:
            server = servers.ALL[name](f"{folder}/{name}", args.port, args.cores.split(",")[0],
                                       limits=args.sources > 0, cookies=args.cookies)
            if not server.can(workload):
                continue
            try:
                figures = measure(args, server, workload, zone, queries)
            except RuntimeError as problem:
                print(f"{workload.name}: {name} left out: {problem}", file=sys.stderr)
                continue
            echo_us = figures["cpu_us"] if name == "echo" else echo_us
            figures["ratio"] = figures["cpu_us"] / echo_us
            results.setdefault(name, []).append(figures)
    return {name: {key: statistics.median(one.get(key, 0) for one in rounds) for key in rounds[0]}
            for name, rounds in results.items()}


def notes(args, name, figures):
    """What of the answers is not as it should be."""
    if figures.get("truncated"):
        yield f"{figures['truncated']:.0f} truncated"
    if figures.get("strange"):
        yield f"{figures['strange']:.0f} answers to no question"
    if args.cookies and name != "echo" and figures.get("cookies", figures["answered"]) < figures["answered"]:
        yield f"{figures['answered'] - figures['cookies']:.0f} without a cookie"


def show(args, workload, results):
    print(f"\n{workload.name} {workload.title}")
    print(f"  {'':8} {'÷ echo':>8} {'CPU µs':>8} {'user µs':>8} {'k qps':>8} {'answered':>9} {'load s':>8} {'MiB':>8} "
          f"{'p50 µs':>8} {'p99 µs':>8}")
    for name, figures in results.items():
        late = " ".join(f"{figures[key]:8.0f}" if key in figures else f"{'–':>8}" for key in ("p50_us", "p99_us"))
        print(f"  {name:8} {figures['ratio']:8.2f} {figures['cpu_us']:8.2f} {figures['user_us']:8.2f} "
              f"{figures['qps'] / 1000:8.1f} {figures['share'] * 100:8.2f}% {figures['load_sec']:8.2f} "
              f"{figures['resident'] / 2**20:8.1f} {late} {', '.join(notes(args, name, figures))}".rstrip())
    sys.stdout.flush()


def main():
    args = options()
    build = pathlib.Path(args.build).resolve()
    os.environ.setdefault("RONDOD", str(build / "rondod"))
    for program in ("echo", "flood", "stream"):
        os.environ.setdefault(program.upper(), str(build / "contrib/bench" / program))
    for need in map(os.environ.get, ("RONDOD", "ECHO", "FLOOD", "STREAM")):
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
            show(args, workloads.ALL[name], run(args, folder, workloads.ALL[name], chosen))


if __name__ == "__main__":
    main()
