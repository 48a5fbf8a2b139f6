// What lies over the page for a moment: history, exports and training, keys, a drop.

import { byId, count, get, make, post, send } from "./api.js";
import { failed, toast } from "./toasts.js";

const KEYS = [
  ["Arrows", "move from photograph to photograph"],
  ["Enter", "open a photograph; Esc closes it"],
  ["X", "select; with Shift and arrows or clicks, all between"],
  ["A / R", "with a word chosen: accept or reject it, for the selection or here"],
  ["W", "type a word for the selection"],
  ["1 – 9", "in a photograph: accept a suggestion; with Shift reject it"],
  ["N / C", "in a photograph: add a word, edit the caption"],
  ["L", "more photographs like this"],
  ["Z", "undo"],
  ["H", "history"],
  ["/", "search"],
  ["?", "this"],
];
const VERBS = { accept: "Accepted", reject: "Rejected", forget: "Took back", caption: "Caption", import: "Imported", undo: "Undid", redo: "Redid" };

export class Sheets {
  constructor(actions) {
    this.actions = actions;
    this.dialog = byId("sheet");
    byId("sheet-close").addEventListener("click", () => this.dialog.close());
    byId("history-button").addEventListener("click", () => this.history());
    byId("more-button").addEventListener("click", () => this.more());
    byId("help-button").addEventListener("click", () => this.help());
    this.listenForDrops();
  }

  show(title, ...content) {
    byId("sheet-title").textContent = title;
    byId("sheet-content").replaceChildren(...content);
    if (!this.dialog.open) this.dialog.showModal();
  }

  help() {
    const list = make("dl");
    for (const [key, text] of KEYS)
      list.append(make("dt", {}, make("kbd", { text: key })), make("dd", { text }));
    this.show("Keyboard", list);
  }

  async history() {
    const events = await get("api/history");
    const list = make("ul", { class: "events" });
    for (const event of events) list.append(this.event(event));
    this.show("History", events.length ? list : make("p", { text: "Nothing was corrected yet." }));
  }

  event(event) {
    const what =
      event.caption !== null ? `“${event.caption}”` : event.words.map((word) => `“${word}”`).join(", ");
    const text = `${VERBS[event.action] || event.action} ${what} · ${count(event.count, "photograph")}`;
    const time = new Date(event.time);
    return make(
      "li",
      { class: event.undone_by === null ? "" : "undone" },
      make("p", { text }),
      make("time", { datetime: event.time, text: time.toLocaleString([], { dateStyle: "short", timeStyle: "short" }) }),
      event.undone_by === null
        ? make("button", {
            type: "button",
            text: event.action === "undo" ? "Redo" : "Undo",
            "aria-label": `Undo: ${text}`,
            onclick: async () => {
              await this.actions.undo(event.id);
              this.history();
            },
          })
        : null,
    );
  }

  async more() {
    const { training } = await get("api/state");
    const close = (action) => () => {
      this.dialog.close();
      action();
    };
    const link = (href, name, text) =>
      make("a", { class: "button", href, download: "" }, name, make("small", { text }));
    const button = (name, text, onclick) =>
      make("button", { type: "button", onclick }, name, make("small", { text }));
    const running = training.phase === "running";
    const parts = [
      make("h3", { text: "Look" }),
      make(
        "div",
        { class: "actions" },
        button("Near duplicates", "photographs that are almost the same, side by side", close(() => this.actions.duplicates())),
        button("Describe an image", "one that is not in the library; or drop it on the page", close(() => this.choose())),
      ),
      make("h3", { text: "Export" }),
      make(
        "div",
        { class: "actions" },
        link("export/photographs.csv", "CSV", "a line a photograph: caption, accepted, rejected and suggested words"),
        link("export/photographs.jsonl", "JSON Lines", "the same, with scores"),
        button("Keywords (XMP)", "accepted words and your captions into photo.jpg.xmp beside each photograph, for Lightroom, digiKam, Immich …", () => this.sidecars()),
        button("Data set", "a folder to train on: accepted words and your captions; photographs are linked", () => this.dataSet()),
      ),
      make("h3", { text: "Train again" }),
      make(
        "div",
        { class: "actions" },
        button(
          running ? "Training …" : "Train on this library",
          "fits everything anew from the accepted words, and exports it as usual",
          () => this.train(),
        ),
      ),
    ];
    parts.at(-1).firstElementChild.disabled = running;
    if (training.phase !== "none") {
      const text = { running: "It runs.", done: `Done: ${training.workdir}`, failed: "It failed." }[training.phase];
      parts.push(make("p", { text }), make("pre", { text: training.log.join("\n"), tabindex: 0 }));
    }
    this.show("More", ...parts);
  }

  async dataSet() {
    try {
      const { folder, photographs } = await post("api/export/data_set");
      toast(`${count(photographs, "photograph")} in ${folder}`);
      this.dialog.close();
    } catch (error) {
      failed(error);
    }
  }

  async sidecars() {
    try {
      const { written, failed: bad, errors } = await post("api/export/sidecars");
      toast(`${count(written, "sidecar")} written`, { more: bad ? `· ${bad} failed: ${errors[0]}` : "", bad: bad > 0 });
      this.dialog.close();
    } catch (error) {
      failed(error);
    }
  }

  async train() {
    try {
      await post("api/train");
      await this.more();
    } catch (error) {
      failed(error);
    }
  }

  choose() {
    const field = make("input", { type: "file", accept: "image/*" });
    field.addEventListener("change", () => field.files[0] && this.describe(field.files[0]));
    field.click();
  }

  async describe(file) {
    this.show(file.name, make("p", { text: "Looking …" }));
    try {
      const { caption, suggested, similar } = await send("api/describe", file);
      const address = URL.createObjectURL(file);
      this.dialog.addEventListener("close", () => URL.revokeObjectURL(address), { once: true });
      const words = make("ul", { class: "chips" });
      for (const [word] of suggested) words.append(make("li", { class: "chip", text: word }));
      const strip = make("div", { class: "strip" });
      similar.ids.forEach((id, place) =>
        strip.append(
          make(
            "button",
            { type: "button", "aria-label": "Open a similar photograph", onclick: () => this.open(id) },
            make("img", { src: `thumbnail/${id}/${similar.states[place]}`, alt: "" }),
          ),
        ),
      );
      this.show(
        file.name,
        make("img", { class: "dropped", src: address, alt: caption || file.name }),
        caption ? make("p", { text: caption }) : null ?? "",
        make("h3", { text: "Words" }),
        words,
        make("h3", { text: "Most like it in the library" }),
        strip,
      );
    } catch (error) {
      this.dialog.close();
      failed(error);
    }
  }

  open(id) {
    this.dialog.close();
    this.actions.open(id);
  }

  listenForDrops() {
    const zone = byId("drop");
    const hasFile = (event) => [...(event.dataTransfer?.types || [])].includes("Files");
    addEventListener("dragover", (event) => {
      if (!hasFile(event)) return;
      event.preventDefault();
      zone.hidden = false;
    });
    addEventListener("dragleave", (event) => {
      if (!event.relatedTarget) zone.hidden = true;
    });
    addEventListener("drop", (event) => {
      if (!hasFile(event)) return;
      event.preventDefault();
      zone.hidden = true;
      if (event.dataTransfer.files[0]) this.describe(event.dataTransfer.files[0]);
    });
  }
}
