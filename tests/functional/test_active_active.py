"""Two nameservers, both answering: when one dies, clients that try the other lose nothing, and what is left goes on
checking and balancing."""

import threading
import time

import dns.exception
import dns.rcode

import balancing
from balancing import a_records, balance, probes, wait_seen
from rondo import until
from transferring import Changing, Zone, place, rondo_zones, wait_equal

NAME = "example.com"
APP = f"app.{NAME}"


class Client:
    """Asks one server after the other, as resolvers do, until one answers; a question that none answers is lost."""

    def __init__(self, servers):
        self.servers = servers
        self.asked, self.lost, self.retried, self.seen = 0, [], 0, set()
        self.halt = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def ask(self):
        first = self.asked % len(self.servers)
        for server in self.servers[first:] + self.servers[:first]:
            try:
                reply = server.query(APP, timeout=0.2)
            except (dns.exception.Timeout, OSError):
                self.retried += 1
                continue
            if reply.rcode() == dns.rcode.NOERROR and reply.answer:
                self.seen |= {record.address for record in reply.answer[-1]}
                return
        self.lost.append(time.monotonic())

    def run(self):
        while not self.halt.is_set():
            self.ask()
            self.asked += 1
            self.halt.wait(0.002)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.halt.set()
        self.thread.join()

    def seen_from_now(self):
        self.seen = set()
        before = self.asked
        until(lambda: self.asked > before + 12, "more questions were asked")
        return self.seen


def test_one_of_two_is_killed(rondo, backends):
    web = backends(3)
    first, second, third = web.addresses
    changing = Changing(lines=[line.replace(" ", " 300 ", 1) for line in a_records("app", web.addresses).splitlines()])
    groups = balance([{"name": "app", "policy": "weighted", "probe": "tcp", "ttl": 1}])
    here, there = place("127.0.0.1"), place("127.0.0.2")
    shared = {"more": groups, "extra": balancing.LOCAL + probes([balancing.tcp(web.port, fall=1)])}
    one = rondo(**rondo_zones({NAME: Zone(changing.text(), notify=[there])}, here, **shared))
    two = rondo(**rondo_zones({NAME: Zone(primaries=[here])}, there, **shared))
    for server in (one, two):
        wait_seen(server, APP, web.addresses)
    with Client([one, two]) as client:
        until(lambda: client.asked > 50, "clients are served")
        one.kill()
        until(lambda: client.retried > 5, "clients notice that one is gone")
        web[0].stop()
        wait_seen(two, APP, [second, third])
        assert client.seen_from_now() == {second, third}
        web[0].start()
        wait_seen(two, APP, web.addresses)
        one.start([NAME])
        wait_seen(one, APP, web.addresses)
        two.kill()
        web[1].stop()
        wait_seen(one, APP, [first, third])
        assert client.seen_from_now() == {first, third}
    print(f"{client.asked} questions, {client.retried} asked again, {len(client.lost)} lost")
    assert not client.lost
    two.start([NAME])
    wait_equal(two, NAME, changing.text())
