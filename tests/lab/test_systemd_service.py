"""The service's units under a systemd that really runs them, in the guest: who gets in, what it leaves alone."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.lab import test_systemd
from tests.lab.test_systemd import disk

__all__ = ["disk"]

ROOT = test_systemd.ROOT
FILES = ("l2tpv3-api.service", "l2tpv3-api.socket")

# Whoever connects while the service starts again waits for it: nothing is tried twice here.
SCRIPT = """
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

echo '{"remote": "10.99.0.3", "datapath": "user"}' > tunnel
echo '{"address": ["10.2.0.1/24"]}' > session
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
systemctl --no-legend --failed list-units 'l2tpv3*' > failed
"""


@pytest.mark.slow
@pytest.mark.root
@pytest.mark.timeout(2400)
def test_the_service_under_systemd(disk: Path) -> None:
    machine = disk / "machine"
    test_systemd._install(machine)
    program = machine / "usr/local/sbin/l2tpctl"
    program.write_text(program.read_text().replace("['/opt/l2tpv3',", "['/opt/l2tpv3', '/opt/l2tpv3/api',"))
    (disk / "sysusers.conf").write_text((ROOT / "systemd/l2tpv3.sysusers.conf").read_text())
    for name in FILES:
        (disk / name).write_text((ROOT / "systemd" / name).read_text())
    script = test_systemd.HOST.strip().replace("\n", "\nip ")
    test_systemd._boot(
        disk, f"ip {script}\n{SCRIPT}", {}, "--no-l2tp", "--files", str(machine), "--systemd", "local-fs.target"
    )
    said = {path.name: path.read_text() for path in disk.iterdir() if path.is_file()}
    killed, restarted, local = (
        json.loads(said[f"{name}.json"])["tunnels"] for name in ("killed", "restarted", "local")
    )
    assert [tunnel["name"] for tunnel in killed] == ["t"]
    assert killed[0]["condition"] == "up" and killed[0]["sessions"][0]["netdev"]["addresses"]
    pids = {tunnel["worker_pid"] for tunnel in (*killed, *restarted, *local)}
    assert len(pids) == 1 and None not in pids
    assert said["modes"].split() == ["711", "root", "660", "l2tpv3"]
    assert "connect" in said["stranger"].lower()
    who = {record.get("L2TPV3_IDENTITY") for record in map(json.loads, said["journal"].splitlines())}
    assert who >= {"root", "uid 4242 (group l2tpv3)"}
    level = re.search(r"Overall exposure level .*: ([\d.]+)", said["api.security"])
    assert level is not None and float(level[1]) <= 2.5, said["api.security"]
    capabilities = re.search(r"^CapBnd:\s*([0-9a-f]+)", said["service.status"], re.MULTILINE)
    assert capabilities is not None and int(capabilities[1], 16) == 1 << 12 | 1 << 13, "CAP_NET_ADMIN, CAP_NET_RAW"
    assert not said["failed"]
