"""`kill -9` of `tunnel rekey` at each of its points: each end has wholly its old or new keys, and nothing is clear."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator

import pytest

from tests.connect.test_kill import end_the_time, killed, settle
from tests.connect.test_rekey import join, keys, rekey, shown
from tests.encryption.underlay import Wire, in_the_clear
from tests.hosts import UNDERLAY, Host
from tests.points import sample
from tests.sshd import Sshd
from tests.waiting import PATIENCE_S, eventually

pytestmark = [pytest.mark.root, pytest.mark.timeout(0 if os.environ.get("L2TPV3_TEST_FULL") else 300)]

POINTS = 50
"""How many there are; a command that was not killed at the last one shows that there are no more."""
TRIED = 2
BETWEEN = (23, 45)
"""Two of those between the confirmations of both ends, of each turn. The same command once more mends that."""


@pytest.fixture
def ends(pair: tuple[Host, Host]) -> Iterator[tuple[Host, Host]]:
    """Both ends of an encrypted tunnel."""
    join(*pair, "user")
    yield pair
    for host in pair:
        host.ctl("rollback", check=False)
        host.ctl("tunnel", "del", "t", check=False)


def next_key(host: Host) -> str:
    """The public key that an end takes into use next."""
    found: str = json.loads(host.ctl("rekey-facts", "t").stdout)["next_public_key"]
    return found


@pytest.mark.parametrize("point", sorted({*sample(POINTS, TRIED), *BETWEEN}))
def test_each_end_has_old_or_new_keys_and_nothing_is_clear(ends: tuple[Host, Host], sshd: Sshd, point: int) -> None:
    a, b = ends
    old, new = keys(a), (next_key(a), next_key(b))
    states = [old, (new[0], old[1]), new]
    with Wire(a.netns, UNDERLAY) as wire:
        traffic = a.start(["ping", "-q", "-n", "-i", "0.05", "10.9.0.2"])
        ended = killed(a, sshd, point, ["tunnel", "rekey", "t"])
        assert ended in (-signal.SIGKILL, 0), ended
        settle(ends)
        for host in ends:
            end_the_time(host)
        near, far = states.index(keys(a)), states.index(keys(b)[::-1])
        assert [shown(host)["encryption"]["lacks"] for host in ends] == [[], []]
        if ended == 0:
            assert near == far == 2
        assert far in (near, near + 1), "the far end confirms first"
        assert far == near + 1 or point not in BETWEEN
        if near != far:
            code, said = rekey(a, sshd)
            assert code == 0, said
            assert keys(a) == keys(b)[::-1] and not {*keys(a)} & {*old}
        eventually(lambda: a.ping("10.9.0.2", check=False))
        traffic.terminate()
        traffic.wait(PATIENCE_S)
        assert not [one for kind, packet in wire.packets() if (one := in_the_clear(kind, packet))]
