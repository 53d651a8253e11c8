// Writing a draft: started from an example or a file, checked while it is typed, saved in versions.

import { element, list } from "./elements.js";
import { ready, say, sentence } from "./notice.js";
import { ask } from "./service.js";
import { readSheet } from "./sheet.js";

const area = document.querySelector("[data-draft]");
const findings = document.querySelector("[data-findings]");
const CHECK_AFTER = 400;

async function guarded(act) {
  try {
    await act();
  } catch (error) {
    say(sentence(error), "bad");
  }
}

async function begin(text) {
  const { url } = await ask("/web/drafts", { text });
  location.assign(url);
}

for (const button of document.querySelectorAll("[data-example]")) {
  button.addEventListener("click", () => guarded(async () => {
    const { text } = await ask(`/web/examples/${button.dataset.example}`);
    await begin(text);
  }));
}

document.querySelector("[data-own-file]")?.addEventListener("change", (event) => guarded(async () => {
  const [file] = event.target.files;
  if (file) await begin(await file.text());
}));

function show(found) {
  findings.replaceChildren();
  if (found.error) {
    const place = found.line ? `Line ${found.line}: ` : "";
    findings.append(element("p", "Not an agreement yet", "pill bad"), element("p", place + found.error));
    return;
  }
  findings.append(element("p", found.ok ? "It may be signed" : "It must not be signed yet", `pill ${found.ok ? "good" : "bad"}`));
  findings.append(element("p", `${found.title}, ${found.price}`, "lead"));
  for (const one of found.findings) {
    const tone = { error: "bad", warning: "wait", note: "" }[one.level];
    const line = element("p");
    line.append(element("span", one.level, `pill ${tone}`), ` ${one.text}. ${one.fix}`);
    findings.append(line);
  }
  const rows = found.milestones.map((one) => `${one.title}: ${one.amount}${one.due ? `, due ${one.due}` : ""}`);
  findings.append(...list("Milestones", rows));
  findings.append(...list("If somebody goes silent", found.silence));
  findings.append(...list("Who alone can move the money", found.alone));
  findings.append(...list("Easily overlooked", found.caveats));
}

let waiting;
let asked = 0;

async function check() {
  const number = ++asked;
  const found = await ask("/web/check", { text: area.value });
  if (number === asked) show(found);
}

if (area) {
  const path = `/web/drafts/${area.dataset.draft}`;
  show(JSON.parse(document.querySelector("[data-check]").dataset.check));
  area.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => guarded(check), CHECK_AFTER);
  });
  const save = async () => {
    const { version } = await ask(path, { text: area.value });
    document.querySelector("[data-version]").textContent = version;
    return version;
  };
  document.querySelector("[data-save]").addEventListener("click", () => guarded(async () => {
    say(`Saved as version ${await save()}.`, "good");
  }));
  document.querySelector("[data-final]").addEventListener("click", () => guarded(async () => {
    await save();
    const { url } = await ask(`${path}/final`, {});
    location.assign(url);
  }));
  document.querySelector("[data-copy]").addEventListener("click", () => guarded(async () => {
    await navigator.clipboard.writeText(location.href);
    say("The link is in your clipboard.", "good");
  }));
  document.querySelector("[data-sheet]").addEventListener("change", (event) => guarded(async () => {
    const [file] = event.target.files;
    if (!file) return;
    await readSheet(file, document.querySelector("[data-read]"), () => area.value, async (text) => {
      area.value = text;
      await check();
    });
  }));
}

ready("[data-example], [data-own-file], [data-copy], [data-save], [data-final], [data-sheet]");
