const STAGES = { searching: "search", queued: "wait", reading: "prompt", thinking: "thinking", answering: "answer" };
const WARNING = "\u26A0\uFE0E ";

function fill(text, values) {
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}
function duration(ms, words) {
  if (ms < 100) return fill(words.milliseconds, { count: ms.toFixed(0) });
  return fill(words.seconds, { seconds: (ms / 1000).toFixed(ms < 1000 ? 2 : ms < 10000 ? 1 : 0) });
}
function tell(name, detail) {
  document.dispatchEvent(new CustomEvent("answerdesk:" + name, { detail }));
}
// Marks for bold and code are left out while the text grows; a single star at the end may become one, so it waits.
function readable(text) {
  return text.replace(/\*\*|`/g, "").replace(/\*$/, "");
}

class View {
  constructor(root) {
    this.root = root;
    this.at = (name) => root.querySelector("." + name);
    this.onFeed = (event) => this.feed(event.detail);
    document.addEventListener("answerdesk:feed", this.onFeed);
    this.timer = setInterval(() => this.tick(), 250);
    this.sizes = new ResizeObserver(() => this.data && this.markCut()); // a narrower window cuts what had room
    this.sizes.observe(this.at("question"));
  }
  close() {
    document.removeEventListener("answerdesk:feed", this.onFeed);
    clearInterval(this.timer);
    this.sizes.disconnect();
  }

  draw(data) {
    const sameTurn = this.data && this.data.feed.turn === data.feed.turn;
    this.data = data;
    this.words = data.words;
    if (!sameTurn) {
      this.state = null;
      this.seen = null;
      this.live = null;
      this.at("thought").open = false;
      this.allShown = false;
      this.questionShown = false;
    }
    this.at("view").setAttribute("aria-label", this.words.answer);
    this.at("clock").textContent = data.asked_at;
    this.showQuestion();
    this.showBest(data.best, data.feed.turn);
    this.foldBest();
    const held = window.answerdesk && window.answerdesk.feed;
    const newer = held && held.turn === data.feed.turn && held.version > data.feed.version && !data.feed.final;
    this.redraw = true;
    this.feed(newer ? held : data.feed);
  }

  feed(feed) {
    if (!this.data || feed.turn !== this.data.feed.turn) return;
    const old = this.seen;
    if (!this.redraw && old && feed.version <= old.version) return;
    if (feed.final && !this.data.feed.final) return; // the page's own redraw brings the finished answer
    this.redraw = false;
    this.seen = feed;
    const moved = this.state !== feed.state;
    if (moved) {
      this.began = performance.now() - feed.stage_ms;
      if (this.data.fresh || this.state !== null) this.say(feed);
      this.state = feed.state;
    }
    this.showStatus(feed);
    this.showThought(feed);
    this.showText(feed);
    this.showEnd(feed);
    const view = this.at("view");
    view.dataset.turn = feed.turn;
    view.dataset.turnState = feed.state;
    view.dataset.turnVersion = feed.version;
  }

  showQuestion() { // a mail without its empty lines; what does not fit can be scrolled, also by the keyboard
    const question = this.at("question"), whole = this.at("whole");
    question.textContent = this.data.question.replace(/\n\s*\n/g, "\n");
    question.lang = this.data.question_lang;
    question.classList.toggle("unfolded", this.questionShown);
    whole.textContent = this.words.show_all;
    whole.setAttribute("aria-label", this.words.show_question);
    whole.onclick = () => {
      this.questionShown = true;
      this.showQuestion();
      question.focus();
    };
    this.markCut();
  }
  markCut() {
    const question = this.at("question");
    const cut = question.scrollHeight > question.clientHeight + 1;
    question.classList.toggle("cut", cut);
    if (cut || this.questionShown) question.tabIndex = 0;
    else question.removeAttribute("tabindex");
    this.at("whole").hidden = !cut;
  }

  showBest(best, turn) {
    this.at("best").hidden = !best;
    if (!best) return;
    this.at("best-label").textContent = this.words.best_match;
    this.at("best-text").replaceChildren(...best.excerpts.map((excerpt) => this.excerpt(excerpt, turn)));
    this.at("use").hidden = !best.usable; // beside a handoff note there is no reply to put it into
    this.at("use").textContent = this.words.use_this;
    this.at("use").onclick = () => { // and show what is taken
      this.allShown = true;
      this.foldBest();
      tell("use", { turn, text: best.text });
    };
    this.at("all").textContent = this.words.show_all;
    this.at("all").onclick = () => {
      this.allShown = true;
      this.foldBest();
      this.at("best-text").focus();
    };
  }

  // The answer has the room once it is there, unless the two are to be compared.
  foldBest() {
    const { best, feed } = this.data;
    const box = this.at("best"), text = this.at("best-text");
    box.classList.toggle("beside", feed.final && !!best && best.usable && !best.compared && !this.allShown);
    const cut = box.classList.contains("beside") && text.scrollHeight > text.clientHeight + 1;
    box.classList.toggle("cut", cut);
    this.at("all").hidden = !cut;
  }

  excerpt({ number, passage, text, lang, unconfirmed }, turn) {
    const line = element("p", "excerpt");
    line.append(element("span", "", text));
    line.lang = lang;
    const origin = line.appendChild(element("button", "origin", String(number)));
    origin.type = "button";
    origin.title = passage;
    origin.setAttribute("aria-label", passage);
    origin.onclick = () => tell("cite", { turn, number, sentence: null });
    if (unconfirmed) line.append(this.flag(this.words.unconfirmed));
    return line;
  }

  say(feed) {
    if (feed.state === "queued") return;
    const words = feed.final ? this.data.said : this.words[feed.state];
    tell("say", { text: words, urgent: feed.state === "failed" });
  }

  showStatus(feed) {
    const status = this.at("status");
    status.replaceChildren();
    status.setAttribute("aria-label", this.words.times);
    status.setAttribute("role", feed.final ? "group" : "status");
    status.classList.toggle("none", feed.final && !this.data.times.length);
    if (feed.final) {
      for (const [name, label, time] of this.data.times) {
        status.append(element("span", name === "total" ? "total" : "", label + " " + time));
      }
      this.now = null;
      return;
    }
    for (const [name, ms] of feed.stages) {
      const label = name === "search" && feed.found
        ? this.passages(feed.found) : this.words["stage_" + name];
      status.append(element("span", "", label + " " + duration(ms, this.words)));
    }
    this.now = status.appendChild(element("span", "now"));
    this.tick();
  }

  passages(count) {
    return count === 1 ? this.words.evidence_one : fill(this.words.evidence_count, { count });
  }

  tick() {
    if (!this.now || !this.seen || this.seen.final) return;
    const feed = this.seen;
    const since = performance.now() - this.began;
    let text = this.words[feed.state];
    if (feed.state === "queued") {
      text = this.place(feed);
    } else if (since >= 300) {
      const tenths = since < 10000 ? 1 : 0;
      text += " " + fill(this.words.seconds, { seconds: (since / 1000).toFixed(tenths) });
    }
    if (this.now.textContent !== text) this.now.textContent = text;
  }

  place(feed) { // changes at most every two seconds, so that it can be read
    const now = performance.now();
    if (this.placeText && this.placeAhead === feed.ahead && now - this.placeAt < 2000) return this.placeText;
    if (this.placeAhead !== feed.ahead) tell("say", { text: fill(this.words.queued_unknown, { ahead: feed.ahead }) });
    this.placeAt = now;
    this.placeAhead = feed.ahead;
    const wait = feed.wait;
    this.placeText = wait === null
      ? fill(this.words.queued_unknown, { ahead: feed.ahead })
      : fill(this.words.queued, { ahead: feed.ahead, from: Math.floor(wait * 0.8), to: Math.ceil(wait * 1.3) + 1 });
    return this.placeText;
  }

  showThought(feed) {
    const thought = this.at("thought");
    thought.hidden = feed.thinking === "";
    const spent = (feed.final ? this.data.times : feed.stages).find((stage) => stage[0] === "thinking");
    const time = spent && (feed.final ? spent[2] : duration(spent[1], this.words));
    const summary = thought.querySelector("summary");
    const label = this.words.thought + (time ? " · " + time : "");
    if (summary.textContent !== label) summary.textContent = label;
    const text = this.at("thought-text");
    text.lang = feed.lang;
    this.append(text, feed.thinking);
  }

  showText(feed) {
    const answer = this.at("answer");
    answer.lang = feed.lang;
    const waiting = !feed.final && feed.text === "";
    this.at("skeleton").hidden = !(waiting && feed.state === "searching");
    this.at("meanwhile").hidden = !(waiting && feed.found && feed.thinking === "");
    this.at("meanwhile").textContent = this.words.read_meanwhile;
    if (feed.final) {
      if (this.live !== "final:" + feed.turn + this.words.no_support) this.blocks(answer);
      this.live = "final:" + feed.turn + this.words.no_support;
      return;
    }
    if (this.live !== "live") answer.replaceChildren();
    this.live = "live";
    answer.classList.add("live");
    this.append(answer, readable(feed.text));
  }

  append(node, text) {
    let tail = node.firstChild;
    if (!tail || tail.nodeType !== Node.TEXT_NODE || !text.startsWith(tail.data)) {
      node.replaceChildren(document.createTextNode(text));
    } else if (text.length > tail.data.length) {
      tail.appendData(text.slice(tail.data.length));
    }
  }

  showEnd(feed) {
    const verdict = this.at("verdict");
    const notice = this.at("notice");
    const foot = this.at("foot");
    verdict.hidden = !this.data.verdict;
    if (this.data.verdict) {
      verdict.className = "verdict " + this.data.verdict.kind;
      verdict.textContent = this.data.verdict.words;
    }
    notice.hidden = !this.data.notice;
    if (this.data.notice) {
      notice.className = "notice " + this.data.notice.kind;
      notice.textContent = this.data.notice.words;
    }
    const note = this.at("language-note");
    note.hidden = !feed.final || !this.data.language_note;
    note.textContent = this.data.language_note || "";
    foot.hidden = !feed.final || !this.data.made_by;
    foot.replaceChildren(this.data.made_by);
    if (this.data.stand_in) foot.append(" · ", element("span", "stand-in", this.data.stand_in));
  }

  blocks(answer) {
    answer.classList.remove("live");
    answer.replaceChildren();
    const last = new Map(); // sentence -> the node after which its citations stand
    for (const block of this.data.blocks) {
      const outer = element(block.kind === "code" ? "pre" : block.kind);
      if (block.kind === "ol") outer.start = block.first;
      if (block.language) outer.dataset.language = block.language;
      outer.classList.toggle("quoted", Boolean(block.quoted));
      block.items.forEach((item, index) => {
        const holder = block.kind === "ul" || block.kind === "ol" ? outer.appendChild(element("li")) : outer;
        if (index && holder === outer) outer.append("\n", ...(block.kind === "p" ? [element("br")] : []));
        for (const run of item) {
          let node = document.createTextNode(run.t);
          if (run.b) { const bold = element("strong"); bold.append(node); node = bold; }
          if (run.c) { const code = element("code"); code.append(node); node = code; }
          if (run.s !== undefined) {
            const span = element("span", this.data.sentences[run.s].unsupported ? "unsupported" : "cited");
            span.dataset.sentence = run.s;
            span.append(node);
            node = span;
            last.set(run.s, span);
          }
          holder.append(node);
        }
      });
      answer.append(outer);
    }
    if (this.data.quotation) {
      const remove = element("button", "", this.words.remove);
      remove.type = "button";
      remove.addEventListener("click", () => tell("remove", { turn: this.data.feed.turn, text: this.data.quotation }));
      const line = element("p", "of-quotation");
      line.lang = this.pageLanguage();
      line.append(remove);
      [...answer.querySelectorAll(":scope > .quoted")].at(-1)?.after(line);
    }
    for (const [index, node] of last) node.after(...this.after(this.data.sentences[index], index));
  }

  after(sentence, index) {
    const turn = this.data.feed.turn;
    const nodes = sentence.cites.map(([number, passage, doubt, heading]) => {
      const button = element("button", doubt ? "cite doubtful" : "cite", (doubt ? WARNING : "") + number);
      if (heading) button.append(element("span", "under", heading)); // what the sentence says may hold there only
      const title = [passage, heading, doubt].filter(Boolean).join(" · ");
      button.type = "button";
      button.title = title;
      button.setAttribute("aria-label", title);
      button.addEventListener("click", () => tell("cite", { turn, number, sentence: index }));
      return button;
    });
    for (const condition of sentence.conditions) {
      const flag = this.flag(condition);
      flag.classList.add("condition");
      nodes.push(flag);
    }
    if (sentence.unsupported) {
      const flag = this.flag(this.words.no_support);
      const remove = element("button", "", this.words.remove);
      remove.type = "button";
      remove.addEventListener("click", () => tell("remove", { turn, text: sentence.text }));
      flag.append(" · ", remove);
      nodes.push(flag);
    }
    if (sentence.unconfirmed) nodes.push(this.flag(this.words.unconfirmed));
    return nodes;
  }
  flag(words) { // in the page's language, within a text of another
    const flag = element("span", "flag", WARNING + words);
    flag.lang = this.pageLanguage();
    return flag;
  }
  pageLanguage() {
    return this.at("view").closest("[lang]")?.lang ?? document.documentElement.lang;
  }
}

export default mounting(View);
