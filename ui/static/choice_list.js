export default function ({ parentElement: root, data, setTriggerValue }) {
  root.answerdeskChoose = setTriggerValue;
  if (isDrawn(root, data)) return;
  const list = root.querySelector(".list");
  list.className = "part list " + data.look;
  list.setAttribute("aria-label", data.heading);
  root.querySelector(".label").textContent = data.heading;
  const empty = root.querySelector(".empty");
  empty.hidden = data.rows.length > 0;
  empty.textContent = data.empty;
  const items = data.rows.map((row) => {
    const item = document.createElement("li");
    const button = item.appendChild(document.createElement("button"));
    button.type = "button";
    button.className = "row";
    button.dataset.choice = row.choice_id;
    if (row.choice_id === data.current) button.setAttribute("aria-current", "true");
    if (row.note) {
      const note = button.appendChild(document.createElement("span"));
      note.className = "note";
      if (row.tone) {
        const dot = note.appendChild(document.createElement("span"));
        dot.className = "dot " + row.tone;
        dot.title = row.tone_words;
        dot.setAttribute("role", "img");
        dot.setAttribute("aria-label", row.tone_words);
      }
      note.append(row.note);
    }
    const text = button.appendChild(document.createElement("span"));
    text.className = "text";
    text.lang = row.language;
    text.textContent = row.text;
    button.addEventListener("click", () => root.answerdeskChoose("chosen", row.choice_id));
    return item;
  });
  replaceRows(root.querySelector("ul"), items, (item) => item.firstChild.dataset.choice);
}
