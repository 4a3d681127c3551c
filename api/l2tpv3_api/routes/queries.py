"""Query parameters that several resources take."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query

from l2tpv3.errors import NotPermittedError
from l2tpv3.model.status import Condition
from l2tpv3_api.auth.identity import Scope
from l2tpv3_api.http.paging import CURSOR, CURSOR_MAX, LIMIT_DEFAULT, LIMIT_MAX
from l2tpv3_api.routes.dependencies import Reader

Limit = Annotated[int, Query(ge=1, le=LIMIT_MAX, description=f"So many a page. Default: {LIMIT_DEFAULT}.")]
Cursor = Annotated[
    str | None,
    Query(max_length=CURSOR_MAX, pattern=CURSOR, description="`next` of the page before; without it the first page."),
]
Glob = Annotated[
    str | None, Query(min_length=1, max_length=128, description="Only names like this: `*`, `?`, `[a-z]`.")
]
OfCondition = Annotated[Condition | None, Query(description="Only those in this condition.")]
Foreign = Annotated[
    bool | None, Query(description="true: only what something else made; false: only what is on record.")
]
OfTunnel = Annotated[str | None, Query(min_length=1, max_length=128, description="Only this tunnel's.")]
Netns = Annotated[
    str | None,
    Query(
        pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$",
        description="Look for what something else made in this network namespace, too, as `ip netns` calls it.",
    ),
]
Prune = Annotated[bool, Query(description="Remove what is on record but not in the body.")]


async def _secrets(
    who: Reader, *, secrets: Annotated[bool, Query(description="With cookies; needs the scope `secrets`.")] = False
) -> bool:
    if secrets and not who.may(Scope.SECRETS):
        remedy = "ask without cookies, or with a token of `l2tpctl token add NAME --scope secrets`"
        raise NotPermittedError(who.name, "cookies need the scope secrets", remedy)
    return secrets


Secrets = Annotated[bool, Depends(_secrets)]
