function byCommand(text) { // works without a secure context
  const area = document.createElement("textarea");
  area.value = text;
  area.style.cssText = "position:fixed;top:0;left:0;opacity:0";
  const before = document.activeElement;
  document.body.append(area);
  area.select();
  let done = false;
  try { done = document.execCommand("copy"); } finally { area.remove(); }
  if (before && before.focus) before.focus();
  return done;
}
async function copied(text) {
  if (navigator.clipboard && window.isSecureContext) {
    try { await navigator.clipboard.writeText(text); return true; } catch (refused) { /* the other way is next */ }
  }
  return byCommand(text);
}

const WISHES = ["friendlier", "formal", "shorter", "longer", "translate"];

function isInEvidence() { // then a key that translates means the passage there
  return Boolean(document.activeElement?.shadowRoot?.querySelector(".evidence"));
}

class Editor {
  constructor(root) {
    this.root = root;
    this.at = (name) => root.querySelector("." + name);
    this.area = root.querySelector("textarea");
    this.area.addEventListener("input", () => this.keep());
    this.at("copy").addEventListener("click", () => this.copy(false));
    this.at("with-sources").addEventListener("click", () => this.copy(true));
    this.at("restore").addEventListener("click", () => this.put(this.data.text));
    for (const wish of WISHES) this.at(wish).addEventListener("click", () => this.rewrite(wish));
    this.at("tone").addEventListener("click", () => this.showTones(this.at("tones").hidden));
    this.at("undo").addEventListener("click", () => this.undo());
    this.onKey = (event) => this.key(event.detail.key);
    this.onRemove = (event) => this.remove(event.detail);
    this.onUse = (event) => this.use(event.detail);
    document.addEventListener("answerdesk:key", this.onKey);
    document.addEventListener("answerdesk:remove", this.onRemove);
    document.addEventListener("answerdesk:use", this.onUse);
  }
  close() {
    document.removeEventListener("answerdesk:key", this.onKey);
    document.removeEventListener("answerdesk:remove", this.onRemove);
    document.removeEventListener("answerdesk:use", this.onUse);
  }

  draw(data) {
    const same = this.data && this.data.turn === data.turn && this.data.mode === data.mode;
    const untouched = same && this.area.value === this.data.text;
    this.data = data;
    const words = data.words;
    const reply = data.mode === "reply";
    this.at("label").textContent = data.heading;
    this.area.setAttribute("aria-label", reply ? words.reply_label : words.handoff_label);
    this.area.lang = data.lang;
    this.at("copy").querySelector("span").textContent = reply ? words.copy : words.handoff_copy;
    this.at("copy").querySelector("kbd").textContent = reply ? "Alt+P" : "Alt+H";
    this.at("with-sources").querySelector("span").textContent = words.copy_with_sources;
    this.at("with-sources").querySelector("kbd").textContent = "Alt+I";
    this.at("restore").textContent = words.restore;
    if (!same) this.say("", true);
    if (!same || untouched) this.put(this.kept() ?? data.text);
    else this.showSources();
    this.at("editor").dataset.turn = data.turn;
    this.at("editor").hidden = !data.text && !this.area.value; // nothing to send yet
    this.drawWishes(data.rewriting, same);
  }

  drawWishes(rewriting, same) {
    this.at("wishes").hidden = this.data.mode !== "reply";
    this.busy = rewriting.busy;
    const label = (name, [words, key]) => {
      this.at(name).querySelector("span").textContent = words;
      this.at(name).querySelector("kbd").textContent = key;
    };
    label("tone", rewriting.tone);
    label("undo", rewriting.undo);
    for (const wish of WISHES) {
      label(wish, rewriting.wishes[wish]);
      this.at(wish).setAttribute("aria-disabled", String(this.busy));
    }
    if (!same || rewriting.done) this.showTones(false);
    this.showTranslate();
    this.takeIn(rewriting.done);
    const [job, words] = rewriting.ended;
    if (words && this.heard !== job + words) {
      document.dispatchEvent(new CustomEvent("answerdesk:say", { detail: { text: words, urgent: false } }));
    }
    this.heard = job + words;
    this.at("undo").hidden = !this.before().length;
  }
  showTones(open) {
    if (!open && this.at("tones").contains(this.root.activeElement ?? null)) this.at("tone").focus();
    this.at("tones").hidden = !open;
    this.at("tone").setAttribute("aria-expanded", String(open));
  }
  showTranslate() { // only where there is something to translate
    const target = this.data.rewriting?.target;
    const ideographs = this.area.value.match(/[\u4e00-\u9fff]/g)?.length ?? 0;
    const words = this.area.value.match(/[A-Za-z]{2,}/g)?.length ?? 0;
    this.at("translate").hidden = target === "zh" ? ideographs > words : ideographs <= words;
  }
  rewrite(wish) { // of the text as it stands, not of the answer
    if (this.busy || !this.data.rewriting || this.data.mode !== "reply") return;
    this.busy = true; // until the page is drawn anew
    this.say("", true);
    const token = `${Date.now()} ${Math.random()}`; // this click's own; crypto.randomUUID needs a secure context
    this.tell("rewrite", { turn: this.data.turn, wish, text: this.area.value, token });
  }
  takeIn(done) {
    if (!done || sessionStorage.getItem(this.place() + ":taken") === done.job) return;
    sessionStorage.setItem(this.place() + ":taken", done.job);
    if (this.area.value.trim() !== done.before) {
      this.say(this.data.words.rewritten_meanwhile, false);
      return;
    }
    sessionStorage.setItem(this.place() + ":before", JSON.stringify([...this.before(), this.area.value]));
    this.put(done.text);
    this.say(this.data.words.rewritten, true);
  }
  before() { // the texts before each rewriting, oldest first
    return JSON.parse(sessionStorage.getItem(this.place() + ":before") ?? "[]");
  }
  undo() {
    const before = this.before();
    if (!before.length) return;
    this.put(before.pop());
    sessionStorage.setItem(this.place() + ":before", JSON.stringify(before));
    this.at("undo").hidden = !before.length;
    this.say("", true);
    this.area.focus();
  }

  place() { return `answerdesk:${this.data.mode}:${this.data.turn}`; }
  kept() { return this.data.mode === "reply" ? sessionStorage.getItem(this.place()) : null; }
  put(text) { this.area.value = text; this.keep(); }
  keep() {
    this.showTranslate();
    this.showSources();
    const changed = this.area.value !== this.data.text;
    this.at("restore").hidden = !changed;
    if (this.data.mode !== "reply") return;
    if (changed) sessionStorage.setItem(this.place(), this.area.value);
    else sessionStorage.removeItem(this.place());
  }

  showSources() { // of the text as it stands: whether it has any, and what of it nobody has confirmed
    this.at("with-sources").hidden = !this.sources();
    const found = new Set((this.data.unconfirmed ?? []).filter((words) => this.area.value.includes(words)));
    const note = this.at("unconfirmed");
    const said = found.size ? `\u26A0\uFE0E ${this.data.words.unconfirmed}` : "";
    const shown = [said, ...found].join("\n");
    note.hidden = !said;
    if (note.dataset.shown === shown) return; // or it is read aloud again
    note.dataset.shown = shown;
    note.replaceChildren(said);
    for (const words of found) {
      const line = note.appendChild(document.createElement("span"));
      line.lang = this.data.lang;
      line.textContent = words;
    }
  }
  sources() { // those of the answer, and each other document of which the text has a line
    const { sources, sources_heading: heading, more_sources: more } = this.data;
    const used = (more ?? []).filter(([lines]) => lines.some((line) => this.area.value.includes(line)));
    if (!used.length) return sources;
    return [...new Set([...(sources || heading).split("\n"), ...used.map(([, source]) => source)])].join("\n");
  }

  async copy(withSources) {
    this.say("", true); // what is said twice is heard twice
    const text = this.area.value + (withSources && this.sources() ? "\n\n" + this.sources() : "");
    if (await copied(text)) {
      this.say(this.data.words.copied, true);
      this.left();
    } else {
      this.area.focus();
      this.area.select();
      this.say(this.data.words.copy_failed, false);
    }
  }
  left() { // tell what became of the answer: handed over, or how much of it the agent wrote anew
    const [before, after] = [this.data.text, this.area.value];
    const most = Math.max(before.length, after.length);
    let same = 0;
    while (same < most && before[same] === after[same]) same++;
    let tail = 0;
    const room = Math.min(before.length, after.length) - same;
    while (tail < room && before[before.length - 1 - tail] === after[after.length - 1 - tail]) tail++;
    const changed = before === after ? 0 : Math.min(1, Math.max(1 - (same + tail) / most, 1 / most));
    this.tell("left", { turn: this.data.turn, mode: this.data.mode, changed });
  }
  say(text, done) {
    const said = this.at("said");
    said.textContent = text;
    said.classList.toggle("failed", !done);
  }

  key(key) {
    if (key === "reply") this.area.focus();
    if (key === "copy" && this.data.mode === "reply") this.copy(false);
    if (key === "sources" && this.sources()) this.copy(true);
    if (WISHES.includes(key) && !isInEvidence()) this.rewrite(key);
    if (key === "undo" && this.data.mode === "reply") this.undo();
    if (key === "tone" && !this.at("wishes").hidden) {
      this.showTones(true);
      this.at("friendlier").focus();
    }
    if (key === "handoff" && this.data.mode === "handoff") this.copy(false);
  }
  use({ turn, text }) { // beside what the agent wrote; in place of an answer that was only put there
    if (turn !== this.data.turn || this.data.mode !== "reply") return;
    const written = this.area.value === this.data.text ? "" : this.area.value.trimEnd();
    if (!written.includes(text)) this.put(written ? written + "\n\n" + text : text);
    this.at("editor").hidden = false;
    this.area.focus();
  }
  remove({ turn, text }) {
    if (turn !== this.data.turn || !this.area.value.includes(text)) return;
    this.put(this.area.value.replace(text, "").replace(/[ \t]{2,}/g, " ").replace(/\n{3,}/g, "\n\n").trim());
  }
}

export default mounting(Editor);
