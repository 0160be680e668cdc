"""Rate limiting of responses, as a client that asks too much, and its neighbours, see it.

Every address of 127.0.0.0/8 is ours, so there are as many networks of clients as a test likes.
"""

import base64
import contextlib
import socket
import time

import dns.edns
import dns.message
import dns.rcode
import dns.tsig
import pytest

from rondo import PATIENCE_SEC, aa, addresses, make_query, rcode, tc, until

ZONE = """\
$TTL 300
@       IN SOA ns1 hostmaster 1 3600 900 604800 60
        IN NS  ns1
ns1     IN A   192.0.2.53
www     IN A   192.0.2.1
other   IN A   192.0.2.2
*.wild  IN A   192.0.2.3
sub     IN NS  ns.sub
ns.sub  IN A   192.0.2.4
"""
RATE = 20
SECRET = base64.b64encode(bytes(range(32))).decode()
LIMIT = f"rate_limit = {RATE};"
AT_ONCE = 50  # questions in flight: what a socket's buffer holds for certain


class Client:
    """Floods from an address of its own."""

    def __init__(self, server, source="127.0.0.1"):
        self.server = server
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((source, 0))
        self.sock.connect((server.address, server.port))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def flood(self, name, count, rdtype="A", **kwargs):
        """Asks `count` times as fast as it can; returns the answers. `name` with {} is a new one each time. A question
        has been judged when its answer is here or the server has counted one more that it dropped."""
        dropped, answers = counters(self.server)["dropped"], []
        for first in range(0, count, AT_ONCE):
            last = min(first + AT_ONCE, count)
            for number in range(first, last):
                self.sock.send(make_query(name.format(number), rdtype, **kwargs).to_wire())
            until(lambda last=last: self.receive(answers) + counters(self.server)["dropped"] - dropped == last,
                  "all questions have been judged")
        return answers

    def receive(self, answers):
        """Adds what is here to `answers`; returns how many there are."""
        with contextlib.suppress(BlockingIOError):
            while True:
                answers.append(dns.message.from_wire(self.sock.recv(65535, socket.MSG_DONTWAIT)))
        return len(answers)


def counters(server):
    return server.ctl_json("status")["answers"]


def whole(answers):
    return [answer for answer in answers if not tc(answer)]


class Stopwatch:
    def __init__(self):
        self.start = time.monotonic()

    def most(self, rate=RATE):
        """How many answers a bucket can have given since."""
        return rate + (time.monotonic() - self.start) * rate + 1


def test_flood(rondo):
    """One network asks for one name far too often: it gets what the limit allows, every other answer beyond is
    truncated, the rest dropped. It gets everything by TCP, and nobody else notices."""
    server = rondo(zones={"example.com": ZONE}, server=LIMIT)
    with Client(server) as client, Client(server, "127.0.1.1") as neighbour:
        watch = Stopwatch()
        answers = client.flood("www.example.com", 400)
        full, most = whole(answers), watch.most()
        cut = [answer for answer in answers if tc(answer)]
        assert RATE <= len(full) <= most
        assert all(addresses(answer) == ["192.0.2.1"] for answer in full)
        limited = 400 - len(full)
        assert limited * 0.3 < len(cut) < limited * 0.7
        for answer in cut:
            assert rcode(answer) == "NOERROR" and aa(answer)
            assert not answer.answer and not answer.authority and not answer.additional
            assert answer.question[0].name.to_text() == "www.example.com."

        # TCP, for all of them.
        for _ in range(3 * RATE):
            assert addresses(server.query("www.example.com", tcp=True)) == ["192.0.2.1"]
        # Another name, another kind, another network.
        assert len(whole(client.flood("other.example.com", RATE))) == RATE
        assert len(whole(client.flood("www.example.com", RATE, "MX"))) == RATE
        assert len(whole(neighbour.flood("www.example.com", RATE))) == RATE

        counted = counters(server)
        assert counted["rate_limited"] + counted["rate_slipped"] == limited
        assert counted["rate_slipped"] == counted["truncated"] == len(cut)
        assert counted["dropped"] == counted["rate_limited"]
        assert counted["rate_leaked"] == counted["rate_full"] == 0
    server.wait_log(r"rate limit exceeded: \d+ answers dropped, \d+ truncated$")


@pytest.mark.parametrize("name", ["n{}.example.com", "n{}.www.example.com", "n{}.wild.example.com",
                                  "n{}.sub.example.com", "n{}.elsewhere"])
def test_invented_names_share(rondo, name):
    """Random names do not help: what does not exist, what a wildcard makes, what is below a cut, what is refused."""
    server = rondo(zones={"example.com": ZONE}, server=LIMIT + "rate_limit_slip = 0;")
    with Client(server) as client:
        watch = Stopwatch()
        answers = client.flood(name, 200)
        assert RATE <= len(answers) <= watch.most()
        assert counters(server)["rate_limited"] == 200 - len(answers)


def test_default(rondo):
    """1,000 a second without any key; 200 a second are never limited, come as they may."""
    server = rondo(zones={"example.com": ZONE}, server="# rate_limit = 1000;")
    with Client(server) as client:
        start = time.monotonic()
        for second in range(4):
            time.sleep(max(0.0, start + second - time.monotonic()))
            assert len(whole(client.flood("www.example.com", 200))) == 200
        assert counters(server)["rate_limited"] + counters(server)["rate_slipped"] == 0
    with Client(server, "127.0.2.1") as client:
        wire = make_query("www.example.com").to_wire()

        def too_many():
            for _ in range(500):
                client.sock.send(wire)
            return counters(server)["rate_limited"] > 100

        watch = Stopwatch()
        until(too_many, "the limit is exceeded")
        given = counters(server)["noerror"] - 4 * 200 - counters(server)["rate_slipped"]
        assert 1000 <= given <= watch.most(1000) + 10  # and what the start asked for


def test_log_only(rondo):
    server = rondo(zones={"example.com": ZONE}, server=LIMIT + "rate_limit_log_only = true;")
    with Client(server) as client:
        watch = Stopwatch()
        assert len(whole(client.flood("www.example.com", 200))) == 200
        counted = counters(server)
        assert 200 - watch.most() <= counted["rate_limited"] + counted["rate_slipped"] <= 200 - RATE
        assert counted["dropped"] == counted["truncated"] == 0
    server.wait_log(r"rate limit exceeded, but rate_limit_log_only is set: \d+ answers would have been dropped")


def test_log_only_reload(rondo):
    """What was dropped is told as such although the key is set before any more lines are due, and the other way round."""
    server = rondo(zones={"example.com": ZONE}, server=LIMIT + "rate_limit_slip = 0;")
    with Client(server) as client:
        real = 200 - len(client.flood("www.example.com", 200))
        server.server = LIMIT + "rate_limit_slip = 0; rate_limit_log_only = true;"
        server.write_config()
        assert server.reload().returncode == 0
        until = "rate limit exceeded until rate_limit_log_only was changed, in all: "
        server.wait_log(rf"{until}{real} answers dropped$")
        client.flood("www.example.com", 200)
        would = counters(server)["rate_limited"] - real
        server.server = LIMIT + "rate_limit_slip = 0;"
        server.write_config()
        assert server.reload().returncode == 0
        server.wait_log(rf"{until}{would} answers would have been dropped$")


def test_leak(rondo):
    server = rondo(zones={"example.com": ZONE}, server=LIMIT + "rate_limit_slip = 1; rate_limit_leak = 4;")
    with Client(server) as client:
        answers = client.flood("www.example.com", 800)
        assert len(answers) == 800
        counted = counters(server)
        over = counted["rate_leaked"] + counted["rate_slipped"]
        assert over * 0.15 < counted["rate_leaked"] < over * 0.35
        assert len(answers) - len(whole(answers)) == counted["rate_slipped"]


def test_networks(rondo):
    """Who counts as one, and who does not count."""
    server = rondo(zones={"example.com": ZONE},
                   server=LIMIT + 'rate_limit_slip = 0; rate_limit_prefix4 = 16; rate_limit_exempt = "127.9.0.0/24";')
    with Client(server, "127.9.0.1") as friend, Client(server, "127.0.0.1") as client, \
            Client(server, "127.0.255.1") as same, Client(server, "127.1.0.1") as another:
        assert len(friend.flood("www.example.com", 150)) == 150
        assert counters(server)["rate_limited"] == 0
        watch = Stopwatch()
        answered = len(client.flood("www.example.com", 100)) + len(same.flood("www.example.com", 100))
        assert RATE <= answered <= watch.most()
        assert RATE <= len(another.flood("www.example.com", 100)) < 100


def test_cookies(rondo):
    """A client whose cookie is good is not limited; one that could have a cookie is told ours."""
    server = rondo(zones={"example.com": ZONE}, server=LIMIT + "rate_limit_slip = 1;")
    ask = {"use_edns": 0, "options": [dns.edns.GenericOption(10, b"a client")]}
    with Client(server) as client:
        bad = client.flood("www.example.com", 100, **ask)
        assert len(bad) == 100
        refused = [answer for answer in bad if answer.rcode() == dns.rcode.BADCOOKIE]
        assert len(refused) == counters(server)["badcookie"] == counters(server)["rate_slipped"] >= 100 - 3 * RATE
        ask["options"] = [option for option in refused[0].options if option.otype == 10]
        good = client.flood("www.example.com", 200, **ask)
        assert [addresses(answer) for answer in good] == [["192.0.2.1"]] * 200


def test_signed_requests(rondo):
    """Who signs with one of our keys is not limited."""
    server = rondo(zones={"example.com": ZONE}, server=LIMIT + "rate_limit_slip = 0;",
                   extra=f'keys = ( {{ name = "ours."; secret = "{SECRET}"; }} );')
    question = make_query("www.example.com")
    question.use_tsig(dns.tsig.Key("ours.", SECRET))
    signed = question.to_wire()
    with Client(server) as client:
        assert len(client.flood("www.example.com", 100)) < 100
        client.sock.settimeout(PATIENCE_SEC)
        for _ in range(100):
            client.sock.send(signed)
            answer = dns.message.from_wire(client.sock.recv(65535), keyring={question.keyname: question.keyring},
                                           request_mac=question.mac)
            assert addresses(answer) == ["192.0.2.1"]


def test_reload(rondo):
    """All keys but the table's size change while the server runs."""
    server = rondo(zones={"example.com": ZONE}, server=LIMIT + "rate_limit_slip = 0;")
    with Client(server) as client:
        assert len(client.flood("www.example.com", 150)) < 150
        server.server = "rate_limit = 0;"
        server.write_config()
        assert server.reload().returncode == 0
        assert len(client.flood("www.example.com", 150)) == 150
        server.server = LIMIT + "rate_limit_slip = 1;"
        server.write_config()
        assert server.reload().returncode == 0
        answers = client.flood("www.example.com", 150)
        assert len(answers) == 150 > len(whole(answers))
        server.server = LIMIT + "rate_limit_table = 8;"
        server.write_config()
        refused = server.reload()
        assert refused.returncode == 1
        assert "server.rate_limit_table was changed, which needs a restart" in refused.stdout + refused.stderr
