"""The life of a tunnel, a session and a bridge, told by a client that openapi-python-client made. Run with a URL.

Every name of the client that is used here is one that its users see: mypy checks this file against it.
"""

from __future__ import annotations

import sys
from http import HTTPStatus

from l2tpv3_client import Client
from l2tpv3_client.api.links import delete_link, get_link, patch_link, put_link
from l2tpv3_client.api.live import get_session_hosts
from l2tpv3_client.api.sessions import delete_session, get_session, patch_session, put_session
from l2tpv3_client.api.state import apply, get_capabilities, get_state, plan
from l2tpv3_client.api.tunnels import delete_tunnel, get_peer, get_tunnel, list_tunnels, patch_tunnel, put_tunnel
from l2tpv3_client.models.auto import Auto
from l2tpv3_client.models.bridge_config import BridgeConfig
from l2tpv3_client.models.capabilities import Capabilities
from l2tpv3_client.models.changed_link import ChangedLink
from l2tpv3_client.models.changed_session import ChangedSession
from l2tpv3_client.models.changed_tunnel import ChangedTunnel
from l2tpv3_client.models.encap import Encap
from l2tpv3_client.models.lan_hosts import LanHosts
from l2tpv3_client.models.link import Link
from l2tpv3_client.models.link_patch import LinkPatch
from l2tpv3_client.models.plan import Plan
from l2tpv3_client.models.problem import Problem
from l2tpv3_client.models.sequencing import Sequencing
from l2tpv3_client.models.session import Session
from l2tpv3_client.models.session_config import SessionConfig
from l2tpv3_client.models.session_patch import SessionPatch
from l2tpv3_client.models.state import State
from l2tpv3_client.models.stp import Stp
from l2tpv3_client.models.tunnel import Tunnel
from l2tpv3_client.models.tunnel_config import TunnelConfig
from l2tpv3_client.models.tunnel_list import TunnelList
from l2tpv3_client.models.tunnel_patch import TunnelPatch


def tunnel(client: Client) -> None:
    made = put_tunnel.sync_detailed("siteb", client=client, body=TunnelConfig(remote="127.0.0.2", local_port=5000))
    assert made.status_code == HTTPStatus.CREATED and isinstance(made.parsed, ChangedTunnel)
    assert (made.parsed.encap, made.parsed.local_port, made.parsed.udp_checksum) == (Encap.UDP, 5000, True)

    seen = get_tunnel.sync_detailed("siteb", client=client)
    assert isinstance(seen.parsed, Tunnel) and seen.parsed.wanted is not None
    wanted, tag = seen.parsed.wanted, seen.headers["etag"]
    same = put_tunnel.sync_detailed("siteb", client=client, body=wanted, if_match=tag)
    assert same.status_code == HTTPStatus.OK and same.headers["etag"] == tag
    wanted.udp_checksum = False
    changed = put_tunnel.sync("siteb", client=client, body=wanted, if_match=tag)
    assert isinstance(changed, ChangedTunnel) and (changed.udp_checksum, changed.change.lost) == (False, [])
    late = put_tunnel.sync_detailed("siteb", client=client, body=wanted, if_match=tag)
    assert late.status_code == HTTPStatus.PRECONDITION_FAILED and isinstance(late.parsed, Problem)

    patched = patch_tunnel.sync("siteb", client=client, body=TunnelPatch(peer_id=9, udp_checksum=None))
    assert isinstance(patched, ChangedTunnel) and (patched.peer_id, patched.udp_checksum) == (9, True)
    found = list_tunnels.sync(client=client)
    assert isinstance(found, TunnelList) and [one.name for one in found.tunnels] == ["siteb"]
    told = get_peer.sync("siteb", client=client)
    assert isinstance(told, str) and told.startswith("l2tpctl tunnel add siteb")


def session(client: Client) -> None:
    body = SessionConfig(sequencing=Sequencing.BOTH, address=["10.9.0.1/24"], tx_cookie="none")
    made = put_session.sync_detailed("siteb", "lan", client=client, body=body)
    assert made.status_code == HTTPStatus.CREATED and isinstance(made.parsed, ChangedSession)
    assert made.parsed.tx_cookie.length == 0 and made.parsed.netdev is not None and made.parsed.netdev.up

    seen = get_session.sync("siteb", "lan", client=client)
    assert isinstance(seen, Session) and seen.wanted is not None and seen.wanted.mtu is Auto.AUTO
    seen.wanted.mtu = 1400
    changed = put_session.sync("siteb", "lan", client=client, body=seen.wanted)
    assert isinstance(changed, ChangedSession) and changed.mtu == 1400 and changed.sequencing is Sequencing.BOTH
    down = patch_session.sync("siteb", "lan", client=client, body=SessionPatch(up=False, address=None))
    assert isinstance(down, ChangedSession) and down.netdev is not None
    assert (down.netdev.up, down.netdev.addresses) == (False, [])
    behind = get_session_hosts.sync("siteb", "lan", client=client, listen_s=0.0)
    assert isinstance(behind, LanHosts) and [one.name for one in behind.sessions] == ["lan"]


def bridge(client: Client) -> None:
    made = put_link.sync_detailed("br7", client=client, body=BridgeConfig(type_="bridge", over=["siteb/lan"]))
    assert made.status_code == HTTPStatus.CREATED and isinstance(made.parsed, ChangedLink)

    seen = get_link.sync("br7", client=client)
    assert isinstance(seen, Link) and isinstance(seen.wanted, BridgeConfig) and seen.wanted.igmp_snooping is True
    seen.wanted.igmp_snooping, seen.wanted.stp = False, Stp.ON
    changed = put_link.sync("br7", client=client, body=seen.wanted)
    assert isinstance(changed, ChangedLink) and isinstance(changed.wanted, BridgeConfig)
    assert (changed.wanted.igmp_snooping, changed.wanted.stp) == (False, Stp.ON)
    patched = patch_link.sync("br7", client=client, body=LinkPatch(forward_delay_ms=5000, stp=None))
    assert isinstance(patched, ChangedLink) and isinstance(patched.wanted, BridgeConfig)
    assert (patched.wanted.forward_delay_ms, patched.wanted.stp) == (5000, Stp.AUTO)
    wrong = put_link.sync("br8", client=client, body=BridgeConfig(type_="bridge", over=["eth9"]))
    assert isinstance(wrong, Problem) and wrong.retryable and wrong.slug == "not-found"


def end(client: Client) -> None:
    """What is on record is what all of it can be made from again; and then all of it goes."""
    state = get_state.sync(client=client)
    assert isinstance(state, State)
    planned = plan.sync(client=client, body=state, prune=True)
    assert isinstance(planned, Plan) and not planned.changes
    assert delete_link.sync_detailed("br7", client=client).status_code == HTTPStatus.NO_CONTENT
    assert delete_session.sync_detailed("siteb", "lan", client=client).status_code == HTTPStatus.NO_CONTENT
    assert delete_tunnel.sync_detailed("siteb", client=client).status_code == HTTPStatus.NO_CONTENT
    gone = get_tunnel.sync("siteb", client=client)
    assert isinstance(gone, Problem) and gone.status == HTTPStatus.NOT_FOUND
    again = apply.sync(client=client, body=state)
    assert isinstance(again, Plan) and again.changes and {"br7"} < {step.link for step in again.steps}


def main(url: str) -> None:
    """Run it all against the service at that URL."""
    with Client(base_url=url) as client:
        able = get_capabilities.sync(client=client)
        assert isinstance(able, Capabilities) and any(one.works for one in able.datapaths)
        tunnel(client)
        session(client)
        bridge(client)
        end(client)


if __name__ == "__main__":
    main(sys.argv[1])
