"""`l2tpctl --host`: which host a run commands. What it takes to reach another one is imported when it is reached."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Any

from l2tpv3.cli.parameters import Option
from l2tpv3.errors import InvalidValueError, UnavailableError
from l2tpv3.value_class import value_class

if TYPE_CHECKING:
    from l2tpv3.remote.client import Client
    from l2tpv3.remote.host import RemoteHost
    from l2tpv3.remote.ssh_target import SshTarget

HostOption = Annotated[
    str | None,
    Option(
        "--host",
        metavar="URL",
        envvar="L2TPCTL_HOST",
        help="Command another host, over ssh: ssh://[USER@]HOST[:PORT]; or through its service: unix:///PATH,"
        " https://HOST:PORT; or a name in hosts.toml.",
    ),
]
TokenFile = Annotated[
    str | None,
    Option("--token-file", metavar="FILE", help="The token for that host. [default: $L2TPCTL_TOKEN]"),
]
Ca = Annotated[
    str | None, Option("--ca", metavar="FILE", help="Certificates to trust instead of the system's, as PEM.")
]
Cert = Annotated[str | None, Option("--cert", metavar="FILE", help="A certificate of your own, as PEM.")]
Key = Annotated[str | None, Option("--key", metavar="FILE", help="Its key, where that is in another file.")]


@value_class(frozen=True, slots=True, kw_only=True)
class Aim:
    """Another host, as the options say it."""

    host: str
    token_file: str | None = None
    ca: str | None = None
    cert: str | None = None
    key: str | None = None

    @classmethod
    def from_options(cls, options: dict[str, Any]) -> Aim | None:
        """The target from the options of the root command; None for this host.

        Raises InvalidValueError for an option that needs --host.
        """
        given = {name: options[name] for name in ("token_file", "ca", "cert", "key") if options.get(name) is not None}
        if options.get("host"):
            return cls(host=options["host"], **given)
        for name in given:
            raise InvalidValueError(f"--{name.replace('_', '-')}", "is of no use without --host", "give --host")
        return None

    def over_ssh(self) -> SshTarget | None:
        """Give the host as an SshTarget; None when it is not commanded over ssh. Raises InvalidValueError."""
        from l2tpv3.remote.ssh_target import SCHEME, SshTarget
        from l2tpv3.remote.target import url_of

        url = url_of(self.host)
        if not url.startswith(SCHEME):
            return None
        for name in ("token_file", "ca", "cert", "key"):
            if getattr(self, name) is not None:
                option = f"--{name.replace('_', '-')}"
                raise InvalidValueError(option, "is of no use over ssh, which has keys of its own", "leave it out")
        return SshTarget.parse(url)

    def connect(self) -> RemoteHost:
        """Give the host to command. Nothing is sent to it yet. Raises InvalidValueError, UnavailableError."""
        client = self.client()
        from l2tpv3.remote.host import RemoteHost

        return RemoteHost(client)

    def client(self, **limits: Any) -> Client:
        """A client of the host's service. limits: as for Client.

        Raises InvalidValueError for a host that can't be one, UnavailableError where httpx is not installed.
        """
        from l2tpv3.remote.target import Access, find_target

        token = os.environ.get("L2TPCTL_TOKEN")
        access = Access(token=token, token_file=self.token_file, ca=self.ca, cert=self.cert, key=self.key)
        target = find_target(self.host, access)
        try:
            from l2tpv3.remote.client import Client
        except ModuleNotFoundError as error:
            if error.name != "httpx":
                raise
            from l2tpv3.optional_packages import install_command

            remedy = f"{install_command('remote')} installs it"
            raise UnavailableError("--host", "needs the Python package httpx", remedy) from error
        return Client(target, **limits)
