"""The whole state: what is on record, and changes of all of it at once."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from l2tpv3.config.toml_writer import dump
from l2tpv3.documents.names import state_to_names
from l2tpv3.documents.plan import plan_document
from l2tpv3.documents.state import state_to_json
from l2tpv3.errors import ConflictError, InvalidValueError, NotFoundError, NotPermittedError
from l2tpv3.model.desired import Desired, DesiredLink, DesiredSession, DesiredTunnel
from l2tpv3.model.fields import SECRETS
from l2tpv3.model.progress import RestoreEvent, StepText
from l2tpv3_api.auth.identity import Scope
from l2tpv3_api.events.apply_progress import Progress
from l2tpv3_api.http import bodies
from l2tpv3_api.http.faults import ClashError
from l2tpv3_api.http.negotiation import VARY, preferred
from l2tpv3_api.http.state_body import JSON, TOML
from l2tpv3_api.routes.dependencies import Conditional, Reader, Serving, Writer, answer, unchanged
from l2tpv3_api.routes.queries import Prune
from l2tpv3_api.schemas import examples, responses
from l2tpv3_api.service.progress_stream import LINES, WAIT_MAX_S, ProgressStream, both, patiently, told_in_lines
from l2tpv3_api.service.snapshot import encode, tunnel_document

CONFIRM_MAX_S: Final = 86400.0

Confirm = Annotated[
    float | None,
    Query(gt=0, le=CONFIRM_MAX_S, description="Undo it after so many seconds, unless /v1/confirm comes."),
]

router = APIRouter(prefix="/v1", tags=["state"])

_TOML: Final = responses.gives_text(TOML, "", examples.FILE)["content"]
_STATE: Final = responses.takes({JSON: "State"}, **examples.STATES)
_STATE["requestBody"]["content"] |= _TOML
_ON_RECORD: Final = responses.gives("State", "What is on record, shaped as files are.", tag=True)


@router.get(
    "/state",
    operation_id="getState",
    responses={
        200: _ON_RECORD | {"content": _ON_RECORD["content"] | _TOML},
        304: responses.UNCHANGED,
        **responses.problems(400, 412, 502),
    },
)
async def get_state(
    request: Request,
    service: Serving,
    who: Reader,
    conditions: Conditional,
    secrets: Annotated[
        bool | None, Query(description="With cookies. Default: if one's scopes have `secrets`, which that needs.")
    ] = None,
) -> Response:
    """Get all that is on record: what /v1/apply makes again. JSON, or the file itself (application/toml)."""
    may = who.may(Scope.SECRETS)
    if secrets and not may:
        remedy = "ask without cookies, or with a token of `l2tpctl token add NAME --scope secrets`"
        raise NotPermittedError(who.name, "cookies need the scope secrets", remedy)
    kind = preferred(request, JSON, TOML)
    stated = await service.stated()
    shown = stated if may and secrets is not False else [_without_secrets(one) for one in stated]
    content = dump(shown).encode() if kind == TOML else encode(state_to_names(state_to_json(shown)))
    tag = service.tagger.of_bytes(content)
    if conditions.unchanged("state", tag):
        return unchanged(tag, VARY)
    response = answer(content, tag=tag, media_type=kind)
    response.headers.update(VARY)
    return response


def _without_secrets(one: Desired) -> Desired:
    if isinstance(one, DesiredLink):
        return one
    sessions = tuple(
        DesiredSession(name=it.name, words={word: value for word, value in it.words.items() if word not in SECRETS})
        for it in one.sessions
    )
    words = {word: value for word, value in one.words.items() if word not in SECRETS}
    return DesiredTunnel(name=one.name, words=words, sessions=sessions)


@router.post(
    "/plan",
    operation_id="plan",
    responses={
        200: responses.gives("Plan", "The steps, in their order."),
        **responses.problems(*responses.CHANGING),
    },
    openapi_extra=_STATE,
)
async def plan(request: Request, service: Serving, who: Reader, *, prune: Prune = False) -> Response:
    """Tell what /v1/apply would do now, and touch nothing."""
    datapaths = service.manager.datapath_words
    wanted = await bodies.read_state(request, datapaths, service.planned, service.planner)
    _check_prune(wanted, prune=prune)
    with _fitting():
        outcome = await service.plan(lambda manager: manager.plan(wanted, prune=prune))
    return answer(_plan(outcome.step_texts, changes=outcome.changes))


@router.post(
    "/apply",
    operation_id="apply",
    responses={
        200: responses.gives("Plan", "It is so; these steps were taken."),
        **responses.problems(*responses.CHANGING),
    },
    openapi_extra=_STATE,
)
async def apply(
    request: Request, service: Serving, who: Writer, *, prune: Prune = False, confirm_s: Confirm = None
) -> Response:
    """Make this host what the body wants: only what differs is touched. When a step fails, all is as it was before."""
    wanted = await bodies.read_state(request, service.manager.datapath_words, service.applied)
    _check_prune(wanted, prune=prune)

    async def change(stream: ProgressStream | None) -> dict[str, Any]:
        def work(manager: Any) -> Any:
            with Progress(service.hub, who.name) as progress:
                on_step = both(progress, stream.step) if stream is not None else progress
                return manager.apply(wanted, prune=prune, confirm_s=confirm_s, on_step=on_step)

        with _fitting():
            outcome = await service.change(who, work)
        if confirm_s is not None and outcome.changes:
            service.confirmation_awaited(who.name, confirm_s)
        return _plan(outcome.step_texts, changes=outcome.changes) | {
            "confirm_s": confirm_s if outcome.changes else None
        }

    return told_in_lines(change) if preferred(request, JSON, LINES) == LINES else answer(await change(None))


def _check_prune(wanted: list[Desired], *, prune: bool) -> None:
    if prune and not wanted:
        problem = "there is neither tunnel nor link in the body, so all would be removed"
        raise ConflictError("prune", problem, "/v1/down stops everything")


@contextlib.contextmanager
def _fitting() -> Iterator[None]:
    """Each part of the body was found good: what can't be meant of it is what does not go with what is there."""
    try:
        yield
    except InvalidValueError as error:
        raise ClashError(error.subject, error.problem, error.remedy, ()) from error


def _plan(steps: tuple[StepText, ...], *, changes: bool) -> dict[str, Any]:
    return plan_document(steps) | {"changes": changes}


@router.post(
    "/confirm",
    operation_id="confirm",
    responses={
        200: responses.gives("Confirmed", "It stays."),
        **responses.problems(404, 502, 503),
    },
)
async def confirm(service: Serving, who: Writer) -> Response:
    """Keep what /v1/apply?confirm_s did."""
    if not await service.change(who, lambda manager: manager.confirm()):
        raise NotFoundError("confirm", "nothing waits for a confirmation", "it may have been undone already")
    service.confirmation_ended("confirmed", who.name)
    return answer({"confirmed": True})


@router.post(
    "/rollback",
    operation_id="rollback",
    responses={200: responses.gives("Plan", "It is undone."), **responses.problems(404, 409, 501, 502, 503)},
)
async def rollback(service: Serving, who: Writer) -> Response:
    """Undo what /v1/apply?confirm_s did, without waiting."""
    outcome = await service.change(who, lambda manager: manager.rollback())
    if outcome is None:
        raise NotFoundError("rollback", "nothing waits for a confirmation", "it may have been confirmed already")
    service.confirmation_ended("undone", who.name)
    return answer(_plan(outcome.step_texts, changes=outcome.changes))


@router.get(
    "/confirmation",
    operation_id="getConfirmation",
    responses={200: responses.gives("Confirmation", "Whether a change waits."), **responses.problems(502)},
)
async def get_confirmation(service: Serving, who: Reader) -> Response:
    """Tell whether a change waits for its confirmation, and how long yet."""
    left_s = await service.read(lambda manager: manager.unconfirmed_s())
    if left_s is not None:
        service.confirmation_awaited()  # what another program waits for is told of as well when it ends
    return answer({"awaited": left_s is not None, "left_s": left_s})


@router.post(
    "/restore",
    operation_id="restore",
    responses={
        200: responses.gives("RestoreResult", "They are there again."),
        **responses.problems(404, 409, 501, 502, 503),
    },
)
async def restore(
    request: Request,
    service: Serving,
    who: Writer,
    tunnel: Annotated[
        list[str] | None, Query(max_length=1000, description="Only this one; can be repeated. Default: all.")
    ] = None,
    wait_s: Annotated[
        float, Query(ge=0, le=WAIT_MAX_S, description="Wait so long for routes, addresses, namespaces and bridges.")
    ] = 0,
) -> Response:
    """Make again what is on record and not running; what runs is left alone."""
    events: list[RestoreEvent] = []

    async def change(stream: ProgressStream | None) -> dict[str, Any]:
        tell = both(events.append, stream.restore_event) if stream is not None else events.append
        if wait_s:
            restored = await patiently(service, who, lambda manager: manager.restore(tunnel, wait_s=wait_s, tell=tell))
        else:
            restored = await service.change(who, lambda manager: manager.restore(tunnel, tell=tell))
        return {"restored": restored, "news": [_event_document(event) for event in events]}

    return told_in_lines(change) if preferred(request, JSON, LINES) == LINES else answer(await change(None))


def _event_document(event: RestoreEvent) -> dict[str, Any]:
    return {
        "tunnel": event.tunnel,
        "link": event.link,
        "turn": event.outcome.value,
        "why": str(event.error or ""),
        "changed": event.changed,
    }


@router.post(
    "/down",
    operation_id="down",
    responses={200: responses.gives("Plan", "All is stopped."), **responses.problems(409, 502, 503)},
)
async def down(service: Serving, who: Writer) -> Response:
    """Stop all that is on record, and keep the record: /v1/restore brings it back."""
    outcome = await service.change(who, lambda manager: manager.down())
    return answer(_plan(outcome.step_texts, changes=outcome.changes))


@router.post(
    "/adopt",
    status_code=201,
    operation_id="adopt",
    responses={
        201: responses.gives("Tunnel", "It is on record.", location=True),
        **responses.problems(*responses.CHANGING),
    },
    openapi_extra=responses.takes({JSON: "Adoption"}, **examples.ADOPTIONS),
)
async def adopt(request: Request, service: Serving, who: Writer) -> Response:
    """Put a tunnel that something else made on record, with its sessions; its traffic is not touched."""
    table = await bodies.read_table(request, JSON)
    foreign, name, sublayer = bodies.adoption(table)
    status = await service.change(who, lambda manager: manager.adopt(foreign, name, sublayer))
    document = tunnel_document(status, sessions=False)
    return answer(document, status=201, location=f"/v1/tunnels/{status.name}")
