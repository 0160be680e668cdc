"""Random worlds (zonegen.py) asked of rondod, named, nsd and knotd: where those three agree, rondo says the same.

RONDO_DIFFERENTIAL_SEEDS="17 4711" runs those seeds instead of the fixed ones, signed and not; differential.py runs for
hours. What rondo rightly does otherwise is listed in tests/README.
"""

import os

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

import differential
import dnswire
import peers
import zonesign
from rondo import make_query

OTHER_SEEDS = [int(seed) for seed in os.environ.get("RONDO_DIFFERENTIAL_SEEDS", "").split()]
WORLDS = [(1, None), (2, None), (3, "nsec"), (4, "nsec3"), (5, "optout")]
if OTHER_SEEDS:
    WORLDS = [(seed, chain) for seed in OTHER_SEEDS for chain in (None, *zonesign.CHAINS)]
QUESTIONS = 1000


@pytest.fixture(scope="module", autouse=True)
def all_installed():
    missing = [peer.program for peer in peers.ALL if not peer.installed()]
    if missing:
        pytest.skip("not installed: " + ", ".join(missing))


@pytest.mark.parametrize("seed,chain", WORLDS)
def test_where_the_others_agree(seed, chain):
    tally = differential.Tally()
    differential.run_seed(tally, seed, QUESTIONS, chain)
    assert tally.asked == QUESTIONS
    for part, share in (("rcode", 0.9), ("answer", 0.6), ("authority", 0.6), ("aa", 0.6), ("tc", 0.6), ("glue", 0.1)):
        assert tally.agreed[part] >= QUESTIONS * share, f"{part}: the others agree too seldom: {tally.agreed}"
    assert sum(tally.excused.values()) <= QUESTIONS * 0.05, f"too many exceptions: {tally.excused}"
    assert not tally.problems, f"{len(tally.problems)} differ\n" + "\n".join(tally.problems[:10])


# ---- the comparison itself: a difference in any part is seen


def an_answer():
    reply = dns.message.make_response(make_query("WWW.example.", "MX", use_edns=0, payload=1232))
    reply.flags |= dns.flags.AA
    reply.answer = [dns.rrset.from_text("www.example.", 60, "IN", "CNAME", "mx.example."),
                    dns.rrset.from_text("mx.example.", 60, "IN", "MX", "1 a.example.", "2 b.example.")]
    reply.authority = [dns.rrset.from_text("example.", 60, "IN", "NS", "ns.example.")]
    reply.additional = [dns.rrset.from_text("ns.example.", 60, "IN", "A", "192.0.2.1")]
    return reply


def change_rcode(reply):
    reply.set_rcode(dns.rcode.NXDOMAIN)


def change_flag(flag):
    def change(reply):
        reply.flags ^= flag
    return change


def change_case(reply):
    reply.question = [dns.rrset.from_text("www.example.", 0, "IN", "MX")]


def change_order(reply):
    reply.answer.reverse()


def change_ttl(section):
    def change(reply):
        getattr(reply, section)[0].ttl += 1
    return change


def lose_record(reply):
    reply.answer[1].pop()


def lose_opt(reply):
    reply.use_edns(-1)


@pytest.mark.parametrize("change,part", [
    (change_rcode, "rcode"), (change_case, "question"), (change_order, "answer"), (change_ttl("answer"), "answer"),
    (lose_record, "answer"), (change_ttl("authority"), "authority"), (change_ttl("additional"), "glue"),
    (change_flag(dns.flags.AA), "aa"), (change_flag(dns.flags.TC), "tc"), (change_flag(dns.flags.RD), "rd"),
    (change_flag(dns.flags.CD), "cd"), (change_flag(dns.flags.AD), "flags"), (lose_opt, "opt"),
])
def test_a_difference_is_seen(change, part):
    ours, theirs = an_answer(), an_answer()
    change(ours)
    tally = differential.Tally()
    tally.judge(("it",), [dnswire.Reply(message.to_wire()) for message in (ours, theirs, theirs, theirs)])
    assert [problem.splitlines()[0] for problem in tally.problems] == [f"it: {part}"]


def test_the_order_of_records_is_free():
    """Within an rrset, that is, and within the authority section; case and compression of names are free too."""
    ours, theirs = an_answer(), an_answer()
    ours.answer[1] = dns.rrset.from_text("MX.Example.", 60, "IN", "MX", "2 B.example.", "1 a.EXAMPLE.")
    tally = differential.Tally()
    replies = [dnswire.Reply(message.to_wire()) for message in (ours, theirs, theirs, theirs)]
    tally.judge(("it",), replies)
    assert not tally.problems and tally.agreed["answer"] == 1


def test_where_they_disagree_nobody_is_blamed():
    odd, theirs = an_answer(), an_answer()
    change_rcode(odd)
    tally = differential.Tally()
    tally.judge(("it",), [dnswire.Reply(message.to_wire()) for message in (odd, theirs, odd, theirs)])
    assert not tally.problems and tally.split["rcode: like nsd"] == 1
