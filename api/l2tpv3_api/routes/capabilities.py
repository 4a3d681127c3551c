"""/v1/capabilities: what works here, and what the service takes."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from l2tpv3.formats.names import IMPORT_FORMATS, PEER_FORMATS
from l2tpv3.version import VERSION
from l2tpv3_api.http import bodies, paging
from l2tpv3_api.http.hostname import hostname
from l2tpv3_api.routes.dependencies import Reader, Serving, answer
from l2tpv3_api.schemas import responses

router = APIRouter(prefix="/v1", tags=["state"])


@router.get(
    "/capabilities",
    operation_id="getCapabilities",
    responses={200: responses.gives("Capabilities", "What works here."), **responses.problems()},
)
async def get_capabilities(service: Serving, who: Reader) -> Response:
    """Tell which datapaths work here, which types of link it can make, and why not; formats, limits, names."""
    support, links = await service.read(lambda manager: (manager.support(), manager.link_support()))
    return answer(
        {
            "version": VERSION,
            "hostname": hostname(),
            "datapaths": [{"name": name, "works": one.works, "reason": one.reason} for name, one in support.items()],
            "links": [{"type": str(one), "works": it.works, "reason": it.reason} for one, it in links.items()],
            "formats": {"peer": list(PEER_FORMATS), "import": list(IMPORT_FORMATS)},
            "limits": {
                "page": paging.LIMIT_MAX,
                "words_bytes": bodies.WORDS_BYTES,
                "state_bytes": bodies.STATE_BYTES,
            },
            "fleet": service.fleet is not None,
            "you": {"name": who.name, "scopes": sorted(who.scopes)},
        }
    )
