// A spreadsheet of milestones: what was understood beside it, corrected by hand, taken by a click.

import { element } from "./elements.js";
import { say, sentence } from "./notice.js";
import { Refused } from "./service.js";

const FIELDS = { decimal: "Decimals are set off by a", dates: "First in dates", sheet: "Sheet", rows: "Rows" };
const OPTIONS = { decimal: ["point", "comma"], dates: ["day", "month"] };

function select(label, options, value, change) {
  const made = element("select");
  made.setAttribute("aria-label", label);
  for (const [name, shown] of options) made.append(new Option(shown, name, false, name === value));
  made.addEventListener("change", () => change(made.value));
  return made;
}

async function understood(file, text, said) {
  const body = new FormData();
  body.set("text", text);
  body.set("file", file);
  for (const [name, value] of Object.entries(said.fields)) if (value) body.set(name, value);
  for (const [meaning, letter] of Object.entries(said.columns)) body.append("column", `${meaning}=${letter}`);
  const answer = await fetch("/web/spreadsheet", { method: "POST", body, headers: { "X-Escrow-Request": "1" } });
  const found = await answer.json();
  if (!answer.ok) throw new Refused(found.detail + (found.hint ? `; ${found.hint}` : ""));
  return found;
}

function counted(count, name) {
  return `${count} ${name}${count === 1 ? "" : "s"}`;
}

function outcome(row) {
  if (row.fate !== "milestone") return row.why ? `${row.fate}: ${row.why}` : row.fate;
  const { key, pays, due } = row.milestone;
  return `${key}: ${pays}${due ? `, due ${due}` : ""}${row.why ? ` (${row.why})` : ""}`;
}

function sheetTable({ read, meanings }, correct) {
  const made = element("table");
  const head = element("tr");
  head.append(element("th", "Row"), element("th", "Understood as"));
  for (const column of read.columns) {
    const cell = element("th", `${column.letter} ${column.heading} `);
    const options = [["", "not used"], ...meanings.map((one) => [one, one])];
    cell.append(select(`What column ${column.letter} means`, options, column.meaning, (meaning) => {
      const columns = Object.fromEntries(meanings.map((one) => [one, ""]));
      for (const other of read.columns) if (other.meaning && other.meaning !== meaning) columns[other.meaning] = other.letter;
      if (column.meaning && column.meaning !== meaning) columns[column.meaning] = "";
      if (meaning) columns[meaning] = column.letter;
      correct({ columns });
    }));
    head.append(cell);
  }
  made.append(head);
  for (const row of read.rows.filter((one) => one.fate !== "blank")) {
    const line = element("tr");
    line.append(element("td", String(row.number)), element("td", outcome(row)));
    for (const [at] of read.columns.entries()) line.append(element("td", row.cells[at] ?? ""));
    made.append(line);
  }
  return made;
}

export async function readSheet(file, place, text, take) {
  const said = { columns: {}, fields: {} };
  const show = async () => {
    const found = await understood(file, text(), said);
    const { read } = found;
    const again = (change) => {
      Object.assign(said.columns, change.columns);
      Object.assign(said.fields, change.fields);
      show().catch((error) => say(sentence(error), "bad"));
    };
    const milestones = read.rows.filter((one) => one.fate === "milestone").length;
    const blank = read.rows.filter((one) => one.fate === "blank").length;
    const counts = `${counted(milestones, "milestone")}, ${counted(blank, "blank row")}`;
    const price = found.total ? `The price becomes their sum, ${found.total}.` : "The sheet does not say the price: yours stays.";
    place.replaceChildren(element("h3", `${read.name}: ${counts}`));
    if (!read.questions.length) place.append(element("p", price));
    for (const question of read.questions) {
      const line = element("p", `${question.text}. `);
      line.append(element("span", question.answers.length ? "please answer" : "stops it", "pill wait"));
      place.append(line);
    }
    for (const [name, label] of Object.entries(FIELDS)) {
      const asked = read.questions.find((one) => one.about === name);
      const options = OPTIONS[name] ?? (name === "sheet" ? read.sheets : asked?.answers) ?? [];
      if (!asked && (options.length < 2 || (name === "dates" && !said.fields[name]))) continue;
      const current = said.fields[name] ?? (asked ? "" : (read[name] ?? ""));
      const choices = [["", "choose"], ...options.map((one) => [one, one])];
      const line = element("label", `${label} `);
      line.append(select(label, choices, current, (value) => again({ fields: { [name]: value } })));
      place.append(line);
    }
    const wide = element("div", undefined, "scroll");
    wide.append(sheetTable(found, again));
    const button = element("button", "Take these milestones");
    button.type = "button";
    button.disabled = found.text === null;
    button.addEventListener("click", () => take(found.text).then(() => { place.hidden = true; }, (error) => say(sentence(error), "bad")));
    place.append(wide, button);
    place.hidden = false;
  };
  await show();
}
