"""Files in: what they say, and everything that is wrong with them, at once, each with its place and a remedy."""

from __future__ import annotations

import copy
import json
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l2tpv3.config import DATAPATHS, ConfigError, Problem, config_files, load
from l2tpv3.errors import ConflictError, InvalidValueError, NotFoundError
from l2tpv3.host.manager import Manager
from l2tpv3.model.desired import DesiredLink, DesiredSession, DesiredTunnel
from l2tpv3.paths import Paths
from l2tpv3.resolve import allocate
from l2tpv3.testing.datapath import MemoryDatapath
from l2tpv3.testing.netdevs import MemoryConfigurator
from tests.properties import SOME

BROKEN = Path(__file__).parent / "broken"
TUNNEL = '[tunnel.a]\nremote = "127.0.0.2"\n'
SESSION = TUNNEL + "[tunnel.a.session.lan]\n"


def write(folder: Path, text: str, name: str = "a.toml", mode: int = 0o600) -> Path:
    path = folder / name
    path.write_text(text)
    path.chmod(mode)
    return path


def tunnel(path: Path) -> DesiredTunnel:
    (only,) = load([path])
    assert isinstance(only, DesiredTunnel)
    return only


def problems(*paths: Path) -> list[Problem]:
    with pytest.raises(ConfigError) as caught:
        load(paths)
    return list(caught.value.problems)


def problem(folder: Path, text: str) -> Problem:
    (only,) = problems(write(folder, text))
    return only


# -- what files say ------------------------------------------------------------------------------------------------


def test_words_are_those_given_in_their_canonical_form(tmp_path: Path) -> None:
    text = """
[tunnel.siteb]
remote = "2001:DB8::2"
id = "0x10"
peer-id = 0x20
udp-checksum = false
local-port = 5000

[tunnel.siteb.session.lan]
tx-cookie = "0x0123456789ABCDEF"
rx-cookie = "none"
mtu = "auto"
mac = "2-0-5E-0-53-1"
address = "10.0.0.1/24"
up = false

[tunnel.siteb.session]
wan = { mtu = 1400, address = ["10.1.0.1/24", "2001:db8:1::1/64"], sequencing = "both" }

[tunnel.other]
remote = "127.0.0.3"
"""
    siteb, other = load([write(tmp_path, text)])
    assert siteb == DesiredTunnel(
        name="siteb",
        words={"remote": "2001:db8::2", "id": 16, "peer-id": 32, "udp-checksum": "off", "local-port": 5000},
        sessions=(
            DesiredSession(
                name="lan",
                words={
                    "tx-cookie": bytes.fromhex("0123456789abcdef"),
                    "rx-cookie": b"",
                    "mtu": "auto",
                    "mac": "02:00:5e:00:53:01",
                    "address": ["10.0.0.1/24"],
                    "up": False,
                },
            ),
            DesiredSession(
                name="wan",
                words={"mtu": 1400, "address": ["10.1.0.1/24", "2001:db8:1::1/64"], "sequencing": "both"},
            ),
        ),
    )
    assert other == DesiredTunnel(name="other", words={"remote": "127.0.0.3"})
    source = siteb.sessions[1].source
    assert source is not None
    assert (source.key, str(source)) == ("tunnel.siteb.session.wan", f"{tmp_path}/a.toml:18")
    assert source.of("mtu").line == 18


def test_files_are_merged_in_their_order_and_each_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = write(tmp_path, TUNNEL, "20.toml")
    two = write(tmp_path, TUNNEL.replace(".a]", ".b]").replace("0.2", "0.3"), "10.toml")
    assert [tunnel.name for tunnel in load([one, two, one])] == ["a", "b"]
    write(tmp_path, "not read", ".hidden.toml")
    write(tmp_path, "not read", "old.toml~")
    monkeypatch.setenv("L2TPV3_CONFIG_DIR", str(tmp_path))
    assert config_files() == [two, one]
    assert config_files(tmp_path) == [two, one]
    monkeypatch.setenv("L2TPV3_CONFIG_DIR", str(tmp_path / "absent"))
    with pytest.raises(NotFoundError, match="absent: can't list this directory"):
        config_files()


def test_the_datapaths_are_those_that_auto_tries_and_those_that_it_does_not() -> None:
    assert set(DATAPATHS) == {"auto", *allocate.AUTO_ORDER, *allocate.NOT_BY_ITSELF} == set(Manager().datapath_words)


def test_what_loads_is_taken_by_the_manager(tmp_path: Path) -> None:
    text = SESSION + 'tx-cookie = "none"\nmtu = "auto"\naddress = "10.0.0.1/24"\nifname = "lan0"\nup = false\n'
    wanted = tunnel(write(tmp_path, text))
    manager = _manager(tmp_path)
    manager.add_tunnel(wanted.name, wanted.words)
    status = manager.add_session(wanted.name, wanted.sessions[0].name, wanted.sessions[0].words)
    assert status.spec.tx_cookie == b""
    assert status.spec.rx_cookie != b""
    assert (status.spec.ifname, status.spec.up) == ("lan0", False)


def _manager(folder: Path) -> Manager:
    memory = MemoryDatapath()
    return Manager(Paths(folder / "state", folder / "run"), [memory], MemoryConfigurator(memory))


# -- cookies -------------------------------------------------------------------------------------------------------


def test_cookies_come_from_files_and_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "0011223344556677\n", "tx")
    secrets = tmp_path / "credentials"
    secrets.mkdir()
    write(secrets, "deadbeef", "lan.rx")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(secrets))
    path = write(tmp_path, SESSION + 'tx-cookie = "@tx"\nrx-cookie = "credential:lan.rx"\n')
    monkeypatch.chdir("/")  # relative to the file's folder, not to this
    (session,) = tunnel(path).sessions
    assert session.words == {"tx-cookie": bytes.fromhex("0011223344556677"), "rx-cookie": bytes.fromhex("deadbeef")}
    (session,) = tunnel(write(tmp_path, SESSION + f'tx-cookie = "@{tmp_path}/tx"\n')).sessions
    assert session.words == {"tx-cookie": bytes.fromhex("0011223344556677")}


def test_a_credential_that_is_not_there_is_told_clearly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = SESSION + 'tx-cookie = "credential:{}"\n'
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    found = problem(tmp_path, text.format("lan"))
    assert "$CREDENTIALS_DIRECTORY is not set" in found.problem
    assert "LoadCredential=lan:FILE" in found.remedy
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    found = problem(tmp_path, text.format("lan"))
    assert (found.line, found.key) == (4, "tunnel.a.session.lan.tx-cookie")
    assert f"can't read '{tmp_path}/lan': No such file" in found.problem
    for name in ("../a", "", "..", "a:b"):
        assert "is not a credential's name" in problem(tmp_path, text.format(name)).problem


def test_a_cookie_that_others_can_read_is_warned_of_once_a_file(tmp_path: Path) -> None:
    text = SESSION + 'tx-cookie = "0011223344556677"\nrx-cookie = "8899aabb"\n'
    warnings: list[Problem] = []
    load([write(tmp_path, text, mode=0o640)], warn=warnings.append)
    assert warnings == []
    path = write(tmp_path, text, mode=0o644)
    load([path], warn=warnings.append)
    assert [str(one) for one in warnings] == [
        f"{path}:4: tunnel.a.session.lan.tx-cookie: a cookie in this file can be read by every user; chmod o-r {path}"
    ]
    warnings.clear()
    load([write(tmp_path, SESSION + 'tx-cookie = "none"\n', mode=0o644)], warn=warnings.append)
    assert warnings == []
    write(tmp_path, "0011223344556677", "tx", mode=0o644)
    load([write(tmp_path, SESSION + 'tx-cookie = "@tx"\n', mode=0o644)], warn=warnings.append)
    assert [one.remedy for one in warnings] == [f"chmod o-r {tmp_path}/tx"]


SECRET = "5ec4e7"  # a hexadecimal number as well as text


@pytest.mark.parametrize(
    "text",
    [
        f'{SESSION}tx-cookie = "{SECRET}"',
        f"{SESSION}tx-cookie = 0x{SECRET}",
        f"{SESSION}tx-cookie = 0{SECRET}",
        f'{SESSION}tx-cookie = ["{SECRET}"]',
        f'{SESSION}tx-cookie = {{ hex = "{SECRET}" }}',
        f'{SESSION}tx-cookie = "{SECRET}\\n"',
        f'{SESSION}tx-cookie = "{SECRET}',
        f'{SESSION}tx_cookie = "{SECRET}"',
        f'{TUNNEL}[tunnel.a.remote]\ntx-cookie = "{SECRET}"',
        f'{TUNNEL}[tunnel.a.local]\ntx-cookie = "{SECRET}"',
        f'{TUNNEL}[tunnel.a.session]\ntx-cookie = "{SECRET}"',
        f'{SESSION}tx-cookie = "@cookie"',
        f'{SESSION}tx-cookie = "@broken"',
    ],
)
def test_no_secret_is_in_a_message(tmp_path: Path, text: str) -> None:
    write(tmp_path, SECRET, "cookie")
    (tmp_path / "broken").write_bytes(SECRET.encode() + b"\xff")
    with pytest.raises(ConfigError) as caught:
        load([write(tmp_path, text + "\n")])
    for shown in (str(caught.value), repr(caught.value), repr(caught.value.problems)):
        assert SECRET not in shown
        assert str(int(SECRET, 16)) not in shown


def test_no_secret_is_in_what_is_printed_of_a_tunnel(tmp_path: Path) -> None:
    (tunnel,) = load([write(tmp_path, SESSION + 'tx-cookie = "0011223344556677"\n')])
    assert "0011" not in repr(tunnel)
    assert "3DU" not in repr(tunnel)  # how bytes show it


# -- what is wrong -------------------------------------------------------------------------------------------------


def test_everything_wrong_in_every_file_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    files = [*config_files(BROKEN), BROKEN / "absent.toml"]
    with pytest.raises(ConfigError) as caught:
        load(files)
    error = caught.value
    assert error.exit_code == 1
    assert isinstance(error, InvalidValueError)
    assert str(error).replace(f"{BROKEN}/", "").splitlines() == (BROKEN / "expected.txt").read_text().splitlines()
    assert all(found.remedy for found in error.problems)
    assert copy.copy(error).problems == error.problems


@pytest.mark.parametrize(
    ("text", "line", "key", "what"),
    [
        ("tunnel = 3", 1, "tunnel", "not a table"),
        ("[[tunnel.a]]", 1, "tunnel.a", "not a table"),
        ('[tunnel]\nremote = "127.0.0.2"', 2, "tunnel.remote", "write the heading [tunnel.NAME] above remote"),
        ("[tunnel.a]", 1, "tunnel.a", "remote is missing"),
        ('[tunnel.a]\nlocal = "2001:db8::1"', 1, "tunnel.a", "remote is missing"),
        ('[tunnel."a/b"]\nremote = "127.0.0.2"', 1, 'tunnel."a/b"', "not a name"),
        (TUNNEL + "session = 1", 3, "tunnel.a.session", "not a table; write the heading [tunnel.a.session.NAME]"),
        (TUNNEL + "session.b = 1", 3, "tunnel.a.session.b", "not a table; write the heading [tunnel.a.session.NAME]"),
        (TUNNEL + "id = 0", 3, "tunnel.a.id", "0 is not an id"),
        (TUNNEL + "id = 4294967296", 3, "tunnel.a.id", "4294967296 is not an id"),
        (TUNNEL + "id = true", 3, "tunnel.a.id", "not a whole number"),
        (TUNNEL + "id = 1.5", 3, "tunnel.a.id", "not a whole number"),
        (TUNNEL + f"id = 0x{'f' * 5000}", 3, "tunnel.a.id", "more than 64 bits"),
        (TUNNEL + f'id = "{"9" * 5000}"', 3, "tunnel.a.id", "a text of 5000 characters"),
        (TUNNEL + f"id = {'9' * 5000}", 0, "", "thousands of digits"),
        (TUNNEL + "id = 2020-01-01", 3, "tunnel.a.id", "not a whole number"),
        (TUNNEL + 'local = "127.0.0.2"', 2, "tunnel.a.remote", "both ends are 127.0.0.2; give the peer's address"),
        (TUNNEL + 'local = ""', 3, "tunnel.a.local", "empty; give a value, or leave the key out"),
        (TUNNEL + 'netns = "a\\u0000b"', 3, "tunnel.a.netns", "control characters"),
        (TUNNEL + 'udp-checksum = "yes"', 3, "tunnel.a.udp-checksum", "give on or off"),
        (TUNNEL + 'datapath = "fast"', 3, "tunnel.a.datapath", "give one of auto, kernel, user"),
        (TUNNEL + "peer = 1", 3, "tunnel.a.peer", "did you mean remote?"),
        (TUNNEL + "mtu = 1400", 3, "tunnel.a.mtu", "it belongs to a session"),
        (TUNNEL + "zzz = 1", 3, "tunnel.a.zzz", "known are remote, remote-name, local,"),
        (SESSION + "mtu = 67", 4, "tunnel.a.session.lan.mtu", "67 is out of range"),
        (SESSION + 'ifname = "much-too-long-a-name"', 4, "tunnel.a.session.lan.ifname", "has 20 bytes"),
        (SESSION + 'mac = "01:00:5e:00:00:01"', 4, "tunnel.a.session.lan.mac", "group or zero"),
        (SESSION + "up = 1", 4, "tunnel.a.session.lan.up", "give true or false"),
        (SESSION + 'address = "10.0.0.1/33"', 4, "tunnel.a.session.lan.address", "not an address with prefix length"),
        (SESSION + 'address = ["::1/64", "0::1/64"]', 4, "tunnel.a.session.lan.address", "given twice"),
        (SESSION + 'address = [["::1/64"]]', 4, "tunnel.a.session.lan.address", "not text"),
        (SESSION + 'ifname = "x"\nbridge = "x"', 5, "tunnel.a.session.lan.bridge", "x is the netdev of"),
        ("id = [\n\n", 1, "", "not TOML"),
        ("\nid = 'a\nb'", 2, "", "not TOML"),
        ("a = " + "[" * 5000, 1, "", "nested too deeply"),
    ],
)
def test_one_thing_wrong(tmp_path: Path, text: str, line: int, key: str, what: str) -> None:
    found = problem(tmp_path, text)
    assert (found.line, found.key) == (line, key)
    assert what in f"{found.problem}; {found.remedy}"
    assert "\n" not in str(found)
    assert "--" not in str(found)  # a file has keys, not options


def test_a_file_that_is_not_text(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_bytes(b"[tunnel.a]\r\nremote = '\xff'\n")
    (found,) = problems(path)
    assert (found.line, found.problem) == (2, "not UTF-8, which TOML has to be")
    (found,) = problems(tmp_path)
    assert found.problem == "can't read it: Is a directory"


@SOME
@given(st.recursive(st.none() | st.text(max_size=5) | st.integers() | st.booleans() | st.floats(), st.lists))
def test_no_value_of_any_word_is_more_than_a_problem(tmp_path_factory: pytest.TempPathFactory, value: object) -> None:
    text = json.dumps(value, ensure_ascii=True).replace("null", "{}").replace("NaN", "nan").replace("Infinity", "inf")
    folder = tmp_path_factory.getbasetemp()
    words = ["remote", "local", "encap", "id", "local-port", "udp-checksum", "datapath", "netns"]
    session = ["id", "ifname", "tx-cookie", "sublayer", "sequencing", "reorder-timeout-ms", "mtu", "mac", "up"]
    lines = ["[tunnel.a]", *(f"{word} = {text}" for word in words), "[tunnel.a.session.b]"]
    lines += [f"{word} = {text}" for word in (*session, "address", "bridge", "netns")]
    try:
        tomllib.loads("\n".join(lines))
    except ValueError:
        return  # an escaped surrogate: not TOML
    found = problems(write(folder, "\n".join(lines)))
    assert {one.line for one in found} >= {3, 4}  # no value is an address and an encapsulation


# -- clashes -------------------------------------------------------------------------------------------------------

A = '[tunnel.a]\nremote = "127.0.0.2"\n'
B = '[tunnel.b]\nremote = "127.0.0.3"\nlocal-port = 1702\n'
PORT = A + "local-port = 1701\n"
CLASHES = {
    "tunnel ids": (A + "id = 5\n", B + "id = 5\n"),
    "tunnel ids, text and number": (A + "id = 5\n", B + 'id = "0x5"\n'),
    "ends": (PORT, PORT.replace(".a]", ".b]")),
    "ends with a local address": (PORT + 'local = "127.0.0.9"\n', PORT.replace(".a]", ".b]") + 'local = "127.0.0.9"\n'),
    "session ids of one tunnel": (A + "session.x.id = 7\n", "[tunnel.a.session.y]\nid = 7\n"),
    "session ids over IP": (A + 'encap = "ip"\nsession.x.id = 7\n', B + 'encap = "ip"\nsession.x.id = 7\n'),
    "session ids over IP and UDP": (A + "session.x.id = 7\n", B + 'encap = "ip"\nsession.x.id = 7\n'),
    "session ids over UDP and IP": (A + 'encap = "ip"\nsession.x.id = 7\n', B + "session.x.id = 7\n"),
    "netdevs": (A + 'session.x.ifname = "lan0"\n', B + 'session.x.ifname = "lan0"\n'),
}
NO_CLASHES = {
    "session ids of two tunnels over UDP": (A + "session.x.id = 7\n", B + "session.x.id = 7\n"),
    "tunnel and session ids": (A + "id = 7\n", B + "session.x.id = 7\n"),
    "one pair of hosts over IP": (A + 'encap = "ip"\n', A.replace(".a]", ".b]") + 'encap = "ip"\n'),
    "ports that are left open": (A, A.replace(".a]", ".b]")),
    "other ports": (A, A.replace(".a]", ".b]") + "local-port = 1702\n"),
    "other local addresses": (A + 'local = "127.0.0.9"\n', A.replace(".a]", ".b]") + 'local = "127.0.0.8"\n'),
}


@pytest.mark.parametrize("name", CLASHES)
def test_clashes_are_those_that_the_manager_refuses(tmp_path: Path, name: str) -> None:
    text = "\n".join(CLASHES[name])
    found = problem(tmp_path, text)
    assert found.line > CLASHES[name][0].count("\n") + 1  # at the later one
    assert f"{tmp_path}/a.toml:" in found.problem  # and where the earlier one is
    manager = _manager(tmp_path)
    first, second = (_load_apart(tmp_path, part) for part in _apart(CLASHES[name]))
    _add(manager, first)
    with pytest.raises(ConflictError):
        _add(manager, second)


@pytest.mark.parametrize("name", NO_CLASHES)
def test_what_only_looks_like_a_clash_is_none(tmp_path: Path, name: str) -> None:
    load([write(tmp_path, "\n".join(NO_CLASHES[name]))])
    manager = _manager(tmp_path)
    for part in NO_CLASHES[name]:
        _add(manager, _load_apart(tmp_path, part))


def _apart(parts: tuple[str, str]) -> tuple[str, str]:
    """Each part a file on its own: a second session needs its tunnel's heading."""
    return parts[0], parts[1] if "remote" in parts[1] else A + parts[1]


def _load_apart(folder: Path, text: str) -> DesiredTunnel:
    return tunnel(write(folder, text, "apart.toml"))


def _add(manager: Manager, wanted: DesiredTunnel) -> None:
    if wanted.name not in {status.name for status in manager.tunnels()}:
        manager.add_tunnel(wanted.name, wanted.words)
    for session in wanted.sessions:
        manager.add_session(wanted.name, session.name, session.words)


@pytest.mark.parametrize(
    ("one", "other", "clash"),
    [
        ("blue", "blue", True),
        ("blue", "/run/netns/blue", True),
        ("/proc/self/ns/net", None, True),
        ("blue", "red", False),
        ("blue", None, False),
    ],
)
def test_network_namespaces_are_told_apart(tmp_path: Path, one: str | None, other: str | None, clash: bool) -> None:  # noqa: FBT001
    parts = [
        f"{text}id = 5\n" + (f'netns = "{netns}"\n' if netns else "")
        for text, netns in ((A, one), (B, other))
    ]  # fmt: skip
    path = write(tmp_path, "".join(parts))
    if clash:
        assert "5 is also the id of tunnel.a" in problems(path)[0].problem
    else:
        assert len(load([path])) == 2


def test_a_netdev_moved_away_is_in_nobodys_way(tmp_path: Path) -> None:
    session = 'session.x = { ifname = "lan0", netns = "blue" }\n'
    assert len(load([write(tmp_path, A + session + B + 'session.x.ifname = "lan0"\n')])) == 2
    found = problem(tmp_path, A + session + B + session)
    assert "lan0 is also the netdev of tunnel.a.session.x" in found.problem
    found = problem(tmp_path, A + session + B + 'netns = "blue"\nsession.x.ifname = "lan0"\n')
    assert found.key == "tunnel.b.session.x.ifname"  # it is where its tunnel is


def test_a_tunnel_in_two_files(tmp_path: Path) -> None:
    one, two = write(tmp_path, A, "1.toml"), write(tmp_path, "\n" + A, "2.toml")
    (found,) = problems(one, two)
    assert (found.file, found.line, found.key) == (two, 2, "tunnel.a")
    assert found.problem == f"defined already at {one}:1"


# -- links ---------------------------------------------------------------------------------------------------------


def test_links_come_after_tunnels_in_canonical_form(tmp_path: Path) -> None:
    text = """
[link.br0]
type = "bridge"
over = "eth1, a/lan"
up = "off"
mtu = "1400"
[tunnel.a]
remote = "127.0.0.2"
session.lan = {}
"""
    words = {"type": "bridge", "over": ["eth1", "a/lan"], "up": False, "mtu": 1400}
    assert load([write(tmp_path, text)])[1:] == [DesiredLink(name="br0", words=words)]


@pytest.mark.parametrize(
    ("text", "key", "says"),
    [
        ('[link.a]\nover = "x"', "link.a", "type is missing"),
        ('[link.a]\ntype = "brige"', "link.a.type", "'brige' is no type of link"),
        ('[link.a]\ntype = "bridge"\nprioritty = 1', "link.a.prioritty", "did you mean priority"),
        ('[link.a]\ntype = "bond"\nstp = "on"', "link.a.stp", "it belongs to a bridge"),
        ('[link.a]\ntype = "vlan"\nover = "x"', "link.a", "give id 1 to 4094"),
        ('[link.a]\ntype = "bridge"\nover = "a"', "link.a.over", "can't be over itself"),
        ('[link.a]\ntype = "bond"\nover = "b"\n[link.b]\ntype = "bridge"\nover = "a"', "link.a.over", "in a circle"),
        ('[link.a]\ntype = "bond"\nover = "x"\n[link.b]\ntype = "bond"\nover = "x"', "link.b.over", "beneath link.a"),
        ('[link.a]\ntype = "alias"\n[link.b]\ntype = "alias"\nifname = "a"', "link.b.ifname", "a is also the netdev"),
        (SESSION + 'ifname = "x"\n[link.x]\ntype = "bridge"', "link.x", "x is the netdev of tunnel.a.session.lan"),
        (SESSION + 'bridge = "x"\n[link.x]\ntype = "vlan"\nid = 1\nover = "e"', "link.x", "x is the bridge of"),
        ('[link]\na = 1', "link.a", "not a table"),
        ('[link."a b"]\ntype = "alias"', 'link."a b"', "is not a name"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_links(tmp_path: Path, text: str, key: str, says: str) -> None:
    found = problem(tmp_path, text)
    assert found.key == key
    assert says in f"{found.problem}; {found.remedy}"


def test_a_bridge_may_be_a_link_and_a_session_s(tmp_path: Path) -> None:
    load([write(tmp_path, SESSION + 'bridge = "x"\n[link.x]\ntype = "bridge"')])


def test_one_name_has_one_link(tmp_path: Path) -> None:
    one, two = (write(tmp_path, '[link.a]\ntype = "alias"\n', name) for name in ("a.toml", "b.toml"))
    (found,) = problems(one, two)
    assert (found.key, found.file) == ("link.a", two)
    assert "defined already" in found.problem


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "t.toml"
    file.write_bytes(b'\xef\xbb\xbf[tunnel.t]\nremote = "192.0.2.1"\n')
    assert [one.name for one in load([file])] == ["t"]
