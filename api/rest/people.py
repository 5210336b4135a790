"""Users and API keys: who may use the desk, with which role and scopes, and which keys there are.

A key neither makes nor changes admins, and neither sets passwords nor makes keys: ``rag.people.administration``.
"""

from collections.abc import Sequence
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, Path, Request, Response

from api.access import Access
from api.callers import Caller
from api.rest.bodies import ApiKeyBody, ApiKeyList, NewPerson, NewRole, NewScopes, PersonBody, PersonList
from rag.errors import PersonUnusable
from rag.people.administration import Administration
from rag.people.directory import Person
from rag.people.keys import ApiKey, in_order

_NAME = Annotated[str, Path(max_length=64)]


def people_routes(access: Access) -> APIRouter:
    """Return the routes."""
    router = APIRouter(tags=["people"])
    _person_routes(router, access)
    _change_routes(router, access)
    _key_routes(router, access)
    return router


def _person_routes(router: APIRouter, access: Access) -> None:
    managing = Depends(access.with_right("people"))

    @router.get("/people", summary="Who may use the desk, by name")
    def people(caller: Annotated[Caller, managing]) -> PersonList:
        administration = access.pages(caller).administration
        return PersonList(
            people=[_person(one) for one in administration.people()], scopes=list(administration.scopes())
        )

    @router.post("/people", status_code=201, summary="Let somebody in, who signs in with the OIDC provider")
    def add(request: Request, response: Response, body: NewPerson, caller: Annotated[Caller, managing]) -> PersonBody:
        administration = access.pages(caller).administration
        scopes = _known_scopes(administration, body.scopes)
        person = administration.add(body.name, body.role, scopes, None)
        response.headers["Location"] = f"{request.url.path}/{quote(person.name, safe='@+')}"  # headers are Latin-1
        return _person(person)

    @router.get("/people/{name}", summary="One of them")
    def person(name: _NAME, caller: Annotated[Caller, managing]) -> PersonBody:
        return _person(access.pages(caller).administration.find(name))


def _change_routes(router: APIRouter, access: Access) -> None:
    managing = Depends(access.with_right("people"))

    @router.put("/people/{name}/role", summary="Give another role; the scopes stay")
    def set_role(name: _NAME, body: NewRole, caller: Annotated[Caller, managing]) -> PersonBody:
        administration = access.pages(caller).administration
        administration.set_role(name, body.role)
        return _person(administration.find(name))

    @router.put("/people/{name}/scopes", summary="Say what somebody may read; scopes that the caller has not stay")
    def set_scopes(name: _NAME, body: NewScopes, caller: Annotated[Caller, managing]) -> PersonBody:
        administration = access.pages(caller).administration
        administration.set_scopes(name, _known_scopes(administration, body.scopes, administration.find(name)))
        return _person(administration.find(name))

    @router.post("/people/{name}/disable", summary="Let somebody in no more, and end their sign-ins")
    def disable(name: _NAME, caller: Annotated[Caller, managing]) -> PersonBody:
        return _set_disabled(access.pages(caller).administration, name, disabled=True)

    @router.post("/people/{name}/enable", summary="Let somebody in again")
    def enable(name: _NAME, caller: Annotated[Caller, managing]) -> PersonBody:
        return _set_disabled(access.pages(caller).administration, name, disabled=False)

    @router.post("/people/{name}/sign-out", status_code=204, summary="End all sign-ins of somebody")
    def sign_out(name: _NAME, caller: Annotated[Caller, managing]) -> None:
        access.pages(caller).administration.sign_out_everywhere(name)


def _key_routes(router: APIRouter, access: Access) -> None:
    managing = Depends(access.with_right("people"))

    @router.get("/keys", summary="The API keys that are not revoked, oldest first, without their secrets")
    def keys(caller: Annotated[Caller, managing]) -> ApiKeyList:
        return ApiKeyList(keys=[_key(one) for one in access.pages(caller).keys.list()])

    @router.delete("/keys/{key_id}", status_code=204, summary="Revoke a key at once and for ever")
    def revoke(key_id: Annotated[str, Path(max_length=64)], caller: Annotated[Caller, managing]) -> None:
        access.pages(caller).keys.revoke(key_id)


def _known_scopes(
    administration: Administration, scopes: Sequence[str] | None, of: Person | None = None
) -> frozenset[str] | None:
    """Return the scopes; None is everything.  Raises ``PersonUnusable`` for one of no knowledge base and not held."""
    if scopes is None:
        return None
    held = (of.scopes if of is not None else None) or frozenset()
    known = held.union(administration.scopes())
    for name in scopes:
        if name not in known:
            raise PersonUnusable(reason="scope", name=name)
    return frozenset(scopes)


def _set_disabled(administration: Administration, name: str, *, disabled: bool) -> PersonBody:
    administration.set_disabled(name, disabled=disabled)
    return _person(administration.find(name))


def _person(person: Person) -> PersonBody:
    return PersonBody(
        name=person.name,
        role=person.role,
        scopes=sorted(person.scopes) if person.scopes is not None else None,
        disabled=person.disabled,
        has_password=person.has_password,
    )


def _key(key: ApiKey) -> ApiKeyBody:
    return ApiKeyBody(
        key_id=key.key_id,
        name=key.name,
        owner=key.owner,
        rights=list(in_order(key.rights)),
        scopes=sorted(key.scopes) if key.scopes is not None else None,
        audience=key.audience,
        created_at=key.created_at,
        expires_at=key.expires_at,
        used_at=key.used_at,
        questions_a_minute=key.questions_a_minute,
    )
