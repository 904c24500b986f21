"""Job states and ids."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from contracts.images import MAX_SEED
from contracts.jobs import SUCCESSORS, Job, JobState, attempt_at_stage, is_job_id, new_job_id
from contracts.prompts import EnhancedPrompt, EnhancePrompt, PromptSource
from tests.support.builders import generate_image


def test_every_state_can_reach_an_end() -> None:
    """Nothing waits for ever by design."""
    reached = {state for state in JobState if state.is_terminal}
    while more := {state for state in JobState if SUCCESSORS[state] & reached} - reached:
        reached |= more
    assert reached == set(JobState)


def test_ended_jobs_have_no_successor_and_the_others_may_all_be_cancelled() -> None:
    """The table is closed."""
    assert set(SUCCESSORS) == set(JobState)
    for state in JobState:
        assert state.is_terminal == (state in {JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED})
        assert state.is_terminal or JobState.CANCELLED in SUCCESSORS[state]


def test_ids_are_random_and_recognised() -> None:
    """128 bits."""
    ids = {new_job_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(is_job_id(job_id) for job_id in ids)


@given(st.text(max_size=40))
def test_nothing_that_could_change_a_subject_is_an_id(text: str) -> None:
    """Dots, wildcards and spaces would."""
    assert not (is_job_id(text) and set(text) & set(".*> \t\n"))


def test_image_k_has_seed_plus_k_and_wraps() -> None:
    """Within 32 bits."""
    request = generate_image(seed=MAX_SEED, num_images=2)
    assert [request.image_seed(index) for index in range(2)] == [MAX_SEED, 0]


def test_a_job_is_about_its_pictures_in_every_stage_and_attempts_go_on_counting() -> None:
    """What follows an enhancement draws the better prompt, in the other pool, and its attempts come after."""
    drawing = generate_image(prompt="a fox")
    wish = EnhancePrompt(prompt="a fox", style="ink")
    job = Job(id=new_job_id(), stages=(wish, drawing), pool="enhancer", next_pool="gpu", created_at=0.0)
    following = job.enhanced(EnhancedPrompt(prompt="a fox, soft light", source=PromptSource.MODEL))
    assert (job.request, job.to_enhance) == (drawing, wish)
    assert (following.stage, following.pool, following.next_pool, following.to_enhance) == (1, "gpu", "", None)
    assert following.request.prompt == "a fox, soft light"
    assert following.enhancement == msgspec.structs.replace(wish, source=PromptSource.MODEL)
    assert following.attempts_before + 1 > 999
    assert attempt_at_stage(following.attempts_before + 2) == 2
