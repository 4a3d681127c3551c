"""The user datapath: L2TPv3 ethernet pseudowires without a kernel that knows L2TP, in pure Python.

How it is put together
----------------------
Two kinds of process, with a wall between them:

    l2tpctl, the API … (root)                              worker (no privilege at all)
    here: datapath.py    the Datapath protocol                 l2tpv3/worker_process.py: start, drop everything, run
    l2tpv3/worker/:                                            l2tpv3/worker/:
        pool.py          find and start workers                    sandbox/        what is dropped
        client.py        one worker's control socket  ──JSON──▶    server.py       connections
        strays.py        workers without a socket                  requests.py     what they ask for
        program.py       which program this is                     loop.py         epoll and timers
                              protocol.py: what both sides may say
    here:                                                      here: handlers.py   what a worker does when asked
        tunnel_socket.py UDP and raw-IP sockets       ──fds───▶    forwarding/
        tap.py           TAPs: make, tag, adopt       ──fds───▶      receiver.py   packets in, to the right session
    l2tpv3/linux/napi.py has the kernel merge for them               session.py    frames out, frames in order
                                                                     sender.py     many packets out with one call
                                                                     buffers.py    where frames lie, headers made once
                                                                     tap_port.py   the netdev's side

- The privileged side opens what needs privilege (a TAP for each session, a socket for each tunnel, in their network
  namespaces) and hands the open files to a worker over RUNTIME/worker-N.sock. It parses nothing from the network.
- A worker imports all it needs, then gives up user, groups, capabilities and most system calls, and only then
  listens and reads. It outlives the command that started it, and has no parent to tell.
- A tunnel lives in one worker with all its sessions. There are at most as many workers as CPUs: a new one is
  started while there are fewer and each has a tunnel, else the one with the fewest sessions takes it.
- A worker ends by itself when its last tunnel is deleted, or when none came within seconds of its start.
- Worker and command shake hands with the version of protocol.py, and each checks what the other says. One worker that
  is of another version, hangs or answers nonsense is told by its pid, and holds nobody else's tunnels up.
- A session's TAP is persistent: it stays, with addresses, bridge and name, when its worker dies, and loses only its
  carrier. `add_session(adopt=True)` finds it again by its mark (its ifalias names tunnel, session and runtime
  directory) and goes on with it. Nothing without that mark is ever removed.

What makes it fast: docs/performance.md. The kernel cuts, merges and checks; offloads.py has what it is asked for.

What it does on the wire
------------------------
As l2tp_core and l2tp_eth do, with these decisions:

- Reserved bits are ignored on receipt (RFC 3931 section 4.1.1.1), as the kernel does; another version than 3 is
  counted as rx_invalid and dropped.
- Sockets are connected: what another host sends is never seen, over IP either (there the kernel checks no source).
- sequencing `send` numbers what we send; numbers that arrive are not looked at. `recv` drops what has no number,
  orders the rest, and numbers what we send too: a Linux peer stops numbering when it receives an unnumbered frame
  (lns_mode 0). Without a reorder timeout what comes late or twice is dropped, and a gap is given up at once (RFC 3931
  appendix C), where the kernel drops five more. `none` takes every frame as it comes, numbered or not; a Linux peer
  may number them by itself.
- tx_bytes and rx_bytes count the L2TP header and the frame, as the kernel's session statistics do.
- Each packet is counted in exactly one place: rx_packets, one of the session's discards or errors, or one of the
  tunnel's. (The kernel adds each discard to rx_errors as well.)
- Tunnels to different remote addresses may have the same local UDP port (a hub with 1701 everywhere). To one remote
  address each tunnel needs a local port of its own, and so does each against other programs, as with the kernel.
- Over IP, tunnels between the same two addresses share one socket, since the tunnel is not in the packet: the
  tunnel counters are those of the socket, and session ids are unique in a network namespace.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from l2tpv3.datapath.user.datapath import UserDatapath

__all__ = ["UserDatapath"]


def __getattr__(name: str) -> Any:  # the worker imports this package, and needs none of the privileged side
    if name != "UserDatapath":
        raise AttributeError(f"module 'l2tpv3.datapath.user' has no attribute {name!r}")
    from l2tpv3.datapath.user.datapath import UserDatapath

    return UserDatapath
