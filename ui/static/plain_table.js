function content(cell) {
  const text = element("span", "text " + cell.tone, cell.text);
  if (cell.lang) text.lang = cell.lang;
  else text.translate = !cell.names;
  if (!cell.note) return [text];
  const note = element("span", "note", cell.note);
  note.translate = !cell.names;
  return [text, note];
}
export default function ({ parentElement: root, data, setTriggerValue }) {
  root.answerdeskChoose = setTriggerValue;
  if (isDrawn(root, data)) return;
  root.querySelector(".label").textContent = data.heading;
  const table = root.querySelector("table");
  table.setAttribute("aria-label", data.heading);
  table.hidden = data.rows.length === 0;
  const empty = root.querySelector(".empty");
  empty.hidden = data.rows.length > 0;
  empty.textContent = data.empty;
  const head = element("tr");
  head.append(...data.columns.map((column) => {
    const cell = element("th", column.look, column.label);
    cell.scope = "col";
    return cell;
  }));
  root.querySelector("thead").replaceChildren(head);
  const lines = data.rows.map((row) => {
    const line = element("tr", row.row_id ? "can" : "");
    line.dataset.row = row.row_id;
    if (row.row_id && row.row_id === data.current) line.setAttribute("aria-current", "true");
    const button = data.columns.findIndex((column) => column.look === "wide");
    row.cells.forEach((cell, index) => {
      const place = line.appendChild(element("td", data.columns[index].look));
      if (row.row_id && index === Math.max(button, 0)) {
        const choose = place.appendChild(element("button"));
        choose.type = "button";
        choose.append(...content(cell));
      } else place.append(...content(cell));
    });
    if (row.row_id) line.addEventListener("click", () => root.answerdeskChoose("chosen", row.row_id));
    return line;
  });
  replaceRows(root.querySelector("tbody"), lines, (line) => line.dataset.row);
}
