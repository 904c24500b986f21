/** What this browser remembers. Storage may be forbidden or full; then nothing is remembered, and nothing breaks. */

function read(storage, name) {
  try {
    return JSON.parse(storage().getItem(`easel.${name}`));
  } catch {
    return null;
  }
}

function write(storage, name, value) {
  try {
    if (value === null) storage().removeItem(`easel.${name}`);
    else storage().setItem(`easel.${name}`, JSON.stringify(value));
  } catch {
    // Remembered for this page only.
  }
}

const local = () => localStorage;
const session = () => sessionStorage;

/** Of this browser, for good. */
export const recall = (name) => read(local, name);
export const remember = (name, value) => write(local, name, value);
/** Of this tab, until it is closed: for secrets. */
export const recallForSession = (name) => read(session, name);
export const rememberForSession = (name, value) => write(session, name, value);
