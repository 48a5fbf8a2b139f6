// The page: what is chosen and corrected, and what follows from it everywhere.

import { byId, count, get, make, post } from "./api.js";
import { Gallery } from "./gallery.js";
import { Sheets } from "./sheets.js";
import { fetchDetails, forgetDetails, loadPhotographs, loadWords, setPhotographs, store } from "./store.js";
import { failed, toast } from "./toasts.js";
import { Viewer } from "./viewer.js";

const POLL_SECONDS = 2;
const MOST_WORDS = 400; // in the list at once
const VERBS = new Map([[true, "accepted"], [false, "rejected"], [null, "taken back"]]);

const actions = {
  open: (id) => viewer.open(id),
  closed,
  like,
  judge,
  caption: async (photograph, text) => learned(await attempt(() => post("api/caption", { photograph, text })), "Caption saved"),
  undo,
  select,
  duplicates: () => show({ view: "duplicates" }),
};
const gallery = new Gallery(actions);
const viewer = new Viewer(actions);
const sheets = new Sheets(actions);
let selectionStart = null;
let pending = { gained: 0, lost: 0 };

async function attempt(action) {
  try {
    return await action();
  } catch (error) {
    failed(error);
    return null;
  }
}

// What is shown

async function show(change) {
  const { view = "photographs", ...query } = change;
  store.view = view;
  Object.assign(store.query, query);
  store.focus = 0;
  store.gained = new Set();
  await reload();
  scrollTo(0, 0);
}

async function reload() {
  pending = { gained: 0, lost: 0 };
  showControls();
  if (store.view !== "changed" && (await attempt(async () => (await loadPhotographs(), true))) === null) return;
  gallery.arrange();
  showSummary();
}

function showControls() {
  const { word, sort, by, like } = store.query;
  const choices = (id, options, value) =>
    byId(id).replaceChildren(
      ...options.map(([key, text]) => make("option", { value: key, text, selected: key === value })),
    );
  choices(
    "by",
    word === null
      ? [["", "All photographs"], ["person", "Corrected"], ["machine", "Not looked at"], ["rejected", "With rejected words"]]
      : [["", "Accepted and suggested"], ["person", "Accepted by you"], ["machine", "Suggested"], ["rejected", "Rejected"]],
    by,
  );
  choices(
    "sort",
    [["name", "By name"], ["newest", "Newest first"], ["uncertain", "Teaches most first"], ...(word === null ? [] : [["score", "Likeliest first"]])],
    sort,
  );
  byId("by").disabled = byId("sort").disabled = like !== null || store.view !== "photographs";
  byId("clear").hidden = store.view === "photographs" && word === null && like === null && !store.query.text && !by;
  for (const button of byId("words").querySelectorAll("button"))
    button.setAttribute("aria-pressed", button.dataset.word === word);
}

function showSummary() {
  const { word, like, text } = store.query;
  const number = count(store.ids.length, "photograph");
  let summary = number;
  if (store.view === "duplicates") summary = `${count(store.groups?.length || 0, "group")} of near duplicates, ${number}`;
  else if (store.view === "changed") summary = `${number} that gained “${store.changed}”`;
  else if (like !== null) summary = `${number}, those most like ${store.details.get(like)?.name || "it"} first`;
  else if (word !== null) summary = `${number} for “${word}”`;
  else if (text) summary = `${number} for ${text}`;
  byId("summary").textContent = summary;
  byId("nothing").hidden = store.ids.length > 0;
  byId("nothing-text").textContent = store.view === "duplicates" ? "No near duplicates." : "No photograph is like that.";
  const { gained, lost } = pending;
  byId("refresh").hidden = !(gained || lost);
  byId("refresh").textContent = `Update the list: ${gained} more, ${lost} fewer`;
}

function showWords() {
  const begin = byId("word-filter").value.trim().toLowerCase();
  const mine = (each) => each.accepted + each.rejected;
  const words = store.words
    .filter((each) => each.word.toLowerCase().includes(begin))
    .sort((a, b) => (mine(b) > 0) - (mine(a) > 0) || b.suggested + b.accepted - a.suggested - a.accepted || a.word.localeCompare(b.word));
  byId("words").replaceChildren(
    ...words.slice(0, MOST_WORDS).map((each) =>
      make(
        "li",
        {},
        make(
          "button",
          {
            type: "button",
            "data-word": each.word,
            "aria-pressed": String(each.word === store.query.word),
            class: store.moved?.has(each.word) ? "moved" : null,
            onclick: () => chooseWord(each.word),
          },
          make("span", { class: "name", text: each.word }),
          each.accepted ? make("span", { class: "count mine", text: each.accepted, title: "accepted" }) : null,
          make("span", { class: "count", text: each.suggested, title: "suggested" }),
        ),
      ),
    ),
  );
  byId("all-words").replaceChildren(...store.words.map((each) => make("option", { value: each.word })));
}

function chooseWord(word) {
  const same = store.query.word === word && store.view === "photographs";
  const sort = same ? "name" : "score";
  show({ word: same ? null : word, like: null, by: "", sort });
}

function like(id) {
  show({ like: id, word: null, by: "", text: "", sort: "name" });
}

// Corrections

async function judge(photographs, word, accepted) {
  const result = await attempt(() => post("api/judge", { photographs, word, accepted }));
  if (!result) return;
  if (result.event === null) return toast(`“${word}” is ${VERBS.get(accepted)} already.`);
  await learned(result, `“${word}” ${VERBS.get(accepted)} for ${count(photographs.length, "photograph")}`);
}

async function undo(event = null) {
  const result = await attempt(() => post("api/undo", { event }));
  if (result) await learned(result, "Undone", false);
}

async function learned(result, text, undoable = true) {
  if (!result || result.event === null) return;
  store.lastEvent = result.last_event;
  const gained = new Set(Object.values(result.words).flatMap((each) => each.gained));
  const lost = new Set(Object.values(result.words).flatMap((each) => each.lost));
  result.photographs.forEach((id) => [gained, lost].forEach((set) => set.delete(id)));
  store.gained = gained;
  store.moved = new Set(Object.keys(result.words));
  const buttons = [];
  const [word] = Object.keys(result.words);
  if (gained.size) buttons.push(["Show", () => showChanged(word, gained)]);
  if (undoable) buttons.push(["Undo", () => undo(result.event)]);
  const moved = [gained.size ? `${gained.size} gained it` : "", lost.size ? `${lost.size} lost it` : ""].filter(Boolean);
  toast(text, { more: moved.length ? `· ${moved.join(", ")}` : "", buttons });
  if (store.query.word !== null && result.words[store.query.word]) {
    pending.gained += [...gained].filter((id) => !store.places.has(id)).length;
    pending.lost += [...lost].filter((id) => store.places.has(id)).length;
  }
  forgetDetails();
  const visible = [...gallery.tiles.keys()];
  if (viewer.id !== null && !visible.includes(viewer.id)) visible.push(viewer.id);
  await Promise.all([fetchDetails(visible), attempt(loadWords)]);
  gallery.refresh();
  showWords();
  showSummary();
}

async function showChanged(word, gained) {
  if (viewer.isOpen) viewer.dialog.close();
  const all = await attempt(() => get("api/photographs", { word, sort: "score" }));
  if (!all) return;
  const places = all.ids.map((id, place) => [id, place]).filter(([id]) => gained.has(id)).map(([, place]) => place);
  const pick = (values) => places.map((place) => values[place]);
  store.view = "changed";
  store.changed = word;
  Object.assign(store.query, { word, like: null, by: "", sort: "score", text: "" });
  setPhotographs({ ids: pick(all.ids), shapes: pick(all.shapes), states: pick(all.states) });
  showControls();
  gallery.arrange();
  showSummary();
  scrollTo(0, 0);
}

// Selecting

function select(id, range = false) {
  const place = store.places.get(id);
  if (range && selectionStart !== null) {
    const [from, to] = [selectionStart, place].sort((a, b) => a - b);
    for (let each = from; each <= to; each++) store.selected.add(store.ids[each]);
  } else {
    if (!store.selected.delete(id)) store.selected.add(id);
    selectionStart = place;
  }
  showSelection();
}

function showSelection() {
  const number = store.selected.size;
  byId("selection").hidden = number === 0;
  byId("selection-count").textContent = `${number.toLocaleString("en")} selected`;
  gallery.refresh();
}

function clearSelection() {
  store.selected.clear();
  selectionStart = null;
  showSelection();
}

function judgeHere(accepted) {
  const word = store.query.word;
  const photographs = store.selected.size ? [...store.selected] : [store.ids[store.focus]];
  if (word === null || photographs[0] === undefined) return;
  judge(photographs, word, accepted);
  if (!store.selected.size) gallery.focus(store.focus + 1);
}

function closed(id) {
  gallery.refresh();
  const place = store.places.get(id);
  if (place !== undefined) gallery.focus(place);
}

// Keys

addEventListener("keydown", (event) => {
  const typing = event.target.matches("input, textarea, select");
  if ((event.ctrlKey || event.metaKey) && event.key === "z" && !typing) {
    event.preventDefault();
    return undo();
  }
  if (event.ctrlKey || event.metaKey || event.altKey || viewer.isOpen || sheets.dialog.open) return;
  if (typing) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const keys = {
    "/": () => byId("text").focus(),
    "?": () => sheets.help(),
    h: () => sheets.history(),
    z: () => undo(),
    x: () => store.ids.length && select(store.ids[store.focus]),
    a: () => judgeHere(true),
    r: () => judgeHere(false),
    l: () => store.ids.length && like(store.ids[store.focus]),
    w: () => {
      if (!store.selected.size && store.ids.length) select(store.ids[store.focus]);
      byId("selection-word").focus();
    },
    Escape: () => (store.selected.size ? clearSelection() : byId("clear").hidden || byId("clear").click()),
  };
  if (!(event.key in keys)) {
    if (event.key.startsWith("Arrow") && event.target === document.body) {
      event.preventDefault();
      gallery.focus(store.focus);
    }
    return;
  }
  event.preventDefault();
  keys[event.key]();
});

// Controls

let typed = null;
byId("text").addEventListener("input", () => {
  clearTimeout(typed);
  typed = setTimeout(() => show({ text: byId("text").value.trim(), like: null }), 200);
});
byId("by").addEventListener("change", () => show({ by: byId("by").value }));
byId("sort").addEventListener("change", () => show({ sort: byId("sort").value }));
byId("word-filter").addEventListener("input", showWords);
byId("undo").addEventListener("click", () => undo());
byId("refresh").addEventListener("click", () => show({}));
byId("clear").addEventListener("click", () => {
  byId("text").value = "";
  show({ text: "", word: null, by: "", sort: "name", like: null });
});
byId("words-button").addEventListener("click", () => {
  const shown = byId("sidebar").classList.toggle("shown");
  byId("words-button").setAttribute("aria-expanded", shown);
});
byId("selection").addEventListener("submit", async (event) => {
  event.preventDefault();
  const word = byId("selection-word").value.trim() || store.query.word;
  if (!word) return byId("selection-word").focus();
  await judge([...store.selected], word, event.submitter?.value !== "reject");
  byId("selection-word").value = "";
  clearSelection();
  gallery.focus(store.focus);
});
byId("selection-clear").addEventListener("click", clearSelection);

// What else goes on: reading, and other pages on the same library

let wasReading = true;
async function poll() {
  try {
    const { indexing, last_event: lastEvent } = await get("api/state");
    const reading = !["ready", "failed"].includes(indexing.phase);
    byId("progress").hidden = !reading;
    byId("progress-bar").max = Math.max(1, indexing.total);
    byId("progress-bar").value = indexing.done;
    byId("progress-text").textContent = indexing.total ? `${indexing.done} of ${indexing.total} read` : "Looking for photographs";
    if (indexing.phase === "failed" && wasReading) toast(indexing.error, { bad: true });
    if (lastEvent !== store.lastEvent || reading || wasReading) {
      store.lastEvent = lastEvent;
      forgetDetails();
      await loadWords();
      showWords();
      const untouched = store.view === "photographs" && store.query.word === null && !store.selected.size;
      if ((reading || wasReading) && untouched && !viewer.isOpen) {
        const before = store.ids.length + store.shapes.join();
        await loadPhotographs();
        if (before !== store.ids.length + store.shapes.join()) gallery.arrange();
        showSummary();
      }
      gallery.refresh();
    }
    wasReading = reading;
  } catch {
    // The server has ended, or is busy: another time.
  }
  setTimeout(poll, POLL_SECONDS * 1000);
}

showControls();
await reload();
poll();
