#!/usr/bin/python3
"""What a record costs to load: `rondod -t`, which reads, checks and builds, on W3's zone (a name, a record) and on W5's (half of its names
delegations with glue), in turns. Judged: a record of W5 at most 1.5 times one of W3.

    contrib/bench/load.py --rondod build/release/rondod [--names 1000000] [--rounds 5]

Processor time, less what a zone of one record takes; the least of all rounds, as others on the machine only ever add to it.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
import workloads  # pylint: disable=wrong-import-position

BOUND = 1.5


def write(folder, name, fill, size):
    """A zone and a configuration for it; gives the configuration and the number of records."""
    zone, config = folder / f"{name}.zone", folder / f"{name}.conf"
    with zone.open("w") as file:
        file.write(workloads.SOA)
        fill(file, size)
    config.write_text(f'server: {{ control = "{folder}/control.sock"; }};\n'
                      f'zones = ( {{ name = "{workloads.ZONE}"; file = "{zone}"; }} );\n')
    with zone.open("rb") as file:
        return config, sum(1 for _ in file) - 1


def seconds(rondod, config):
    process = subprocess.Popen([rondod, "-t", "-c", config], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{rondod} -t -c {config}: exit status {process.returncode}")
    return usage.ru_utime + usage.ru_stime


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--rondod", required=True)
    parser.add_argument("--names", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        zones = {name: write(pathlib.Path(folder), name, workloads.ALL[name].zone, options.names) for name in ("W3", "W5")}
        zones["empty"] = write(pathlib.Path(folder), "empty", lambda file, size: None, 0)
        least = {name: 1e9 for name in zones}
        for _ in range(options.rounds):
            for name, (config, _) in zones.items():
                least[name] = min(least[name], seconds(options.rondod, config))
    cost = {}
    for name in ("W3", "W5"):
        cost[name] = (least[name] - least["empty"]) / zones[name][1] * 1e6
        print(f"{name}: {zones[name][1]} records in {least[name]:.2f} s of CPU, {cost[name]:.2f} us a record")
    ratio = cost["W5"] / cost["W3"]
    print(f"W5 / W3 a record: {ratio:.2f} (bound {BOUND})")
    sys.exit(ratio > BOUND)


if __name__ == "__main__":
    main()
