#!/usr/bin/env python3
"""Random zones and questions (zonegen.py) for rondod, named, nsd and knotd: where the three agree, rondod must too.

    RONDOD=build/check/rondod tests/functional/differential.py --seed 7          one world again, with every difference
    RONDOD=build/check/rondod tests/functional/differential.py --minutes 120     fresh seeds; prints those that failed

An answer is compared part by part (rcode, each flag, question, answer, authority, glue, OPT), so that the three
agreeing on a part is enough. What rondo rightly does otherwise goes through settle() under a name of its own and stands
in tests/README. test_differential_random.py runs a few seeds; contrib/qa runs hours.
"""

import argparse
import collections
import itertools
import os
import pathlib
import random
import secrets
import select
import shutil
import socket
import sys
import tempfile
import time

import dnswire
import peers
import rdatagen
import rondo as harness
import zonegen
import zonesign

BATCH = 24  # questions on the way at once: far from what a socket's buffer holds
UDP_BUFFER_BYTES = 1 << 21
SAMPLES_MOST = 40  # of each kind of disagreement
SERVERS = ("rondod", *(peer.program for peer in peers.ALL))
# Where the three don't agree on one part, they agree on another by accident.
MEANINGLESS_WITHOUT = {"answer": ("rcode",), "authority": ("rcode", "answer"), "glue": ("rcode", "answer", "authority"),
                       "aa": ("rcode", "answer"), "tc": ("rcode", "answer", "authority"), "options": ("rcode", "opt")}


# ---- asking


def make_question(world, dnssec=False):
    rng = world.random
    name, rdtype = world.question()
    flags = rng.choice((0, 0, 0, 0x0100, 0x0010, 0x0020, 0x0040, 0x0130))  # RD, CD, AD, Z
    edns = None
    if dnssec or rng.random() < 0.6:
        version = 1 if rng.random() < 0.02 else 0
        options = b"\xfd\xe9\0\3abc" if rng.random() < 0.05 else b""  # 65001: local use
        do = 0x8000 if dnssec or rng.random() < 0.3 else 0
        unknown = 0x0001 if rng.random() < 0.05 else 0
        edns = (rng.choice((0, 512, 700, 1232, 1232, 1232, 4096)), version, do | unknown, options)
    return dnswire.Question(name, rdtype, flags, edns, rng.random() < 0.3)


class Asker:
    """A server's sockets. `patient`: it may close a connection whenever it likes (RFC 7766 6.2.4), we ask again."""

    def __init__(self, name, port, patient):
        self.name, self.port, self.patient = name, port, patient
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, UDP_BUFFER_BYTES)
        self.udp.connect(("127.0.0.1", port))
        self.tcp = None
        self.stream = b""
        self.open_questions = {}

    def sockets(self):
        return [sock for sock in (self.udp, self.tcp) if sock]

    def send(self, ident, question):
        wire = question.wire(ident)
        self.open_questions[ident] = question
        if not question.tcp:
            self.udp.send(wire)
            return
        if self.tcp is None:
            self.tcp = socket.create_connection(("127.0.0.1", self.port), harness.PATIENCE_SEC)
            self.stream = b""
        try:
            self.tcp.sendall(harness.frame(wire))
        except (BrokenPipeError, ConnectionResetError):
            self.closed()

    def closed(self):
        if not self.patient:
            raise dnswire.Broken(f"{self.name} closed the connection before it answered "
                         + "; ".join(map(str, self.open_questions.values())))
        self.tcp.close()
        self.tcp = None
        for ident, question in list(self.open_questions.items()):
            if question.tcp:
                self.send(ident, question)

    def receive(self, sock):
        """The messages that are there on the socket, which is readable."""
        if sock is self.udp:
            return self._known([sock.recv(65535)])
        try:
            more = sock.recv(1 << 17)
        except ConnectionResetError:
            more = b""
        if not more:
            self.closed()
            return []
        self.stream += more
        whole = []
        while len(self.stream) >= 2 and len(self.stream) >= 2 + int.from_bytes(self.stream[:2], "big"):
            end = 2 + int.from_bytes(self.stream[:2], "big")
            whole.append(self.stream[2:end])
            self.stream = self.stream[end:]
        return self._known(whole)

    def _known(self, wires):
        """(ident, reply) for those that were waited for: each answer once."""
        pairs = [(int.from_bytes(wire[:2], "big"), wire) for wire in wires]
        return [(ident, wire) for ident, wire in pairs if self.open_questions.pop(ident, None)]

    def close(self):
        for sock in self.sockets():
            sock.close()


IDENTS = itertools.count(1)


def ask_all(askers, questions):
    """Sends every question to every server and returns, for each question, the replies in the servers' order."""
    asked = {next(IDENTS) & 0xffff: question for question in questions}
    replies = {}
    for ident, question in asked.items():
        for asker in askers:
            asker.send(ident, question)
    deadline = time.monotonic() + harness.PATIENCE_SEC
    while any(asker.open_questions for asker in askers):
        owners = {sock: asker for asker in askers for sock in asker.sockets()}
        readable, _, _ = select.select(list(owners), [], [], 1)
        for sock in readable:
            for ident, wire in owners[sock].receive(sock):
                replies[owners[sock], ident] = dnswire.Reply(wire)
        if time.monotonic() > deadline:
            raise dnswire.Broken("no answer from " + "; ".join(
                f"{asker.name}: {question}" for asker in askers for question in asker.open_questions.values()))
    return [[replies[asker, ident] for asker in askers] for ident in asked]


# ---- judging


def report(title, replies):
    return ": ".join(map(str, title)) + "".join(f"\n    {name:7} {reply}" for name, reply in zip(SERVERS, replies))


class Tally:
    """What was asked and how it came out. problems: where rondo stands alone against three that agree; split: where
    the three don't, by part and by who says the same as rondo; excused: exceptions that were made, by name."""

    def __init__(self):
        self.asked = 0
        self.agreed = collections.Counter()
        self.problems = []
        self.split = collections.Counter()
        self.samples = {}
        self.excused = collections.Counter()

    def judge(self, title, replies):
        """title: what to call it, as a tuple; replies in the order of SERVERS."""
        self.asked += 1
        ours, *theirs = [reply.parts() for reply in replies]
        agreed = set()
        for part, our in ours.items():
            values = [their[part] for their in theirs]
            if not agreed.issuperset(MEANINGLESS_WITHOUT.get(part, ())):
                continue
            if values[0] == values[1] == values[2]:
                agreed.add(part)
                self.agreed[part] += values[0] is not None
                if our != values[0] and None not in (our, values[0]):
                    self.problems.append(report((*title, part), replies))
            else:
                alike = tuple(name for name, value in zip(SERVERS[1:], values) if value == our)
                key = f"{part}: like {' and '.join(alike)}" if alike else f"{part}: alone"
                self.split[key] += 1
                samples = self.samples.setdefault(key, [])
                if len(samples) < SAMPLES_MOST:
                    samples.append((title, replies))


def judged(replies):
    tally = Tally()
    tally.judge((), replies)
    return tally


# ---- what is judged instead of the first replies


def settle(askers, world, question, replies):
    """(the replies to judge, the exception that they come by). Each exception is a line in tests/README."""
    links = crossing(world, replies[0])
    if links and not replies[0].truncated():
        return [compose(asker, world, question, links) for asker in askers], "alias into another zone"
    if not judged(replies).problems:
        return replies, None
    settled = None if question.tcp else settle_size(askers, world, question, replies)
    if settled:
        return settled
    if proof := proof_of_empty_wildcard(question, replies):
        replies[0].authority = [rr for rr in replies[0].authority if rr not in proof]
        return replies, "empty wildcard"
    return replies, None


def settle_size(askers, world, question, replies):
    """Over UDP what one server says may fit and what another says not. Over TCP all must be equal, and rondo's really
    too long when it is truncated and only then. None: size explains nothing."""
    again = question._replace(tcp=True)
    whole = ask_all(askers, [again])[0]
    ours, *theirs = whole
    too_long = len(ours.wire) > question.most_octets()
    excuse = "other compression"
    if replies[0].truncated():
        # rondo compresses only against the answer's owner and the rrset's own names, and no alias's target.
        excess = len(ours.wire) - min(len(reply.wire) for reply in theirs)
        explained = too_long and (excess <= zonegen.wire_len(question.name) or ours.links()
                                  or proof_of_empty_wildcard(question, whole))
    elif too_long:
        explained = lacks_only_siblings(replies[0], ours)
        excuse = "sibling glue"
    else:
        explained = all(reply.truncated() for reply in replies[1:])
    return (settle(askers, world, again, whole)[0], excuse) if explained else None


def lacks_only_siblings(short, whole):
    """Whether the short answer to a question lacks nothing but addresses of servers that are not below the cut."""
    cuts = [dnswire.labels_of(rr[0]) for rr in whole.authority if rr[1] == dnswire.TYPE_NS]
    missing = set(whole.additional) - set(short.additional)
    return set(short.answer + short.authority) == set(whole.answer + whole.authority) and not any(
        zonegen.is_within(dnswire.labels_of(rr[0]), cut) for rr in missing for cut in cuts)


def proof_of_empty_wildcard(question, replies):
    """The NSEC, with its signatures, that rondo alone sends to prove that a wildcard is an empty non-terminal: the one
    whose next name lies below the wildcard."""
    ours, *theirs = [set(reply.authority) for reply in replies]
    proof = ours - theirs[0]
    chains = [rr for rr in proof if rr[1] == dnswire.TYPE_NSEC]
    if len(chains) != 1 or theirs[0] - ours or {(rr[0], rr[1] == dnswire.TYPE_RRSIG) for rr in proof} != {
            (chains[0][0], False), (chains[0][0], True)}:
        return None
    following = zonegen.lower(dnswire.labels_of(chains[0][4]))
    links = replies[0].links()
    asked = zonegen.lower(dnswire.labels_of(links[-1][1]) if links else question.name)
    below = any(label == b"*" and i > 0 and zonegen.is_within(asked, following[i + 1:])
                for i, label in enumerate(following))
    return proof if below else None


def crossing(world, reply):
    """The targets of CNAMEs that leave their zone for another of ours."""
    return [target for owner, target in reply.links()
            if world.zone_of(dnswire.labels_of(target)) not in (None, world.zone_of(dnswire.labels_of(owner)))]


def compose(asker, world, question, targets):
    """The reply of a server that goes on in each zone (RFC 1034 4.3.2), put together from what it says when asked for
    each of the names where a zone is left. BIND and Knot stop there."""
    reply = ask_all([asker], [question._replace(tcp=True)])[0][0]
    for target in targets:
        ends = [i for i, rr in enumerate(reply.answer) if rr[1] == dnswire.TYPE_CNAME and rr[4] == target]
        if not ends:
            break
        rest = ask_all([asker], [question._replace(tcp=True, name=dnswire.labels_of(target))])[0][0]
        reply.answer = reply.answer[: ends[0] + 1] + rest.answer
        reply.authority, reply.additional = rest.authority, rest.additional
        reply.flags = reply.flags & ~15 | rest.flags & 15
    return reply


# ---- running


class Servers:
    """rondod and the three others with the same zones, in a folder of their own; a context."""

    def __init__(self, world, texts):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="rondo-diff-"))
        os.chmod(self.folder, 0o755)
        bare = world.without_hidden(texts)
        self.peers = [peer(self.folder / peer.program, texts if peer is peers.Named else bare) for peer in peers.ALL]
        self.rondo = harness.Rondod(self.folder / "rondo", zones=texts)
        self.askers = []

    def __enter__(self):
        try:
            for peer in self.peers:
                peer.start()
            self.rondo.start()
        except BaseException:
            self.stop()
            raise
        self.askers = [Asker("rondod", self.rondo.port, patient=False)]
        self.askers += [Asker(peer.program, peer.port, patient=True) for peer in self.peers]
        return self

    def stop(self):
        for asker in self.askers:
            asker.close()
        for peer in self.peers:
            peer.stop()
        self.rondo.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __exit__(self, failed, *_):
        try:
            if not failed:
                self.rondo.stop()
        finally:
            self.stop()


def run_seed(tally, seed, count, signed=None):
    """One world: starts the servers, asks `count` questions. signed: None or one of zonesign.CHAINS."""
    world = zonegen.World(seed, signable=bool(signed))
    texts = zonesign.sign(world.texts(), signed) if signed else world.texts()
    with Servers(world, texts) as servers:
        for start in range(0, count, BATCH):
            questions = [make_question(world, dnssec=bool(signed)) for _ in range(min(BATCH, count - start))]
            for question, replies in zip(questions, ask_all(servers.askers, questions)):
                replies, excuse = settle(servers.askers, world, question, replies)
                if excuse:
                    tally.excused[excuse] += 1
                tally.judge((f"seed {seed} {signed or 'unsigned'}", question), replies)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, action="append", default=[], help="this world; may be repeated")
    parser.add_argument("--minutes", type=float, default=0, help="fresh seeds for so long")
    parser.add_argument("--questions", type=int, default=2000, help="in each world")
    parser.add_argument("--signed", choices=(*zonesign.CHAINS, "random"), help="signed zones, questions with DO")
    parser.add_argument("--split", type=int, default=0, help="show so many of each kind where the three disagree")
    args = parser.parse_args()
    tally = Tally()
    shown = 0
    end = time.monotonic() + args.minutes * 60
    seeds = iter(args.seed)
    while (seed := next(seeds, None)) is not None or time.monotonic() < end:
        seed = secrets.randbits(48) if seed is None else seed
        chain = random.choice((None, *zonesign.CHAINS)) if args.signed == "random" else args.signed
        print(f"seed {seed} {chain or 'unsigned'}", flush=True)
        try:
            run_seed(tally, seed, args.questions, chain)
        except (AssertionError, OSError, dnswire.Broken) as problem:
            tally.problems.append(f"seed {seed}: {problem}")
        for problem in tally.problems[shown:]:
            print(problem, flush=True)
        shown = len(tally.problems)
    print(f"{tally.asked} questions, {len(tally.problems)} problems; agreed: {dict(tally.agreed)}, "
          f"excused: {dict(tally.excused)}")
    for key, times in tally.split.most_common():
        print(f"{times:6} {key}")
        for sample in tally.samples[key][: args.split]:
            print("  " + report(*sample))
    return 1 if tally.problems else 0


if __name__ == "__main__":
    sys.exit(main())
