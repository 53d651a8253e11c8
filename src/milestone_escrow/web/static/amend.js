// Writing a change order: what a text changes is shown while it is typed.

import { element, list } from "./elements.js";
import { ready, say, sentence } from "./notice.js";
import { ask } from "./service.js";

const area = document.querySelector("[data-amend]");
const place = document.querySelector("[data-changes]");
const path = `/web/a/${area.dataset.amend}/amend`;
const LOOK_AFTER = 500;

function words({ group, subject, field, before, after }) {
  const what = [group, subject, field].filter(Boolean).join(" ");
  if (!before) return `${what}: added, ${after}`;
  if (!after) return `${what}: removed, ${before}`;
  return `${what}: ${before} → ${after}`;
}

async function guarded(act) {
  try {
    await act();
  } catch (error) {
    say(sentence(error), "bad");
  }
}

let waiting;
let asked = 0;

async function look() {
  const number = ++asked;
  const found = await ask(`${path}/look`, { text: area.value });
  if (number !== asked) return;
  if (found.error) place.replaceChildren(element("p", found.error));
  else place.replaceChildren(...list("What differs", found.changes.map(words)), ...list("So", found.effects));
}

area.addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(() => guarded(look), LOOK_AFTER);
});

document.querySelector("[data-file]").addEventListener("change", (event) => guarded(async () => {
  const [file] = event.target.files;
  if (!file) return;
  area.value = await file.text();
  await look();
}));

document.querySelector("[data-order]").addEventListener("click", () => guarded(async () => {
  const { url } = await ask(path, { text: area.value });
  location.assign(url);
}));

// What was typed before this ran, or brought back by the browser.
if (area.value !== area.defaultValue) guarded(look);

ready("[data-order], [data-file]");
