/** Requests to the gateway, with the key where there is one, and failures in the gateway's own words. */

import { recallForSession, rememberForSession } from "./memory.js";

let key = recallForSession("key") ?? "";
let askForKey = () => {};

/** A failure that can be shown to a person. */
export class ApiError extends Error {
  constructor(status, message, { code = "", requestId = "", retryAfter = null } = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.requestId = requestId;
    this.retryAfter = retryAfter;
  }
}

/** Have `ask(refusal)` called whenever the gateway wants a key, or another one than it got and why. */
export function onKeyWanted(ask) {
  askForKey = ask;
}

export function useKey(token) {
  key = token;
  rememberForSession("key", token || null);
}

export const hasKey = () => key !== "";

/** `fetch` with the key; a failure is an `ApiError`, a gateway that does not answer too (status 0). */
export async function request(path, { method = "GET", body, headers = {}, signal } = {}) {
  const sent = { ...headers };
  if (key) sent.authorization = `Bearer ${key}`;
  const usedKey = key;
  if (body !== undefined && !(body instanceof FormData)) sent["content-type"] = "application/json";
  let answer;
  try {
    const payload = body === undefined || body instanceof FormData ? body : JSON.stringify(body);
    answer = await fetch(path, { method, headers: sent, body: payload, signal });
  } catch (fault) {
    if (fault.name === "AbortError") throw fault;
    throw new ApiError(0, "The gateway does not answer. Your words are kept; try again in a moment.");
  }
  if (answer.ok) return answer;
  const failure = await failureOf(answer);
  if (answer.status === 401 && usedKey === key) askForKey(usedKey ? failure.message : "");
  throw failure;
}

/** The JSON answer of a request. */
export async function json(path, options) {
  return (await request(path, options)).json();
}

async function failureOf(answer) {
  let said = null;
  try {
    said = await answer.json();
  } catch {
    // A proxy's page; its status has to do.
  }
  const fault = said?.error;
  const message = (typeof fault === "object" ? fault?.message : fault) || `The gateway answered ${answer.status}.`;
  return new ApiError(answer.status, message, {
    code: said?.code ?? fault?.code ?? "",
    requestId: answer.headers.get("x-request-id") ?? "",
    retryAfter: Number(answer.headers.get("retry-after")) || null,
  });
}
