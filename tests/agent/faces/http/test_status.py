"""The polled route: what it costs, and that it is never older than it says."""

import asyncio
import time

import pytest

from agent.faces.http.status import FRESH_SECONDS, Statuses
from agent.study.nouns import EventKind, StudyState


@pytest.fixture
def study(service, lab):
    """A study that is planned."""
    return service.desk.store.create_study(lab.plan(trials=3)).study_id


def test_who_has_it_already_is_told_so(client, study):
    """304 without a body; a change gives another tag."""
    first = client.get(f"/v1/studies/{study}")
    tag = {"If-None-Match": first.headers["etag"]}
    again = client.get(f"/v1/studies/{study}", headers=tag)
    assert (again.status_code, again.content) == (304, b"")
    client.post(f"/v1/studies/{study}/pause")
    assert client.get(f"/v1/studies/{study}", headers=tag).status_code == 200


def test_a_write_of_another_process_is_seen_within_a_second(client, service, study):
    """The database says that it has changed."""
    from agent.study.store import Store

    assert client.get(f"/v1/studies/{study}").json()["state"] == "PLANNED"
    with Store.open(service.settings.database) as other:
        other.set_state(study, StudyState.FAILED, "it broke")
    end = time.monotonic() + 2 * FRESH_SECONDS + 0.5
    while client.get(f"/v1/studies/{study}").json()["error"] != "it broke":
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_crowd_is_answered_from_one_look(service, study):
    """A thousand requests at once get the very same answer."""

    async def crowd():
        return await asyncio.gather(*(service.statuses.entry(study) for _ in range(1000)))

    assert len({id(entry) for entry in asyncio.run(crowd())}) == 1


def test_a_card_has_another_tag_only_when_something_changed(service, study):
    """It is read again and again; who has it already is not sent it again."""

    async def looks():
        first = await service.statuses.entry(study)
        await asyncio.sleep(FRESH_SECONDS + 0.05)
        second = await service.statuses.entry(study)
        service.desk.store.log_event(study, EventKind.DEVIATION, None, {"sentence": "x"})
        await asyncio.sleep(FRESH_SECONDS + 0.05)
        return first, second, await service.statuses.entry(study)

    first, second, third = asyncio.run(looks())
    assert second is not first
    assert second.etag == first.etag != third.etag
    assert third.card.last_event > first.card.last_event


def test_what_is_written_here_is_seen_at_once(service, study):
    """A card of before is not given again."""

    async def looks():
        first = await service.statuses.entry(study)
        service.desk.store.set_state(study, StudyState.FAILED, "it broke")
        service.statuses.written()
        return first, await service.statuses.entry(study)

    first, second = asyncio.run(looks())
    assert (first.card.error, second.card.error) == (None, "it broke")


def test_the_answer_is_the_card(client, service, study):
    """Byte for byte what the desk says."""
    assert client.get(f"/v1/studies/{study}").text == service.desk.status(study).model_dump_json()


def test_many_studies_do_not_fill_the_memory(service, lab, monkeypatch):
    """The ones not asked for are forgotten."""
    ids = [service.desk.store.create_study(lab.plan()).study_id for _ in range(4)]
    monkeypatch.setattr("agent.faces.http.status.MAX_STUDIES", 2)
    statuses = Statuses(service.settings.database)

    async def all_of_them():
        return [await statuses.entry(study) for study in ids]

    assert [entry.card.study for entry in asyncio.run(all_of_them())] == ids
    assert list(statuses._entries) == ids[-2:]
    statuses.close()
