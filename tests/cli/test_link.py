"""link add, show, set, del, stats and what the other commands say of links: as typed."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import pytest

from tests.cli.command_line import CommandLine
from tests.hosts import Host

MAC = "02:00:00:00:00:aa"
EVERY = f"--over eth1 --ifname x0 --mac {MAC} --mtu 1300 --address 10.0.0.1/24 --address 10.0.0.2/24 --down"
OF_TYPE = {
    "bridge": (
        "--stp off --priority 1 --forward-delay-ms 5000 --ageing-s 10 --igmp-snooping off --vlan-filtering on"
        " --vlan eth1=10u+20-29 --vlan siteb/lan=20 --isolated eth1 --isolated siteb/lan --over siteb/lan"
    ),
    "bond": (
        "--mode xor --hash layer2 --miimon-ms 50 --lacp-rate slow --min-links 1 --arp-interval-ms 100"
        " --arp-target 192.0.2.1,192.0.2.2 --arp-target 192.0.2.3 --primary eth1"
    ),
    "alias": "",
    "macvlan": "--mode source --source-mac 02:00:00:00:00:01 --source-mac 02:00:00:00:00:02",
    "ipvlan": "--mode l3s --flag vepa",
    "vlan": "--id 7 --protocol 802.1ad",
    "vnic": "",
}


@pytest.mark.parametrize("type_", OF_TYPE)
def test_every_option_of_every_type(siteb: CommandLine, type_: str) -> None:
    siteb.ok(f"link add x --type {type_} {EVERY} {OF_TYPE[type_]} --transient")
    words = siteb.manager.links.get("x").spec.to_words()
    assert words["type"] == type_
    assert (words["ifname"], words["mac"], words["mtu"], words["up"]) == ("x0", MAC, 1300, False)
    assert (words["over"][0], words["address"]) == ("eth1", ["10.0.0.1/24", "10.0.0.2/24"])
    flags = [word.removeprefix("--") for word in OF_TYPE[type_].split() if word.startswith("--")]
    default = {
        "priority": 32768, "forward-delay-ms": 4000, "ageing-s": 300, "mode": "active-backup", "hash": "layer3+4",
        "miimon-ms": 100, "stp": "auto", "id": 0, "protocol": "802.1q", "lacp-rate": "fast",
    }  # fmt: skip
    assert [word for word in flags if words[word] == default.get(word, [])] == []
    assert siteb.manager.links.get("x").transient


def test_lists_may_be_repeated_or_have_commas(siteb: CommandLine) -> None:
    siteb.ok("link add x --type bridge --over eth1,siteb/lan --over eth2 --isolated eth1,eth2")
    words = siteb.manager.links.get("x").spec.to_words()
    assert (words["over"], words["isolated"]) == (["eth1", "siteb/lan", "eth2"], ["eth1", "eth2"])


def test_add_says_what_came_of_it(siteb: CommandLine) -> None:
    said = siteb.ok(f"link add br0 --type bridge --over eth1,siteb/lan --mac {MAC}")
    assert said.out == ""
    assert said.err == f"link br0: added, bridge over eth1, siteb/lan, netdev br0, mac {MAC}, mtu 1500\n"
    assert siteb.ok("link add w --type port --over eth0,eth2").err == "link w: added, port over eth0, eth2\n"


@pytest.mark.parametrize(
    ("line", "code", "says"),
    [
        ("link add x", 1, "'--type'"),
        ("link add x --type trunk", 1, "give one of bridge, bond, alias, macvlan, ipvlan, vlan, vnic, port"),
        ("link add x --type bond --stp on", 1, "link x: --stp: a bond has no such option; it has --mode, --hash"),
        ("link add x --type alias --id 4", 1, "--id: an alias has no such option; it has --over, --ifname"),
        (
            "link add x --type port --id 4",
            1,
            "--id: a port has no such option; it has --carrier and, as every link, --over, --over-netns",
        ),
        ("link add x --type port --over eth1,eth2 --mtu 1400", 1, "a port has no netdev of its own"),
        ("link add x --type ipvlan --over eth1 --mode bridge", 1, "--mode: 'bridge' is unknown; give one of l2, l3"),
        ("link add x --type macvlan --over eth1 --mode l2", 1, "give one of private, vepa, bridge, passthru, source"),
        ("link add x --type bond --mode source", 1, "give one of round-robin, xor, active-backup, 802.3ad"),
        ("link add x --type ipvlan", 1, "--over: an ipvlan needs what it is over"),
        ("link add x --type vlan --over eth1", 1, "--id: a vlan needs its number"),
        ("link add x --type bridge --over x", 1, "can't be over itself"),
        ("link add x --type bridge --over eth1 --isolated eth2", 1, "eth2 is not a member of it"),
        ("link add a-name-of-many-letters --type bridge", 1, "too long for a netdev; give a shorter one"),
        ("link add x --type bridge --mtu 5", 1, "--mtu"),
        ("link add x --type bridge --igmp-snooping maybe", 1, "give on or off"),
        ("link add x --type bridge --over eth7", 3, "no netdev eth7"),
        ("link add x --type bridge --over siteb/wan", 3, "`l2tpctl session add siteb wan` makes it"),
        ("link add taken --type alias", 4, "exists already; `l2tpctl link set taken` changes it"),
        ("link add x --type bridge --over eth0", 4, "link taken is over already"),
        ("link add x --type bridge --ifname eth1", 4, "netdev eth1 exists already"),
        ("link set taken --over taken", 1, "can't be over itself"),
        ("link set taken --mode l2", 1, "--mode: a bridge has no such option"),
        ("link set nope --mtu 1400", 3, "`l2tpctl link show` lists them"),
        ("link show nope", 3, "link nope: no such link"),
        ("link stats nope", 3, "link nope: no such link"),
        ("link stats --watch soon", 1, "soon"),
        ("link del nope", 3, "link nope: no such link"),
        ("restore link nope", 3, "link nope: no such link"),
        ("restore nope", 3, "tunnel nope: no such tunnel"),
    ],
)
def test_errors(siteb: CommandLine, line: str, code: int, says: str) -> None:
    siteb.ok("link add taken --type bridge --over eth0")
    result = siteb(line)
    assert (result.code, result.out) == (code, "")
    assert result.err.startswith("l2tpctl: ") and result.err.count("\n") == 1 and says in result.err
    assert [one.name for one in siteb.manager.links.all()] == ["taken"]
    if not line.startswith(("restore", "link del")):
        assert json.loads(siteb(f"{line} --json").err)["error"]["exit_code"] == code


def test_show(siteb: CommandLine) -> None:
    siteb.ok(f"link add br0 --type bridge --over eth1,siteb/lan --mac {MAC} --address 10.0.0.1/24")
    siteb.ok("link add w --type port --over eth0,eth2")
    bridge, port = siteb.ok("link ls").table
    assert bridge == {
        "NAME": "br0", "TYPE": "bridge", "CONDITION": "up", "IFNAME": "br0", "OVER": "eth1,siteb/lan", "MTU": "1500",
        "MAC": MAC, "ATTACHED": "10.0.0.1/24",
    }  # fmt: skip
    assert (port["TYPE"], port["IFNAME"], port["MTU"], port["MAC"]) == ("port", "-", "-", "-")


def test_show_one(siteb: CommandLine) -> None:
    siteb.ok("link add br0 --type bridge --over eth1,siteb/lan,eth2 --isolated eth2 --mtu 1400")
    shown = _facts(siteb.ok("link show br0").out)
    assert (shown["over"], shown["over now"]) == ("eth1, siteb/lan, eth2", "eth1, l2tpeth0, eth2")
    assert (shown["stp"], shown["isolated"], shown["mtu"]) == ("auto (now on)", "eth2", "1400 (as asked for)")
    assert "note" not in shown and "transient" not in shown
    del siteb.nics["eth1"]
    shown = _facts(siteb.ok("link show br0").out)
    assert (shown["over now"], shown["note"]) == ("l2tpeth0, eth2", "eth1 is not there")


def _facts(text: str) -> dict[str, str]:
    width = len(text.partition("\n")[0]) - len(text.partition("\n")[0].split(maxsplit=1)[1])
    return {line[:width].strip(): line[width:] for line in text.splitlines()}


def test_set_says_nothing_when_it_is_in_place_and_tells_what_it_interrupts(siteb: CommandLine) -> None:
    siteb.ok("link add br0 --type bridge --over eth1")
    siteb.ok("link add v5 --type vlan --over br0 --id 5")
    assert siteb.ok("link set br0 --over eth2 --priority 1").err == ""
    assert siteb.manager.links.get("br0").over == ("eth2",)
    said = siteb.ok("link set v5 --id 6").err
    assert said == "link v5: made anew, traffic was interrupted: id can't change in place\n"
    assert "type can't change" in siteb.ok("link set br0 --type alias").err
    assert siteb.manager.links.get("br0").spec.over == ("eth2",)


def test_set_takes_words_back(siteb: CommandLine) -> None:
    siteb.ok("link add x --type bridge --over eth1,eth2 --isolated eth1 --mtu 1400 --stp off --address 10.0.0.1/24")
    siteb.ok("link set x --isolated none --mtu auto --stp auto --address none --over none --priority none")
    spec = siteb.manager.links.get("x").spec
    assert spec.stated_words() == {"type": "bridge"}


def test_del(siteb: CommandLine) -> None:
    siteb.ok("link add br0 --type bridge --over siteb/lan")
    refused = siteb("session del siteb lan")
    assert refused.code == 4 and "`l2tpctl link del br0`" in refused.err
    assert siteb.ok("link rm br0").err == ""
    assert siteb.ok("link show").err == "no links; `l2tpctl link add NAME --type TYPE --over DEV` makes one\n"
    assert siteb.ok("link stats").err == "no links\n"


def test_bare_l2tpctl_shows_links_where_there_are_any(ctl: CommandLine) -> None:
    assert ctl.ok("--json").json["links"] == []
    ctl.ok("link add br0 --type bridge --over eth1,eth2")
    del ctl.nics["eth2"]
    shown = ctl.ok("")
    heads, row, note = shown.out.splitlines()
    assert heads.split()[:5] == ["LINK", "TYPE", "CONDITION", "IFNAME", "OVER"]
    assert row.split()[:5] == ["br0", "bridge", "up", "br0", "eth1,eth2"]
    assert note == "note  br0: eth2 is not there" and shown.err == ""
    ctl.ok("tunnel add siteb --remote 127.0.0.2")
    assert "  no sessions\n\nLINK" in ctl.ok("").out
    assert [one["name"] for one in ctl.ok("--json").json["links"]] == ["br0"]


def test_down_and_restore_speak_of_links(siteb: CommandLine) -> None:
    siteb.ok("link add br0 --type bridge --over eth1,siteb/lan")
    siteb.ok("link add siteb --type alias --over eth2")
    siteb.ok("down")
    assert "`l2tpctl down` stopped it" in siteb.ok("link show br0").out
    assert siteb.ok("restore br0").err == "link br0: restored\ntunnel siteb: restored\n"
    assert siteb.ok("link show").table[0]["CONDITION"] == "up"
    assert siteb.ok("link show").table[1]["CONDITION"] == "missing"
    assert "link siteb" not in siteb.ok("restore siteb").err, "the tunnel of that name"
    assert siteb.ok("restore link siteb").err == "link siteb: restored\n"


def test_the_log_speaks_of_links(siteb: CommandLine, here: None) -> None:
    siteb.ok("link add br0 --type bridge --over eth1,siteb/lan")
    assert "+ link br0: bridge over eth1, siteb/lan" in siteb.ok("log").out


def test_what_it_is_over_has_to_be_there(siteb: CommandLine) -> None:
    siteb.ok("link add br0 --type bridge --over siteb/lan")
    siteb.ok("down")
    for line in ("link set br0 --stp off", "link add v5 --type vlan --id 5 --over siteb/lan"):
        result = siteb(line)
        assert result.code == 3 and "no netdev l2tpeth0 to be over" in result.err


def test_a_restore_waits_for_a_nic(siteb: CommandLine) -> None:
    siteb.ok("link add v5 --type vlan --over eth1 --id 5")
    siteb.ok("down")
    del siteb.nics["eth1"]
    result = siteb("restore --wait 0.2")
    assert result.code == 3 and "link v5: waiting: link v5: no netdev eth1" in result.err


def test_watching_stats_adds_lines(siteb: CommandLine, here: None, monkeypatch: pytest.MonkeyPatch) -> None:
    siteb.ok("link add br0 --type bridge --over eth1")
    ticks = iter((None, None, KeyboardInterrupt))

    def sleep(_: float) -> None:
        if (error := next(ticks)) is not None:
            raise error

    monkeypatch.setattr(time, "sleep", sleep)
    heads, *lines = siteb.ok("link stats --watch 0.1").out.splitlines()
    assert heads.split()[:4] == ["TIME", "NAME", "TYPE", "IFNAME"] and len(lines) == 3
    ticks = iter((None, KeyboardInterrupt))
    documents = [json.loads(line) for line in siteb.ok("link stats br0 --watch 0.1 --json").out.splitlines()]
    assert [one["links"][0]["rates"] is None for one in documents] == [True, False]


@pytest.mark.root
def test_on_real_netdevs(netns: Callable[[str], Host]) -> None:
    """The MTU's warning, counters of a bridge, and those of a port by what it joins."""
    host = netns("h")
    host.ip_batch([f"link add n{n} type veth peer name w{n}" for n in range(4)])
    host.ip_batch(["link set n1 mtu 1400", *(f"link set {end}{n} up" for n in range(4) for end in "nw")])
    added = host.ctl("link", "add", "br0", "--type", "bridge", "--over", "n0,n1", "--address", "10.0.0.1/24", "--json")
    first, note = added.stderr.splitlines()
    (link,) = json.loads(added.stdout)["links"]
    assert first == f"link br0: added, bridge over n0, n1, netdev br0, mac {link['mac']}, mtu 1400"
    assert note.startswith("l2tpctl: note: link br0: MTUs differ beneath it: n1 has 1400 bytes")
    host.ctl("link", "add", "wire", "--type", "port", "--over", "n2,n3")
    host.ip_batch(["addr add 10.9.0.1/24 dev w2"])
    host.run(["ping", "-c1", "-W0.2", "10.9.0.2"], check=False)  # asks for its MAC address
    counted = {tuple(line.split()[1:3]): line.split()[7] for line in host.ctl("link", "stats").stdout.splitlines()}
    assert ("port", "n2") in counted and int(counted["port", "n2"]) > 0
    assert counted["bridge", "br0"].isdigit()
    rates = host.ctl("link", "stats", "wire", "--json").stdout
    assert {"n2_packets", "n3_bytes"} <= {*json.loads(rates)["links"][0]["counters"]}
    assert host.ctl("link", "set", "br0", "--stp", "off").stderr == f"{note}\n"
    assert host.ctl("link", "set", "br0", "--over", "n0").stderr == ""
    assert "n1" not in host.ctl("link", "show", "br0").stdout
    host.ctl("link", "del", "br0")
    host.ctl("link", "del", "wire")
    assert "br0" not in host.ip("link")
