"""Every member of every answer of the control socket stands in rondoctl(8)."""

import pathlib
import re

from balancing import a_records, balanced, tcp, wait_seen

MANUAL = pathlib.Path(__file__).resolve().parents[2] / "man" / "rondoctl.8"
WWW = "www.example.com"


def words_of_manual():
    section = MANUAL.read_text().split(".Sh JSON")[1].split(".Sh ENVIRONMENT")[0]
    return set(re.findall(r"[a-z][a-z0-9_]+", section))


def keys_of(json, inside=""):
    """With where they stand; of counters, which have names of their own, only that there are any."""
    if isinstance(json, list):
        return set().union(*(keys_of(item, inside) for item in json)) if json else set()
    if not isinstance(json, dict) or inside in ("answers", "sockets", "transfers"):
        return set()
    found = {(inside, key) for key in json}
    return found.union(*(keys_of(value, key) for key, value in json.items())) if json else found


def answers_on_zones(rondo):
    """Of a primary and its secondary, on each that has such an answer."""
    secondary = rondo.prepare(zones={"example.com": None})
    primary = rondo(keys={"example.com": 'allow_transfer = [ "any" ]; notify_ns = false;'})
    secondary.keys = {"example.com": f'primaries = [ "127.0.0.1@{primary.port}" ]; notify_ns = false;'}
    secondary.write_config()
    secondary.start(wait=["example.com"])
    output = ["--output", str(secondary.dir / "out")]
    orders = [(secondary, "refresh"), (secondary, "retransfer"), (primary, "notify"), (primary, "sync"), (primary, "freeze"),
              (primary, "thaw"), (primary, "reload"), (primary, "zones"), (secondary, "zones")]
    return [server.ctl_json(order, "example.com") for server, order in orders] + [
        primary.ctl_json("dump", "example.com", *output), primary.ctl_json("status")]


def test_every_member_of_an_answer_stands_in_the_manual(rondo, backends):
    web = backends(3)
    tiers = [{"address": address, "tier": 1 + number} for number, address in enumerate(web.addresses)]
    groups = [{"name": "www", "probe": "tcp", "members": tiers, "policy": "weighted", "failback": "manual", "trickle": 0.1,
               "flap_hold": "1s"},
              {"name": "fast", "probe": "tcp", "policy": "fastest"}, {"name": "hosts", "members": [{"host": "x.example.com"}]}]
    server = balanced(rondo, a_records("www", web.addresses) + a_records("fast", web.addresses)
                      + a_records("x", web.addresses) + a_records("hosts", ["192.0.2.9"]), groups,
                      [tcp(web.port, interval="100ms", fast_interval="100ms", timeout="100ms", fall=1, rise=1)])
    server.extra += f'\nhealth: {{ anchors = [ "{web.addresses[2]}@{web.port} probe tcp" ]; }};'
    server.extra += '\nsites = ( { name = "eu"; networks = [ "127.0.1.0/24" ]; } );\n'
    server.write_config()
    answers = [server.ctl_json("reload")]
    wait_seen(server, WWW, web.addresses[:2])
    answers.append(server.ctl_json("explain", WWW, "A", "--if-down", web.addresses[0], "--client", "127.0.1.1"))
    answers += [server.ctl_json("drain", WWW, web.addresses[1], "--for", "1h"), server.ctl_json("check", WWW, web.addresses[0]),
                server.ctl_json("force", WWW, web.addresses[1], "up"), server.ctl_json("pools"), server.ctl_json("zones")]
    for backend in web:
        backend.stop()
    server.wait_log("hold: every anchor")
    answers += [server.ctl_json("status"), server.ctl_json("pools"), server.ctl_json("release"), server.ctl_json("log", "info"),
                server.ctl_json("unforce", WWW, web.addresses[1]), server.ctl_json("failback", "all")]
    answers += answers_on_zones(rondo)
    keys = set().union(*map(keys_of, answers))
    assert {("zones", "journal"), ("secondary", "last_transfer"), ("last_transfer", "took_ms"), ("", "frozen")} <= keys
    assert ("pools", "members") in keys and ("members", "address") in keys and len(keys) > 150, sorted(keys)
    manual = words_of_manual()
    missing = sorted(f"{inside}: {key}" for inside, key in keys if key not in manual)
    assert not missing, "\n".join(missing)
