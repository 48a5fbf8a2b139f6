// What the page knows: the photographs that are shown, their details, what is selected.

import { get, post } from "./api.js";

export const store = {
  query: { text: "", word: null, by: "", sort: "name", like: null },
  view: "photographs", // or "duplicates", "changed"
  ids: [],
  shapes: [],
  states: [],
  groups: null,
  places: new Map(), // from number to its place in `ids`
  details: new Map(),
  selected: new Set(),
  focus: 0,
  words: [],
  lastEvent: 0,
  gained: new Set(), // by the last correction, to be shown
};

const stale = new Set(); // details that a correction may have changed
let wanted = new Set();
let timer = null;
const listeners = new Set();

export const onDetails = (listener) => listeners.add(listener);

export function setPhotographs(answer) {
  store.ids = answer.ids;
  store.shapes = answer.shapes;
  store.states = answer.states;
  store.groups = answer.groups || null;
  store.places = new Map(answer.ids.map((id, place) => [id, place]));
  store.focus = Math.max(0, Math.min(store.focus, answer.ids.length - 1));
  for (const id of [...store.selected]) if (!store.places.has(id)) store.selected.delete(id);
}

// A part of a picture's address, which changes with the file; empty if there is none.
export const stateOf = (id) => store.states[store.places.get(id)] ?? "0";
export const thumbnail = (id, state = stateOf(id)) => `thumbnail/${id}/${state}`;

// Details come in a moment, many at once; until then there are the old ones or none.
export function detailsOf(id) {
  if (!store.details.has(id) || stale.has(id)) {
    wanted.add(id);
    timer ??= setTimeout(fetchDetails, 30);
  }
  return store.details.get(id) || null;
}

export async function fetchDetails(ids = null) {
  if (ids === null) {
    ids = [...wanted];
    wanted = new Set();
    timer = null;
  }
  for (let start = 0; start < ids.length; start += 500) {
    const part = ids.slice(start, start + 500);
    part.forEach((id) => stale.delete(id));
    try {
      const found = await post("api/details", part);
      for (const id of part) store.details.set(id, null); // gone, unless it is found
      for (const detail of found) store.details.set(detail.id, detail);
    } catch {
      part.forEach((id) => stale.add(id));
      return;
    }
  }
  for (const listener of listeners) listener(ids);
}

export function forgetDetails() {
  for (const id of store.details.keys()) stale.add(id);
}

export async function loadPhotographs() {
  const { query, view } = store;
  if (view === "duplicates") setPhotographs(await get("api/duplicates"));
  else setPhotographs(await get("api/photographs", query));
}

export async function loadWords() {
  store.words = await get("api/words");
}

export function verdict(detail, word) {
  if (!detail) return null;
  if (detail.accepted.includes(word)) return true;
  if (detail.rejected.includes(word)) return false;
  return null;
}
