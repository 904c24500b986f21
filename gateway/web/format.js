/** Numbers and times in words. */

const time = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });

/** A length of time: `0.8 s`, `12 s`, `3 min`. */
export function duration(seconds) {
  if (seconds < 10) return `${Math.max(0.1, seconds).toFixed(1)} s`;
  if (seconds < 100) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}

/** What is left, without false precision. */
export function timeLeft(seconds) {
  return seconds < 1 ? "almost there" : `${duration(Math.ceil(seconds))} left`.replace(".0 s", " s");
}

/** A moment in Unix seconds: the time today, else with its day. */
export function moment(at) {
  const date = new Date(at * 1000);
  return (date.toDateString() === new Date().toDateString() ? time : day).format(date);
}

export function bytes(count) {
  return count > 1 << 30 ? `${(count / (1 << 30)).toFixed(1)} GB` : `${Math.round(count / (1 << 20))} MB`;
}

export const plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;

/** A file name from a prompt. */
export function fileName(prompt, seed, contentType) {
  const words = prompt.toLowerCase().normalize("NFKD").replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-|-$/g, "");
  const suffix = { "image/jpeg": "jpg", "image/webp": "webp" }[contentType] ?? "png";
  return `${words.slice(0, 48).replace(/-$/, "") || "picture"}-${seed}.${suffix}`;
}
