"""Every name on the bus, built from one namespace and parsed back, so that test suites share one server.

    <ns>.job.<pool>.<job>                 work, in stream <NS>_JOBS
    <ns>.intake.<pool>.<job>              work accepted while the jobs stream elects a leader, in stream <NS>_INTAKE
    <ns>.evt.<worker>.<job>               progress, stored as <ns>.evt.<job> in <NS>_EVENTS
    <ns>.live.evt.<job>                   … and republished
    <ns>.fin.<author>.<job>               outcome, stored once as <ns>.fin.<job> in <NS>_OUTCOMES
    <ns>.live.fin.<job>                   … and republished
    <ns>.blob.<worker>.<job>.<n>.<i>.<p>  part p of picture i of attempt n, stored without the worker in <NS>_IMAGES
    <ns>.presence.<worker>                announcements, last one kept in <NS>_PRESENCE
    <ns>.cancel.<pool>.<job>              "stop this job", not stored
    <ns>.rpc.<service>.<endpoint>         questions that are answered at once, not stored
    <ns>.prepare.<worker>                 "load this model, on that device", answered as it goes, not stored
    <ns>.caller.<key>.<topic>             what gateways remember for a caller, last one kept in <NS>_CALLERS

The author stands in every published subject because a device's credentials may allow it its own name only; the streams
strip it, so that readers need not know who wrote.
"""

from __future__ import annotations

import re

REAPER, MOVER = "reaper", "mover"
"""The consumers of the dead letters and of the intake, which gateways share."""
_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,64}")
_NAMESPACE = re.compile(r"[a-z][a-z0-9-]{0,31}")


def subject_token(text: str) -> str:
    """`text` made fit to stand between two dots: other characters become `-`."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", text).strip("-")[:64] or "x"


class Subjects:
    """The names of one namespace.

    Raises:
        ValueError: the namespace is not a lower-case word of at most 32 letters, digits and `-`.
    """

    def __init__(self, namespace: str) -> None:
        if not _NAMESPACE.fullmatch(namespace):
            raise ValueError(
                f"namespace {namespace!r} must be 1 to 32 lower-case letters, digits or '-', a letter first"
            )
        self.namespace = namespace
        stream = namespace.upper().replace("-", "_")
        self.jobs_stream = f"{stream}_JOBS"
        self.intake_stream = f"{stream}_INTAKE"
        self.events_stream = f"{stream}_EVENTS"
        self.outcomes_stream = f"{stream}_OUTCOMES"
        self.images_stream = f"{stream}_IMAGES"
        self.presence_stream = f"{stream}_PRESENCE"
        self.callers_stream = f"{stream}_CALLERS"
        self.dead_letters_stream = f"{stream}_DEAD_LETTERS"

    def _join(self, *tokens: str) -> str:
        for word in tokens:
            if word != "*" and not _TOKEN.fullmatch(word):
                raise ValueError(f"{word!r} cannot stand in a subject")
        return ".".join((self.namespace, *tokens))

    def job(self, pool: str, job_id: str) -> str:
        return self._join("job", pool, job_id)

    def intake(self, pool: str, job_id: str) -> str:
        return self._join("intake", pool, job_id)

    def consumer(self, pool: str) -> str:
        """Name of the durable pull consumer that all workers of a pool share."""
        return f"pool-{pool}"

    def event(self, worker: str, job_id: str) -> str:
        return self._join("evt", worker, job_id)

    def stored_event(self, job_id: str) -> str:
        return self._join("evt", job_id)

    def live(self, kind: str, job_id: str) -> str:
        """What is republished of one job: `kind` is `evt`, `fin` or `*` for both."""
        return self._join("live", kind, job_id)

    def outcome(self, author: str, job_id: str) -> str:
        return self._join("fin", author, job_id)

    def stored_outcome(self, job_id: str) -> str:
        return self._join("fin", job_id)

    def image_part(self, worker: str, key: str, part: int) -> str:
        return self._join("blob", worker, *key.split("."), str(part))

    def image_parts(self, job_id: str) -> str:
        """Every part of every picture of a job, as workers publish them."""
        return f"{self._join('blob', '*', job_id)}.>"

    def stored_image_part(self, key: str, part: int) -> str:
        return self._join("blob", *key.split("."), str(part))

    def presence(self, worker: str) -> str:
        return self._join("presence", worker)

    def cancel(self, pool: str, job_id: str) -> str:
        return self._join("cancel", pool, job_id)

    def prepare(self, worker: str) -> str:
        return self._join("prepare", worker)

    def caller(self, key: str, topic: str) -> str:
        return self._join("caller", key, topic)

    def endpoint(self, service: str, name: str) -> str:
        return self._join("rpc", service, name)
