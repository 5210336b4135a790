function line(data, lang) {
  const kind = { "+": " came", "-": " gone" }[data.sign] ?? "";
  const node = element("div", "line" + kind + (data.quiet ? " quiet" : ""));
  if (data.lang) node.lang = data.lang;
  else if (!data.quiet && lang) node.lang = lang;
  node.translate = data.quiet && !data.lang && !data.name; // a document's own words, or a customer's, or a file's name
  if (data.sign) node.append(element("span", "sign", data.sign === "-" ? "−" : "+"));
  node.append(data.text);
  return node;
}
function card(data) {
  const opens = data.lines.length > 0;
  const node = element(opens ? "details" : "div", "card");
  const top = node.appendChild(element(opens ? "summary" : "div", "top"));
  top.append(element("span", "mark " + data.tone, data.mark));
  const title = top.appendChild(element("span", "title", data.title));
  if (data.lang) title.lang = data.lang;
  else title.translate = false;
  if (data.notes.length) {
    const notes = top.appendChild(element("span", "notes"));
    notes.append(...data.notes.map((note) => {
      const words = element("span", "note " + note.tone, note.text);
      words.translate = !note.name;
      return words;
    }));
  }
  if (opens) {
    node.open = data.open;
    node.appendChild(element("div", "lines")).append(...data.lines.map((one) => line(one, data.lang)));
  }
  return node;
}
export default function ({ parentElement: root, data }) {
  if (isDrawn(root, data)) return;
  root.querySelector(".label").textContent = data.heading;
  root.querySelector(".label").hidden = !data.heading;
  const empty = root.querySelector(".empty");
  empty.hidden = data.cards.length > 0 || !data.empty;
  empty.textContent = data.empty;
  replaceRows(root.querySelector(".cards"), data.cards.map(card), (one) => one.querySelector(".title").textContent);
}
