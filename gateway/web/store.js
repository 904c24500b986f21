/** All that the page knows: jobs by id, workers, the gateway. Fed by the stream, read by everything else. */

const ENDED = new Set(["succeeded", "failed", "cancelled"]);

export const hasEnded = (job) => ENDED.has(job.state);

/** Listeners get the job that changed (`job`), or nothing (`jobs`, `workers`, `line`). */
class Store extends EventTarget {
  jobs = new Map();
  workers = [];
  /** Workers that were here since the page was opened and are no more, by id. */
  goneWorkers = new Map();
  /** `{ version, chat }`, once it has answered. */
  gateway = null;
  /** Seconds by which this machine's clock is ahead of the gateway's. */
  skew = 0;
  /** Where jobs begin that the page does not know yet, as the gateway counts; null: it knows all. */
  older = null;
  /** "connecting", "open" or "lost". */
  line = "connecting";
  lineFault = null;

  /** Jobs, newest first. */
  newest() {
    return [...this.jobs.values()].sort((a, b) => b.created_at - a.created_at || (a.id < b.id ? 1 : -1));
  }

  unfinished() {
    return this.newest().filter((job) => !hasEnded(job));
  }

  tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  on(name, listener) {
    this.addEventListener(name, (event) => listener(event.detail));
  }

  setLine(line, fault = null) {
    this.line = line;
    this.lineFault = fault;
    this.tell("line");
  }

  /** One event of the stream. */
  receive(name, data) {
    if (name === "hello") this.begin(data);
    else if (name === "job") this.setJob(data);
    else if (name === "progress") this.progress(data);
    else if (name === "gone") this.forget(data.id);
    else if (name === "workers") this.setWorkers(data);
  }

  begin(hello) {
    this.gateway = hello.gateway;
    this.skew = Date.now() / 1000 - hello.at;
    const joins = hello.jobs.some((job) => hasEnded(job) && this.jobs.has(job.id));
    if (!joins) this.older = hello.older; // else what lies between has been seen, and perhaps much before it
    const known = new Set(hello.jobs.map((job) => job.id));
    for (const job of this.unfinished()) if (!known.has(job.id)) this.jobs.delete(job.id);
    for (const job of hello.jobs) this.merge(job);
    this.setLine("open");
    this.setWorkers(hello.workers);
    this.tell("jobs");
  }

  /** Know no job any more: another key sees others. */
  clear() {
    this.jobs = new Map();
    this.older = null;
    this.tell("jobs");
  }

  /** Older jobs, as the page scrolls down to them. */
  addOlder({ jobs, older }) {
    for (const job of jobs) if (!this.jobs.has(job.id)) this.merge(job);
    this.older = older;
    this.tell("jobs");
  }

  setJob(job) {
    const isNew = !this.jobs.has(job.id);
    const merged = this.merge(job);
    this.tell(isNew ? "jobs" : "job", isNew ? undefined : merged);
    if (hasEnded(merged)) this.tell("ended", merged);
  }

  /** The job as it is now: what ended stays ended, and steps never go back within an attempt. */
  merge(job) {
    const before = this.jobs.get(job.id);
    if (before && hasEnded(before)) return before;
    const kept = before && before.attempt === job.attempt && before.step > job.step
      ? { step: before.step, total_steps: before.total_steps } : {};
    const merged = { previews: [], pace: null, ...before, ...job, ...kept };
    if (job.state === "queued") Object.assign(merged, { step: 0, pace: null });
    this.jobs.set(job.id, merged);
    return merged;
  }

  progress(event) {
    const job = this.jobs.get(event.id);
    if (!job || hasEnded(job) || event.attempt < job.attempt) return;
    if (event.attempt === job.attempt && event.step <= job.step && !event.previews.length) return;
    job.pace = paceAfter(job, event);
    Object.assign(job, {
      state: "running", ahead: null, attempt: event.attempt, worker: event.worker, started_at: event.started_at,
      step: Math.max(event.step, event.attempt === job.attempt ? job.step : 0), total_steps: event.total_steps,
    });
    for (const preview of event.previews) job.previews[preview.index] = preview;
    this.tell("job", job);
  }

  forget(id) {
    if (this.jobs.delete(id)) this.tell("jobs");
  }

  setWorkers(workers) {
    const here = new Set(workers.map((worker) => worker.id));
    for (const worker of this.workers) {
      if (!here.has(worker.id)) this.goneWorkers.set(worker.id, { ...worker, gone_at: Date.now() / 1000 });
    }
    for (const id of here) this.goneWorkers.delete(id);
    this.workers = workers;
    this.tell("workers");
  }

  /** Every model that a live worker offers, by id, each once. */
  models() {
    const found = new Map();
    for (const worker of this.workers) for (const model of worker.models) if (!found.has(model.id)) found.set(model.id, model);
    return found;
  }

  /** Where a model can be drawn, `{ value, label }`: one entry for each pool, as workers of a pool take each other's jobs. */
  devicesOf(model) {
    const pools = new Map();
    for (const worker of this.workers) {
      if (worker.models.some((one) => one.id === model?.id)) pools.set(worker.pool, [...(pools.get(worker.pool) ?? []), worker]);
    }
    return [...pools.values()].map((workers) => ({
      value: workers[0].id,
      label: workers.length > 1 ? `${workers[0].device}, ${workers.length} workers` : `${workers[0].device} (${workers[0].id})`,
    }));
  }

  /** The live worker of a service (`enhancer`), or undefined. */
  serving(service) {
    return this.workers.find((worker) => worker.service === service);
  }
}

/** When the attempt's first step ended that this page saw, to tell the time left from. */
function paceAfter(job, event) {
  if (job.pace && job.pace.attempt === event.attempt) return { ...job.pace, step: event.step, at: event.at };
  return { attempt: event.attempt, firstStep: event.step, firstAt: event.at, step: event.step, at: event.at };
}

/** Seconds until a running job is done, or null while nobody can tell. */
export function secondsLeft(job) {
  const pace = job.pace;
  if (job.state !== "running" || !job.total_steps) return null;
  if (pace && pace.step > pace.firstStep) {
    return ((pace.at - pace.firstAt) / (pace.step - pace.firstStep)) * (job.total_steps - job.step);
  }
  return null;
}

export const store = new Store();
