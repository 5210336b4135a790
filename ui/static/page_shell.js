const ATTRIBUTES = ["aria-label", "title", "placeholder"];
const KEYS = { KeyV: "passage", KeyW: "reply", KeyP: "copy", KeyI: "sources", KeyH: "handoff",
  KeyT: "tone", KeyJ: "shorter", KeyO: "longer", KeyX: "translate", KeyZ: "undo" };

const QUESTION = "answerdesk:question"; // where what is typed is kept until it is asked

function questionBox() {
  return document.querySelector(".st-key-question textarea");
}

const MESSAGES = '.st-key-page :is([data-testid="stAlertContainer"], [data-testid="stHeading"])';
const SETTLES_MS = 60; // what a run has brought is drawn a moment after it has ended

// An action may take away the control that has the focus, or switch it off: then the focus would fall to the page's
// beginning. It goes to the same control where that is there again, else to the first message or heading that the
// action brought, else to the half of the page that the control was in. The desk leads it to its question box.
class FocusKeeper {
  constructor(app) {
    this.app = app;
    this.before = new Map();
    this.onFocus = (event) => this.remember(event.target);
    this.onAction = () => { this.before = new Map(this.messages().map((one) => [one, one.textContent])); };
    this.onPress = ({ target }) => { if (!target.closest("button, a, label, input, textarea")) this.last = undefined; };
    document.addEventListener("focusin", this.onFocus);
    document.addEventListener("pointerdown", this.onPress, true);
    for (const kind of ["click", "keydown"]) document.addEventListener(kind, this.onAction, true);
    this.runs = new MutationObserver(() => this.look());
    this.runs.observe(app, { attributes: true, attributeFilter: ["data-test-script-state"] });
  }
  close() {
    document.removeEventListener("focusin", this.onFocus);
    document.removeEventListener("pointerdown", this.onPress, true);
    for (const kind of ["click", "keydown"]) document.removeEventListener(kind, this.onAction, true);
    this.runs.disconnect();
    clearTimeout(this.timer);
  }

  messages() { return [...document.querySelectorAll(MESSAGES)]; }
  remember(target) {
    const isOnPage = target.closest(".st-key-page") !== null;
    this.last = isOnPage ? target : undefined;
    this.control = this.nameOf(target);
    this.place = this.control ? this.alike(target).indexOf(target) : -1;
    this.half = [".st-key-left", ".st-key-right"].find((half) => target.closest(half)) ?? ".st-key-page";
  }
  nameOf(node) { // some boxes get a new number in their name each time
    const name = /\bst-key-\S+/.exec(node.closest(".stElementContainer")?.className ?? "")?.[0] ?? "";
    return name.replace(/[-_]\d+$/, "");
  }
  alike(node) { return [...node.closest(".stElementContainer").querySelectorAll(node.tagName)]; }
  isLost() {
    const { last } = this;
    if (!last || questionBox() || ![document.body, last].includes(document.activeElement)) return false;
    return !last.isConnected || last.matches(":disabled");
  }
  isAtRest() { return this.app.dataset.testScriptState === "notRunning"; }
  look() {
    if (!this.isLost() || !this.isAtRest()) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => { if (this.isLost() && this.isAtRest()) this.mend(); }, SETTLES_MS);
  }
  mend() {
    const again = this.control && [...document.querySelectorAll(`.st-key-page ${this.last.tagName}:enabled`)]
      .find((one) => this.nameOf(one) === this.control && this.alike(one).indexOf(one) === this.place);
    const place = again || this.messages().find((one) => this.before.get(one) !== one.textContent)
      || document.querySelector(this.half);
    if (!place) return;
    if (!again) place.tabIndex = -1;
    place.focus();
  }
}

class Shell {
  constructor(root) {
    this.root = root;
    this.at = (name) => root.querySelector("." + name);
    this.onSay = (event) => this.say(event.detail);
    this.onKey = (event) => this.key(event);
    document.addEventListener("answerdesk:say", this.onSay);
    document.addEventListener("keydown", this.onKey, true);
    this.onInput = (event) => this.keepQuestion(event.target);
    this.onSent = () => setTimeout(() => this.forgetAsked()); // once Streamlit has heard of the key or the click, too
    document.addEventListener("input", this.onInput);
    document.addEventListener("keydown", this.onSent);
    document.addEventListener("click", this.onSent);
    this.onStorage = (event) => { if (event.key === SIGNED_OUT) forgetDrafts(); }; // in another tab
    window.addEventListener("storage", this.onStorage);
    this.at("skip").addEventListener("click", (event) => { event.preventDefault(); questionBox()?.focus(); });
    this.app = document.querySelector('[data-testid="stApp"]');
    this.keeper = new FocusKeeper(this.app);
    this.connection = new MutationObserver(() => this.watchConnection());
    this.connection.observe(this.app, { attributes: true, attributeFilter: ["data-test-connection-state"] });
    this.foreign = new MutationObserver((changes) => this.translateChanges(changes));
    this.foreign.observe(document.body,
      { subtree: true, childList: true, characterData: true, attributes: true, attributeFilter: ATTRIBUTES });
  }
  close() {
    document.removeEventListener("answerdesk:say", this.onSay);
    document.removeEventListener("keydown", this.onKey, true);
    document.removeEventListener("input", this.onInput);
    document.removeEventListener("keydown", this.onSent);
    document.removeEventListener("click", this.onSent);
    window.removeEventListener("storage", this.onStorage);
    this.keeper.close();
    this.connection.disconnect();
    this.foreign.disconnect();
  }

  draw(data) {
    const whole = JSON.stringify(data);
    if (whole === this.whole) return;
    this.whole = whole;
    if (data.person && (sessionStorage.getItem("answerdesk:person") ?? data.person) !== data.person) forgetDrafts();
    if (data.person) sessionStorage.setItem("answerdesk:person", data.person);
    if (data.chosen) localStorage.setItem("answerdesk:language", data.lang);
    else if (!this.data && (localStorage.getItem("answerdesk:language") ?? data.lang) !== data.lang) {
      this.otherLanguage();
    }
    const languageMoved = !this.data || this.data.lang !== data.lang;
    const focusMoved = !this.data || this.data.focus !== data.focus;
    this.data = data;
    document.documentElement.lang = data.lang;
    this.at("skip").textContent = data.skip;
    this.root.querySelector("h1").textContent = data.product;
    this.at("facts").replaceChildren(...data.facts.map((fact) => {
      const node = element("span", fact.tone === "bad" ? "bad" : "");
      if (fact.tone) node.append(element("span", "dot " + fact.tone));
      node.append(fact.text);
      if (fact.title) node.title = fact.title;
      return node;
    }));
    this.at("stand-in").hidden = !data.stand_in;
    this.at("stand-in").textContent = data.stand_in;
    this.root.querySelector(".keys summary").textContent = data.keys;
    this.root.querySelector(".keys tbody").replaceChildren(...data.key_list.map(([key, words]) => {
      const row = element("tr");
      row.append(element("td", "", key), element("td", "", words));
      return row;
    }));
    this.at("lost").textContent = data.connection_lost;
    if (languageMoved) {
      for (const heard of this.root.querySelectorAll(".heard")) heard.textContent = "";
      this.words = new Map(data.lang === "en" ? data.streamlit_words.map(([e, c]) => [c, e]) : data.streamlit_words);
      this.beginnings = [...this.words.keys()].filter((known) => known.endsWith(" "));
      this.endings = [...this.words.keys()].filter((known) => known.startsWith(" "));
      this.translate(document.body);
    }
    this.bringQuestion();
    if (focusMoved) this.focusSoon();
  }

  // Another page takes the box away, and a reload its words: so they are kept in this tab, as replies are.
  keepQuestion(field) {
    if (field !== questionBox()) return;
    if (field.value) sessionStorage.setItem(QUESTION, field.value);
    else sessionStorage.removeItem(QUESTION);
  }
  bringQuestion() { // into a box that is new and empty
    const box = questionBox();
    if (!box || box === this.box) return;
    this.box = box;
    const kept = sessionStorage.getItem(QUESTION);
    if (kept && !box.value) typeInto(box, kept);
  }
  forgetAsked() { // Streamlit empties the box when it sends a question
    if (this.box?.isConnected && !this.box.value) sessionStorage.removeItem(QUESTION);
  }

  focusSoon() { // the box may be drawn after this part; then the observer of the page's changes comes here again
    const box = questionBox();
    this.wantsFocus = !box;
    const writesElsewhere = document.activeElement?.matches(":read-write"); // nobody's words end up in another field
    if (box && !writesElsewhere) box.focus({ preventScroll: true });
  }

  say({ text, urgent }) {
    const region = this.root.querySelector(urgent ? '[role="alert"]' : '[role="status"]');
    region.textContent = text;
  }

  key(event) {
    if (!event.altKey || event.ctrlKey || event.metaKey || event.shiftKey || event.isComposing) return;
    let known = true;
    if (event.code === "KeyQ") questionBox()?.focus();
    else if (event.code === "KeyL") this.at("keys").open = !this.at("keys").open;
    else if (event.code === "KeyY") this.otherLanguage();
    else if (event.code in KEYS) {
      document.dispatchEvent(new CustomEvent("answerdesk:key", { detail: { key: KEYS[event.code] } }));
    } else known = false;
    if (known) event.preventDefault();
  }

  otherLanguage() { // its buttons, too, may be drawn after this part
    const buttons = [...document.querySelectorAll(".st-key-language button")];
    this.wantsOtherLanguage = buttons.length === 0;
    buttons.find((button) => button.getAttribute("aria-checked") !== "true")?.click();
  }

  watchConnection() {
    const state = this.app.getAttribute("data-test-connection-state");
    const lost = state !== "CONNECTED";
    this.at("lost").hidden = !lost;
    this.say({ text: lost ? this.data.connection_lost : "", urgent: true });
    document.documentElement.dataset.answerdeskConnection = lost ? "lost" : "open";
  }

  // Streamlit's own words: exact matches outside of our parts (they are in shadow roots, where this does not look)
  translateChanges(changes) {
    if (this.data) this.bringQuestion();
    if (this.wantsFocus) this.focusSoon();
    this.keeper.look();
    if (this.wantsOtherLanguage) this.otherLanguage();
    for (const change of changes) {
      if (change.type === "attributes") this.translateAttribute(change.target, change.attributeName);
      else if (change.type === "characterData") this.translateText(change.target);
      else for (const node of change.addedNodes) this.translate(node);
    }
  }
  translate(node) {
    if (node.nodeType === Node.TEXT_NODE) { this.translateText(node); return; }
    if (node.nodeType !== Node.ELEMENT_NODE) return;
    const walker = document.createTreeWalker(node, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT);
    for (let at = node; at; at = walker.nextNode()) {
      if (at.nodeType === Node.TEXT_NODE) { this.translateText(at); continue; }
      for (const name of ATTRIBUTES) this.translateAttribute(at, name);
      // a sparkline's marks have no names; its figure stands beside it in words
      if (at.getAttribute("data-testid") === "stMetricChart") at.setAttribute("aria-hidden", "true");
    }
  }
  translateText(node) {
    const other = this.words.get(node.data) ?? this.otherCount(node.data) ?? this.otherEnd(node.data);
    const within = node.parentElement?.tagName;
    if (other !== undefined && !["SCRIPT", "STYLE", "TEXTAREA"].includes(within)) node.data = other;
  }
  otherCount(text) {
    const number = /\d+/.exec(text)?.[0];
    return number === undefined ? undefined : this.words.get(text.replace(number, "#"))?.replace("#", number);
  }
  otherEnd(text) {
    return this.words.get(this.endings.find((known) => text.endsWith(known)));
  }
  otherWords(text) {
    const exact = this.words.get(text);
    if (exact !== undefined) return exact;
    const first = this.beginnings.find((known) => text.startsWith(known));
    return first === undefined ? undefined : this.words.get(first) + text.slice(first.length);
  }
  translateAttribute(node, name) {
    const other = this.otherWords(node.getAttribute(name) ?? "");
    if (other !== undefined) node.setAttribute(name, other);
  }
}

export default mounting(Shell);
