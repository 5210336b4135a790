// The least width of a table's columns, in ems: beside a long address they would be one character wide otherwise.
const TABLE_EMS = 22, NARROWEST_COLUMN_EMS = 3, WIDEST_COLUMN_EMS = 8;

function widthInEms(text) { // ideographs are as wide as high, Latin letters some three fifths of that
  return [...text].reduce((sum, letter) => sum + (letter < "\u2e80" ? 0.6 : 1), 0);
}

function longestWordInEms(text) { // between ideographs a line may end
  return Math.max(0, ...(text.match(/[!-\u2e7f]+/g) ?? []).map(widthInEms));
}

class Evidence {
  constructor(root) {
    this.root = root;
    this.at = (name) => root.querySelector("." + name);
    this.onCite = (event) => this.cite(event.detail);
    this.widths = new ResizeObserver((entries) => { // what can be scrolled can be reached with the keyboard
      for (const { target } of entries) {
        if (target.scrollWidth > target.clientWidth) target.tabIndex = 0; else target.removeAttribute("tabindex");
      }
    });
    this.unfolded = new Set(); // the passages whose translation is open
    this.onKey = (event) => {
      if (event.detail.key === "passage") this.next(1);
      if (event.detail.key === "translate") this.unfold();
    };
    this.onEvidence = (event) => { // on its way before the page is drawn with it
      if (this.data) this.draw({ ...event.detail, words: this.data.words });
    };
    document.addEventListener("answerdesk:cite", this.onCite);
    document.addEventListener("answerdesk:key", this.onKey);
    document.addEventListener("answerdesk:evidence", this.onEvidence);
    const large = this.at("large");
    large.addEventListener("click", (event) => { // on the button, or beside the picture
      if (event.target === large || event.target === this.at("large button")) large.close();
    });
    this.at("cards").addEventListener("keydown", (event) => {
      if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
      event.preventDefault();
      this.next(event.key === "ArrowDown" ? 1 : -1);
    });
  }
  close() {
    document.removeEventListener("answerdesk:cite", this.onCite);
    document.removeEventListener("answerdesk:key", this.onKey);
    document.removeEventListener("answerdesk:evidence", this.onEvidence);
    this.widths.disconnect();
  }

  draw(data) {
    const told = window.answerdesk?.evidence;
    if (data.searching && told?.turn === data.turn) data = { ...told, words: data.words };
    const whole = JSON.stringify(data);
    if (whole === this.whole) return;
    this.whole = whole;
    const words = data.words;
    const closed = this.data && this.data.turn === data.turn
      ? new Set([...this.root.querySelectorAll(".card:not([open])")].map((card) => card.dataset.number)) : null;
    if (!closed) this.unfolded.clear();
    this.data = data;
    this.at("label").textContent = words.evidence;
    const count = data.passages.length;
    const counted = count === 1 ? words.evidence_one : words.evidence_count.replace("{count}", count);
    this.at("count").textContent = count ? counted : "";
    this.at("note").textContent = data.note;
    this.at("skeleton").hidden = !data.searching;
    const empty = this.at("empty");
    empty.hidden = data.searching || data.passages.length > 0;
    empty.textContent = data.turn ? words.none_found : words.empty_evidence;
    const narrow = window.matchMedia("(max-width: 900px)").matches;
    const cards = data.passages.map((passage, index) => {
      const card = this.card(passage);
      card.open = closed && closed.size < data.passages.length
        ? !closed.has(String(passage.number)) : !narrow || index < 3;
      return card;
    });
    replaceRows(this.at("cards"), cards, (card) => card.dataset.number);
    this.at("evidence").dataset.turn = data.turn;
    this.at("evidence").dataset.passages = data.passages.length;
  }

  card(passage) {
    const card = element("details", "card");
    card.dataset.number = passage.number;
    const summary = card.appendChild(element("summary"));
    summary.append(element("span", "number", String(passage.number)));
    const title = summary.appendChild(element("span", "title", passage.title));
    title.lang = passage.lang;
    if (passage.headings) title.append(" ", element("span", "headings", "› " + passage.headings));
    const meta = summary.appendChild(element("span", "meta"));
    for (const name of ["internal", "unconfirmed", "expired", "date", "cited"]) {
      if (passage[name]) meta.append(element("span", name, passage[name]));
    }
    for (const line of passage.conflicts) summary.append(element("span", "conflict", line));
    const text = card.appendChild(element("div", "passage"));
    text.lang = passage.lang;
    this.widths.observe(text);
    text.append(...passage.blocks.map((block) => this.block(block)));
    if (passage.figures?.length) card.append(this.figures(passage));
    if (passage.translation) card.append(this.translation(passage));
    return card;
  }

  figures(passage) { // pictures that stand in the passage; a click shows one larger
    const row = element("div", "figures");
    for (const figure of passage.figures) {
      const button = row.appendChild(element("button", "figure"));
      button.type = "button";
      button.setAttribute("aria-label", figure.enlarge);
      const picture = button.appendChild(this.picture(figure));
      picture.loading = "lazy";
      picture.addEventListener("error", () => { button.hidden = true; }); // its document is gone by now
      const line = button.appendChild(element("span", "name", figure.name));
      if (figure.place) line.lang = passage.lang;
      button.addEventListener("click", () => this.enlarge(passage, figure));
    }
    return row;
  }
  picture(figure) {
    const image = element("img");
    image.alt = "";
    image.width = figure.width;
    image.height = figure.height;
    image.src = figure.address;
    return image;
  }
  enlarge(passage, figure) {
    const large = this.at("large");
    this.at("large img")?.remove(); // none stands there while no picture is open
    const picture = this.picture(figure);
    picture.alt = figure.name;
    large.prepend(picture);
    const name = element("span", "name", figure.name);
    if (figure.place) name.lang = passage.lang;
    this.at("large p").replaceChildren(name, " ", element("span", "quiet", figure.place));
    this.at("large button").textContent = this.data.words.figure_close;
    large.setAttribute("aria-label", figure.name);
    large.showModal();
  }

  translation({ number, translation }) { // folded, and marked as what it is; the original above it stays
    const part = element("details", "translation");
    part.dataset.state = translation.state;
    part.open = this.unfolded.has(number);
    part.append(element("summary", "", translation.label));
    if (translation.text) {
      const text = part.appendChild(element("p", "text", translation.text));
      text.lang = document.documentElement.lang;
    }
    if (translation.note) part.append(element("p", "note", translation.note));
    const words = { running: translation.stop, failed: translation.again }[translation.state];
    if (words) {
      const button = part.appendChild(element("button", "button small", words));
      button.type = "button";
      button.addEventListener("click", () => this.translate(number, translation.state === "running"));
    }
    part.addEventListener("toggle", () => {
      if (part.open === this.unfolded.has(number)) return;
      if (part.open) this.unfolded.add(number); else this.unfolded.delete(number);
      if (part.open && translation.state === "none") this.translate(number, false);
    });
    return part;
  }
  translate(number, stop) {
    this.tell("translate", { turn: this.data.turn, number, stop, token: `${Date.now()} ${Math.random()}` });
  }
  unfold() { // the translation of the passage that has the focus
    const card = (this.root.activeElement ?? null)?.closest(".card");
    const part = card?.querySelector(".translation");
    if (!part) return;
    card.open = true;
    part.open = true;
    part.scrollIntoView({ block: "nearest" });
  }

  block(block) {
    if (block.kind !== "table") {
      const node = element({ heading: "h3", code: "pre" }[block.kind] ?? "p", block.kind);
      if (block.marker) node.append(element("span", "marker", block.marker));
      return this.fill(node, block.rows[0][0]);
    }
    const table = element("table");
    block.rows.forEach((row, index) => {
      const line = table.appendChild(element("tr"));
      line.append(...row.map((cell) => this.fill(element(block.head && !index ? "th" : "td"), cell)));
    });
    for (const row of table.rows) {
      const share = Math.max(NARROWEST_COLUMN_EMS, Math.min(WIDEST_COLUMN_EMS, TABLE_EMS / row.cells.length));
      for (const cell of row.cells) {
        const word = Math.min(WIDEST_COLUMN_EMS, longestWordInEms(cell.textContent));
        const ems = Math.min(widthInEms(cell.textContent), Math.max(share, word));
        cell.style.minWidth = `calc(${ems}em + 1rem)`; // with the space at its sides
      }
    }
    return table;
  }

  fill(node, runs) {
    for (const [text, focus, sentences, isUnconfirmed] of runs) {
      const names = [focus && "focus", isUnconfirmed && "new"].filter(Boolean).join(" ");
      const run = node.appendChild(element(sentences.length ? "mark" : "span", names));
      const pieces = node.tagName === "PRE" ? [text] : text.split(/`([^`\n]+)`/); // every second one is code
      run.append(...pieces.map((piece, place) => (place % 2 ? element("code", "", piece) : piece)));
      if (sentences.length) run.dataset.sentences = sentences.join(" ");
    }
    return node;
  }

  cite({ turn, number, sentence }) {
    if (!this.data || turn !== this.data.turn) return;
    const card = this.root.querySelector(`.card[data-number="${number}"]`);
    if (!card) return;
    for (const old of this.root.querySelectorAll(".active")) old.classList.remove("active");
    card.open = true;
    card.classList.add("active");
    const marks = [...card.querySelectorAll("mark")].filter(
      (mark) => mark.dataset.sentences.split(" ").includes(String(sentence)));
    for (const mark of marks) mark.classList.add("active");
    this.show(marks[0] ?? card, card);
  }

  next(step) {
    const summaries = [...this.root.querySelectorAll(".card > summary")];
    if (!summaries.length) return;
    const at = summaries.indexOf(this.root.activeElement ?? null);
    const card = summaries[(at + step + summaries.length) % summaries.length].parentElement;
    card.open = true;
    this.show(card, card);
  }

  show(node, card) {
    const calm = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
    card.querySelector("summary").focus({ preventScroll: true });
    node.scrollIntoView({ block: "nearest", behavior: calm ? "auto" : "smooth" });
  }
}

export default mounting(Evidence);
