/** What changed between two texts, word by word. */

/** Words, spaces and marks, so that a comma behind a word does not make it another one. */
const PIECE = /[\p{L}\p{M}\p{N}_]+|\s+|[^\p{L}\p{M}\p{N}_\s]/gu;

/** `[kind, text]` pieces in order; kind is "same", "added" or "removed". */
export function differences(before, after) {
  const a = before.match(PIECE) ?? [];
  const b = after.match(PIECE) ?? [];
  const lengths = commonLengths(a, b);
  const pieces = [];
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      add(pieces, "same", a[i]);
      i += 1;
      j += 1;
    } else if (j >= b.length || (i < a.length && lengths[i + 1][j] >= lengths[i][j + 1])) {
      add(pieces, "removed", a[i]);
      i += 1;
    } else {
      add(pieces, "added", b[j]);
      j += 1;
    }
  }
  return pieces;
}

/** Longest common subsequence of every pair of tails. */
function commonLengths(a, b) {
  const lengths = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      lengths[i][j] = a[i] === b[j] ? lengths[i + 1][j + 1] + 1 : Math.max(lengths[i + 1][j], lengths[i][j + 1]);
    }
  }
  return lengths;
}

function add(pieces, kind, text) {
  const last = pieces.at(-1);
  if (last && last[0] === kind) last[1] += text;
  else pieces.push([kind, text]);
}
