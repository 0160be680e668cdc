"""What a hostile request may cost: at most the instructions of a W1 query (eight A of one name), counted by callgrind in
the query path without sockets (tests/helpers/hostile-loop.c has the requests, one of a kind). What may cost more, having
more to be looked at before it can be known for what it is, is listed with its bound, as a multiple of W1; a bound that
is twice what is needed is no bound, and fails too."""

import re
import subprocess

import pytest

from test_instructions import build, needs_tools

ROUNDS, BATCH = 5, 32

BOUNDS = {
    # Well-formed: each label is hashed, as that of any name is.
    "120 labels below the zone": 7.0,
    "127 labels": 6.6,
    "labels of 63, name of 193": 1.1,
    # A name is known to be too long at its 128th label.
    "128 labels": 1.4,
    "labels to the end": 1.4,
    "64 KiB of labels": 1.4,
    "owner: 128 labels": 1.4,
    "owners of 127 labels, then of 128": 4.0,
    # 369 records, which any UPDATE may have.
    "as many records of an UPDATE as fit": 22.0,
}


@pytest.fixture(scope="module")
def counts(tmp_path_factory):
    """Instructions a request, by kind, and W1's."""
    needs_tools()
    folder = tmp_path_factory.mktemp("hostile")
    program = build(folder / "hostile-loop", ["hostile-loop.c", "hostile.c", "world.c"])
    run = subprocess.run(
        ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder / 'out'}", "--toggle-collect=answer_batch",
         "--dump-after=hostile_end_of", str(program), str(ROUNDS)], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    kinds = [line.split(" ", 1)[1] for line in run.stdout.splitlines()]
    found = {}
    for part, kind in enumerate(kinds, 1):
        summary = re.search(r"^summary: (\d+)", (folder / f"out.{part}").read_text(), re.MULTILINE)
        found[kind] = int(summary.group(1)) / (ROUNDS * BATCH)
    assert len(found) == len(kinds) > 80, "no two kinds of one name"
    return found


def test_no_request_costs_more_than_a_query(counts):
    usual = counts.pop("W1")
    assert usual > 300, "nothing was counted"
    assert not set(BOUNDS) - set(counts), "a bound of nothing"
    ratios = {kind: count / usual for kind, count in counts.items()}
    for kind in sorted(ratios, key=ratios.get, reverse=True):
        print(f"{ratios[kind]:8.2f} {kind}")
    over = {kind: round(ratio, 2) for kind, ratio in ratios.items() if ratio > BOUNDS.get(kind, 1)}
    loose = {kind: round(ratio, 2) for kind, ratio in ratios.items() if kind in BOUNDS and ratio < BOUNDS[kind] / 2}
    assert not over and not loose
