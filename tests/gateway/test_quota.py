"""What a key may use: counted once, given back when it was not used, right on every gateway."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from contracts.errors import EaselError, ErrorCode
from contracts.images import GenerateImage
from contracts.jobs import Job, JobOutcome, JobState
from gateway.keys import change_key, create_key, list_keys
from gateway.limits import DAY_S, Account, KeyLimits
from runtime.messaging.settings import BusSettings
from tests.gateway.conftest import OpenGateway
from tests.support.fake_engine import FakeEngine
from tests.support.workers import running_worker

NOON = 20_000 * DAY_S + DAY_S / 2


def job(name: str, pictures: int = 1) -> Job:
    """Of one megapixel-step for each picture."""
    request = GenerateImage(
        model="m", prompt="p", width=1000, height=100, num_inference_steps=10, guidance_scale=1, seed=0,
        num_images=pictures,
    )  # fmt: skip
    return Job(id=name, stages=(request,), pool="p", created_at=0)


def ended(name: str, state: JobState, *, ran: bool = True) -> JobOutcome:
    return JobOutcome(job=job(name), state=state, finished_at=2, started_at=float(ran))


@pytest.mark.parametrize(
    ("limits", "name"),
    [
        (KeyLimits(requests_per_minute=2), "requests_per_minute"),
        (KeyLimits(jobs_in_flight=2), "jobs_in_flight"),
        (KeyLimits(pictures_per_day=2), "pictures_per_day"),
        (KeyLimits(megapixel_steps_per_day=2), "megapixel_steps_per_day"),
    ],
)
def test_each_limit_admits_exactly_what_it_says_and_tells_its_name(limits: KeyLimits, name: str) -> None:
    account = Account().admit(job("a"), limits, NOON).admit(job("b"), limits, NOON)
    with pytest.raises(EaselError, match=name) as refused:
        account.admit(job("c"), limits, NOON)
    assert refused.value.code is ErrorCode.LIMIT_REACHED
    assert (refused.value.retry_after_s or 0) >= 1


def test_the_time_to_come_back_is_true() -> None:
    limits = KeyLimits(requests_per_minute=6)
    account = Account()
    for index in range(6):
        account = account.admit(job(str(index)), limits, NOON)
    with pytest.raises(EaselError) as refused:
        account.admit(job("x"), limits, NOON)
    assert refused.value.retry_after_s == pytest.approx(10)
    account.admit(job("x"), limits, NOON + 10)


def test_a_job_that_is_too_dear_for_the_key_is_refused_for_good() -> None:
    with pytest.raises(EaselError, match="megapixel_steps_per_job") as refused:
        Account().admit(job("a", 4), KeyLimits(megapixel_steps_per_job=3), NOON)
    assert (refused.value.code, refused.value.retry_after_s) == (ErrorCode.PERMISSION_DENIED, None)


@pytest.mark.parametrize(
    ("outcome", "pictures", "cost"),
    [
        (ended("a", JobState.SUCCEEDED), 1, 1),
        (ended("a", JobState.FAILED), 0, 0),
        (ended("a", JobState.CANCELLED, ran=False), 0, 0),
        (ended("a", JobState.CANCELLED), 0, 1),
        (None, 0, 0),
    ],
)
def test_an_ended_job_gives_back_what_it_did_not_use(outcome: JobOutcome | None, pictures: int, cost: float) -> None:
    account = Account().admit(job("a"), KeyLimits(), NOON).settle("a", outcome)
    assert (account.pictures, account.megapixel_steps, account.in_flight) == (pictures, cost, {})


def test_a_new_day_begins_at_nothing_and_yesterdays_jobs_do_not_change_it() -> None:
    limits = KeyLimits(pictures_per_day=1)
    account = Account().admit(job("a"), limits, NOON).admit(job("b"), limits, NOON + DAY_S)
    assert account.settle("a", ended("a", JobState.FAILED)).pictures == 1


class Counting(RuleBasedStateMachine):
    """The account beside the plain list of what happened."""

    def __init__(self) -> None:
        super().__init__()
        self.limits = KeyLimits(jobs_in_flight=3, pictures_per_day=8, megapixel_steps_per_day=10)
        self.account, self.now, self.made = Account(), NOON, 0
        self.running: dict[str, tuple[int, int]] = {}
        self.kept: list[tuple[int, int, int]] = []
        """Day, pictures and cost of jobs that ended and were not given back."""

    def used(self) -> tuple[int, int]:
        day = int(self.now // DAY_S)
        taken = [(d, n, n) for d, n in self.running.values()] + self.kept
        return sum(n for d, n, _ in taken if d == day), sum(c for d, _, c in taken if d == day)

    @rule(pictures=st.integers(1, 4))
    def submit(self, pictures: int) -> None:
        count, cost = self.used()
        fits = len(self.running) < 3 and count + pictures <= 8 and cost + pictures <= 10
        name, self.made = str(self.made), self.made + 1
        if not fits:
            with pytest.raises(EaselError) as refused:
                self.account.admit(job(name, pictures), self.limits, self.now)
            assert refused.value.code is ErrorCode.LIMIT_REACHED
            return
        self.account = self.account.admit(job(name, pictures), self.limits, self.now)
        self.running[name] = (int(self.now // DAY_S), pictures)

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.running)))
        assert self.account.admit(job(name), self.limits, self.now) is self.account

    @precondition(lambda self: self.running)
    @rule(data=st.data(), state=st.sampled_from([JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED, None]))
    def end(self, data: st.DataObject, state: JobState | None) -> None:
        name = data.draw(st.sampled_from(sorted(self.running)))
        outcome = ended(name, state, ran=data.draw(st.booleans())) if state else None
        self.account = self.account.settle(name, outcome)
        assert self.account.settle(name, outcome) is self.account, "settled twice"
        day, pictures = self.running.pop(name)
        if state is JobState.SUCCEEDED:
            self.kept.append((day, pictures, pictures))
        elif state is JobState.CANCELLED and outcome and outcome.started_at:
            self.kept.append((day, 0, pictures))

    @rule(seconds=st.sampled_from([0.5, 60, DAY_S / 3]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def counts_agree(self) -> None:
        today = self.account.today(self.now)
        assert (today.pictures, today.megapixel_steps) == pytest.approx(self.used())
        assert set(today.in_flight) == set(self.running)


Counting.TestCase.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
test_the_account_agrees_with_a_plain_list_of_what_happened = Counting.TestCase


class Pacing(RuleBasedStateMachine):
    """The rate beside a bucket of tokens: as many as a minute has jobs, filled evenly, one for each job."""

    def __init__(self) -> None:
        super().__init__()
        self.limits = KeyLimits(requests_per_minute=6)
        self.account, self.now, self.made, self.tokens = Account(), NOON, 0, 6.0

    @rule()
    def submit(self) -> None:
        self.made += 1
        if self.tokens > 1 - 1e-6:
            self.account = self.account.admit(job(str(self.made)), self.limits, self.now)
            self.tokens -= 1
            return
        with pytest.raises(EaselError, match="requests_per_minute") as refused:
            self.account.admit(job(str(self.made)), self.limits, self.now)
        assert refused.value.retry_after_s == pytest.approx(max(1.0, (1 - self.tokens) * 10))

    @rule(seconds=st.sampled_from([0.5, 3, 10, 61]))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.tokens = min(6.0, self.tokens + seconds / 10)


Pacing.TestCase.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
test_the_rate_agrees_with_a_bucket_of_tokens = Pacing.TestCase


@pytest.fixture
def keys_file(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


async def test_two_gateways_keep_one_limit_and_a_repeated_request_counts_once(
    bus_settings: BusSettings, engine: FakeEngine, open_gateway: OpenGateway, keys_file: Path
) -> None:
    token = create_key(keys_file, "anna", limits=KeyLimits(pictures_per_day=5))
    stranger = create_key(keys_file, "bert")
    headers = {"x-api-key": token}
    async with (
        running_worker(bus_settings, engine),
        open_gateway(keys_file=str(keys_file)) as first,
        open_gateway(keys_file=str(keys_file)) as second,
    ):
        once = headers | {"idempotency-key": "one"}
        same = [await http.post("/generate", json={"prompt": "a"}, headers=once) for http in (first, second, first)]
        assert [answer.status_code for answer in same] == [200] * 3

        def draw(index: int) -> object:
            return (first, second)[index % 2].post("/v1/images/generations", json={"prompt": "b"}, headers=headers)

        answers = await asyncio.gather(*(draw(index) for index in range(10)))  # type: ignore[call-overload]
        assert sorted(answer.status_code for answer in answers) == [200] * 4 + [429] * 6
        refused = next(answer for answer in answers if answer.status_code == 429)
        assert refused.json()["error"]["type"] == "rate_limit_error"
        assert "pictures_per_day" in refused.json()["error"]["message"]
        assert int(refused.headers["retry-after"]) >= 1
        (mine,) = (await second.get("/v1/usage", headers=headers)).json()["usage"]
        assert (mine["name"], mine["jobs"], mine["pictures"], mine["in_flight"]) == ("anna", 5, 5, 0)
        (other,) = (await first.get("/v1/usage", headers={"x-api-key": stranger})).json()["usage"]
        assert (other["name"], other["pictures"]) == ("bert", 0)
        change_key(keys_file, list_keys(keys_file)[0].id, limits=KeyLimits())
        assert (await first.post("/generate", json={"prompt": "c"}, headers=headers)).status_code == 200
