"""The units under a systemd that really runs them, in the guest: tunnels at boot, dead workers, the service.

One boot serves both tests, as it takes longest.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab.systemd_guest import ROOT, UNITS, boot, install
from tests.passing import without_passing

pytestmark = [pytest.mark.slow, pytest.mark.root, pytest.mark.timeout(2400)]

SERVICE_FILES = ("l2tpv3-api.service", "l2tpv3-api.socket")
HOST = """
link add u0 type dummy
addr add 10.99.0.1/24 dev u0
link set u0 up
link add br0 type bridge
link set br0 up
"""
WANTED = """
[tunnel.kernel]
remote = "10.99.0.2"
datapath = "kernel"
[tunnel.kernel.session.lan]
address = "10.1.0.1/24"

[tunnel.user]
remote = "10.99.0.3"
local-port = 5000
datapath = "user"
[tunnel.user.session.bridged]
bridge = "br0"
[tunnel.user.session.addressed]
address = "10.2.0.1/24"
"""
FIRST_BOOT = """
ip -b host.batch
ctl apply -f wanted.toml
show > before.json
"""
# The host comes up late, when the unit is waiting for it already.
SECOND_BOOT = """
until_true waiting
ip -b host.batch
until_true active l2tpv3-restore.service l2tpv3-watch.service
show > restored.json
kill_worker user 3
show > again.json
grep -h -E '^(Uid|Cap|NoNewPrivs|Seccomp:)' /proc/$(worker)/status > worker.status
cat /proc/$(systemctl show -P MainPID l2tpv3-watch.service)/status > watch.status
systemd-analyze security --no-pager l2tpv3-restore.service > restore.security
systemd-analyze security --no-pager l2tpv3-watch.service > watch.security

ip netns add blue
ctl session add user moved --netns blue --address 10.3.0.1/24
for unit in restore watch; do
  install -D -m 644 "$NETNS" /etc/systemd/system/l2tpv3-$unit.service.d/netns.conf
done
systemctl daemon-reload
ctl session add user fresh --netns made --address 10.4.0.1/24
ip netns del made
old=$(worker)
systemctl restart l2tpv3-restore.service l2tpv3-watch.service
[[ $(worker) == "$old" ]]
ip -n made -br addr > made
kill_worker user 5
ip -n blue -br addr > blue
systemd-analyze security --no-pager l2tpv3-watch.service > netns.security

for unit in restore watch; do
  install -D -m 644 "$EBPF" /etc/systemd/system/l2tpv3-$unit.service.d/ebpf.conf
done
systemctl daemon-reload
ctl tunnel add programs --remote 10.99.0.4 --local-port 6000 --datapath ebpf
ctl session add programs lan --address 10.5.0.1/24
systemctl restart l2tpv3-restore.service l2tpv3-watch.service
old=$(beside_programs)
kill -9 "$old"
until_true others "$old"
until_true up programs 2
ctl tunnel show programs --json > taken-over.json
ctl down
systemctl restart l2tpv3-restore.service || { journalctl -q -u l2tpv3-restore.service >&2; false; }
up programs 2
ctl tunnel show programs --json > programs.json
systemd-analyze security --no-pager l2tpv3-watch.service > ebpf.security

systemctl stop l2tpv3-watch.service l2tpv3-restore.service
up user 5 && up kernel 2
systemctl --no-legend --failed list-units 'l2tpv3*' > units.failed
"""
# Whoever connects while the service starts again waits for it: nothing is tried twice here.
SERVICE = """
trap 'journalctl -q -n 50 -u "l2tpv3*" >&2' ERR
systemd-sysusers "$PWD/sysusers.conf"
install -m 644 l2tpv3-api.service l2tpv3-api.socket /etc/systemd/system
systemctl daemon-reload
systemctl start l2tpv3-api.socket
socket=/run/l2tpv3/api.sock
api() { curl -sS --max-time 900 --fail-with-body -H 'Content-Type: application/json' --unix-socket $socket "$@"; }
group=$(getent group l2tpv3 | cut -d: -f3)
member() { setpriv --reuid=4242 --regid=4242 --groups="$group" -- "$@"; }
stranger() { setpriv --reuid=4242 --regid=4242 --clear-groups -- "$@"; }
export -f api; export socket
main() { systemctl show -P MainPID l2tpv3-api.service; }

echo '{"remote": "10.99.0.3", "local_port": 7000, "datapath": "user"}' > tunnel
echo '{"address": ["10.6.0.1/24"]}' > session
member bash -c 'api -X PUT -d @- http://x/v1/tunnels/t' < tunnel > made.json
member bash -c 'api -X PUT -d @- http://x/v1/tunnels/t/sessions/s' < session > session.json
! stranger bash -c 'api http://x/v1/tunnels' 2> stranger
stat -c '%a %G' /run/l2tpv3 /run/l2tpv3/api.sock > modes
old=$(worker)

kill -9 "$(main)"
api 'http://x/v1/tunnels?include=sessions' > killed.json
[[ $(worker) == "$old" ]]
systemctl restart l2tpv3-api.service
[[ $(worker) == "$old" ]]
systemctl reload l2tpv3-api.service
api 'http://x/v1/tunnels?include=sessions' > restarted.json
ctl token add laptop --scope write > token
journalctl -q -o json -t l2tpv3-api > journal
grep -E '^(Uid|Cap|NoNewPrivs|Seccomp:)' /proc/$(main)/status > service.status
systemd-analyze security --no-pager l2tpv3-api.service > api.security
systemctl stop l2tpv3-api.socket l2tpv3-api.service
[[ $(worker) == "$old" ]]
show > local.json
systemctl --no-legend --failed list-units 'l2tpv3*' > service.failed
"""


@pytest.fixture(scope="module")
def said() -> Iterator[dict[str, str]]:
    """What the commands of both boots have said, by the name of its file.

    What outlives a guest is a folder in the checkout, which is what a guest shares wherever the checkout is.
    """
    with tempfile.TemporaryDirectory(prefix=".systemd-", dir=ROOT) as folder:
        disk = Path(folder)
        (disk / "host.batch").write_text(HOST)
        (disk / "wanted.toml").write_text(WANTED)
        (disk / "sysusers.conf").write_text((ROOT / "systemd/l2tpv3.sysusers.conf").read_text())
        for name in SERVICE_FILES:
            (disk / name).write_text((ROOT / "systemd" / name).read_text())
        machine = disk / "machine"
        install(machine)
        boot(disk, FIRST_BOOT, {"L2TPV3_STATE_DIR": str(machine / "var/lib/l2tpv3")})
        boot(disk, SECOND_BOOT + SERVICE, {}, "--no-l2tp", "--files", str(machine), "--systemd", ",".join(UNITS))
        yield {path.name: path.read_text() for path in disk.iterdir() if path.is_file()}


def test_units_under_systemd(said: dict[str, str]) -> None:
    before, restored, again = (json.loads(said[f"{name}.json"]) for name in ("before", "restored", "again"))
    assert [_lasting(one) for one in restored["tunnels"]] == [_lasting(one) for one in before["tunnels"]]
    assert _netdevs(again) == _netdevs(restored), "it is the same netdev"
    assert again["tunnels"][1]["worker_pid"] != restored["tunnels"][1]["worker_pid"]
    _assert_confined(said)
    assert "10.3.0.1/24" in said["blue"]
    assert "10.4.0.1/24" in said["made"], "its namespace too"
    for name in ("taken-over", "programs"):
        (tunnel,) = json.loads(said[f"{name}.json"])["tunnels"]
        assert tunnel["notes"] == [], "the programs do all of it"
    assert not said["units.failed"]


def test_the_service_under_systemd(said: dict[str, str]) -> None:
    killed, restarted, local = (_tunnel(said[f"{name}.json"], "t") for name in ("killed", "restarted", "local"))
    assert killed["condition"] == "up" and killed["sessions"][0]["netdev"]["addresses"]
    assert killed["worker_pid"] == restarted["worker_pid"] == local["worker_pid"] is not None
    assert said["modes"].split() == ["711", "root", "660", "l2tpv3"]
    assert "connect" in said["stranger"].lower()
    who = {record.get("L2TPV3_IDENTITY") for record in map(json.loads, said["journal"].splitlines())}
    assert who >= {"root", "uid 4242 (group l2tpv3)"}
    level = re.search(r"Overall exposure level .*: ([\d.]+)", said["api.security"])
    assert level is not None and float(level[1]) <= 2.5, said["api.security"]
    capabilities = re.search(r"^CapBnd:\s*([0-9a-f]+)", said["service.status"], re.MULTILINE)
    assert capabilities is not None and int(capabilities[1], 16) == 1 << 12 | 1 << 13, "CAP_NET_ADMIN, CAP_NET_RAW"
    assert not said["service.failed"]


def _assert_confined(said: dict[str, str]) -> None:
    for name in ("restore", "watch", "netns", "ebpf"):
        level = re.search(r"Overall exposure level .*: ([\d.]+)", said[f"{name}.security"])
        assert level is not None and float(level[1]) <= 2.5, said[f"{name}.security"]
        print(name, level[0])
    capabilities = re.search(r"^CapBnd:\s*([0-9a-f]+)", said["watch.status"], re.MULTILINE)
    assert capabilities is not None and int(capabilities[1], 16) == 1 << 12 | 1 << 13, "CAP_NET_ADMIN, CAP_NET_RAW"
    worker = dict(line.split(":\t", 1) for line in said["worker.status"].splitlines())
    none = "0" * 16
    assert [worker[f"Cap{which}"] for which in ("Inh", "Prm", "Eff", "Amb")] == [none] * 4
    assert (worker["NoNewPrivs"], worker["Seccomp"]) == ("1", "2")


def _tunnel(document: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in json.loads(document)["tunnels"] if one["name"] == name)
    return found


def _lasting(tunnel: dict[str, Any]) -> dict[str, Any]:
    """What a reboot must not change: all but counters, process and interface numbers.

    Notes aside: a unit may not write to /sys, so the worker does without threaded NAPI and says so.
    """
    kept = without_passing(tunnel, "worker_pid", "notes")
    return kept | {"sessions": [_lasting_session(session) for session in kept["sessions"]]}


def _lasting_session(session: dict[str, Any]) -> dict[str, Any]:
    netdev = {key: value for key, value in session["netdev"].items() if key != "ifindex"}
    netdev["addresses"] = [one for one in netdev["addresses"] if not one.startswith("fe80:")]
    return session | {"netdev": netdev}


def _netdevs(document: dict[str, Any]) -> list[Any]:
    return [
        {key: value for key, value in session["netdev"].items() if key != "addresses"}
        | {"addresses": sorted(session["netdev"]["addresses"])}
        for tunnel in document["tunnels"]
        for session in tunnel["sessions"]
    ]
