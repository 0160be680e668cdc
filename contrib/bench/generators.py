"""What puts the questions: dnsperf over UDP from one address, flood from many, stream over TCP. Each gives a
dictionary: `answered`, how many; `share`, of those sent; `seconds`; and of flood and stream all else that they print."""

import os
import re
import subprocess

# What one network of clients (a /24) gets a second at most: a fifth of rondo's rate limit, so that it is never met.
NET_RATE = 200
# The rate to expect where none is given.
RATE_MOST = 400_000


def run(args, *words):
    """The generator's output; it has the second core to itself."""
    command = ["taskset", "-c", args.cores.split(",")[1], *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{words[0]} said:\n{done.stdout}{done.stderr}")
    return done.stdout


def dnsperf(args, workload, queries, seconds):
    words = ["-D"] if workload.dnssec else []
    words += ["-Q", args.rate] if args.rate else []
    out = run(args, "dnsperf", "-s", "127.0.0.1", "-p", args.port, "-d", queries, "-l", seconds, "-c", args.clients,
              "-T", 1, "-q", args.outstanding, "-O", "suppress=timeout", *words)
    answered = re.search(r"Queries completed:\s+(\d+)", out)
    took = re.search(r"Run time \(s\):\s+([\d.]+)", out)
    sent = re.search(r"Queries sent:\s+(\d+)", out)
    if not (answered and took and sent):
        raise RuntimeError(f"dnsperf said:\n{out}")
    return {"answered": int(answered[1]), "share": int(answered[1]) / max(1, int(sent[1])), "seconds": float(took[1])}


def figures_of(out):
    """The lines "KEY NUMBER" of flood and stream."""
    figures = {key: float(value) for key, value in (line.split() for line in out.splitlines())}
    figures["share"] = figures["answered"] / max(1.0, figures["sent"])
    return figures


def flood(args, workload, queries, seconds):
    nets = max(1, min(args.sources, -(-(args.rate or RATE_MOST) // NET_RATE)))
    words = ["-c"] if args.cookies else []
    words += ["-d"] if workload.dnssec else []
    words += ["-r", args.rate] if args.rate else []
    return figures_of(run(args, os.environ["FLOOD"], "-n", args.sources, "-m", nets, "-q", args.outstanding,
                          "-s", seconds, *words, "127.0.0.1", args.port, queries))


def stream(args, workload, queries, seconds):
    words = ["-o"] if workload.stream == "once" else []
    return figures_of(run(args, os.environ["STREAM"], "-c", 16, "-q", 16, "-s", seconds, *words,
                          "127.0.0.1", args.port, queries))


def put(args, workload, queries, seconds):
    generator = stream if workload.stream else flood if args.sources else dnsperf
    figures = generator(args, workload, queries, seconds)
    if figures["answered"] == 0:
        raise RuntimeError("no query was answered")
    return figures
