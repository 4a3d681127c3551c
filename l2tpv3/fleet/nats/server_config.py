"""What a NATS server has to know of a fleet: two accounts, their subjects, and who may use which.

The bucket is in an account of the coordinator alone. Hosts are in another one, which sees of the bucket only what is
exported to it: to hear and to get desired states and decisions, and to set statuses. Within that, each host has
its own nkey, and may hear and get its own key and decisions, and set its own status.

Two accounts, not one with permissions, because the server answers where the asker says: in one account a host could
have an answer sent to a subject of the bucket, and so set a key that it may not set.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from l2tpv3.fleet.nats.keys import HostIdentity

BUCKET: Final = "l2tpv3-fleet"
"""The bucket of desired states and decisions; as a stream it is called KV_ and this."""
DECIDED: Final = "l2tpv3.decided"
"""Before the serial number: where a decision is told once the bucket has it. Who listens to the bucket's own subject
hears also what the bucket does not take: that of a second coordinator, or what is sent while no server leads.
"""
STATUS_BUCKET: Final = "l2tpv3-status"
"""The bucket of statuses. It is another stream, as a header of a message (Nats-Rollup) can empty the whole of one."""

_ACCOUNTS: Final = """\
# Made by l2tpctl: a fleet's accounts. `include` this file in the configuration of each server.
accounts {{
  L2TPV3_FLEET {{
    jetstream: enabled
    users: [ {{ nkey: {coordinator} }} ]
    exports: [
      {{ stream: "$KV.{bucket}.desired.*" }}
      {{ stream: "{decided}.*" }}
      {{ service: "$JS.API.DIRECT.GET.KV_{bucket}.$KV.{bucket}.desired.*" }}
      {{ service: "$JS.API.DIRECT.GET.KV_{bucket}.$KV.{bucket}.decision.*" }}
      {{ service: "$KV.{status}.*" }}
    ]
  }}
  L2TPV3_HOSTS {{
    imports: [
      {{ stream: {{ account: L2TPV3_FLEET, subject: "$KV.{bucket}.desired.*" }}, to: "desired.*" }}
      {{ stream: {{ account: L2TPV3_FLEET, subject: "{decided}.*" }}, to: "decision.*" }}
      {{ service: {{ account: L2TPV3_FLEET, subject: "$JS.API.DIRECT.GET.KV_{bucket}.$KV.{bucket}.desired.*" }}
         to: "get.desired.*" }}
      {{ service: {{ account: L2TPV3_FLEET, subject: "$JS.API.DIRECT.GET.KV_{bucket}.$KV.{bucket}.decision.*" }}
         to: "get.decision.*" }}
      {{ service: {{ account: L2TPV3_FLEET, subject: "$KV.{status}.*" }}, to: "status.*" }}
    ]
    users: [
{hosts}
    ]
  }}
}}
"""
_HOST: Final = """\
      {{ nkey: {login}, permissions: {{
        publish: {{ allow: ["get.desired.{name}", "get.decision.*", "status.{name}"] }}
        subscribe: {{ allow: ["desired.{name}", "decision.*", "{inbox}.>"] }}
      }} }}"""


def inbox(host: str) -> str:
    """The prefix of the subjects on which a host hears answers."""
    return f"_INBOX_{host}"


def accounts(coordinator: str, hosts: Iterable[HostIdentity]) -> str:
    """The accounts as a server's configuration states them. coordinator: its public nkey."""
    users = [_HOST.format(login=one.login, name=one.name, inbox=inbox(one.name)) for one in hosts]
    return _ACCOUNTS.format(
        coordinator=coordinator, decided=DECIDED, bucket=BUCKET, status=STATUS_BUCKET, hosts="\n".join(users)
    )
