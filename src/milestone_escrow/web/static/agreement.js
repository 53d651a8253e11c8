// Handing in evidence, and links for those who only read.

import { ready, say, sentence } from "./notice.js";
import { ask, Refused } from "./service.js";

async function guarded(act) {
  try {
    await act();
  } catch (error) {
    say(sentence(error), "bad");
  }
}

const hex = (bytes) => Array.from(new Uint8Array(bytes), (one) => one.toString(16).padStart(2, "0")).join("");

async function handIn(form) {
  const [file] = form.elements.file.files;
  const path = form.dataset.evidence;
  if (form.elements.hash_only.checked) {
    const sha256 = hex(await crypto.subtle.digest("SHA-256", await file.arrayBuffer()));
    await ask(path, { name: file.name, sha256, size: file.size });
  } else {
    const body = new FormData();
    body.set("file", file);
    const answer = await fetch(path, { method: "POST", body, headers: { "X-Escrow-Request": "1" } });
    if (!answer.ok) {
      const found = await answer.json();
      throw new Refused(found.detail + (found.hint ? `; ${found.hint}` : ""));
    }
  }
  say(`${file.name} is handed in.`, "good");
}

// The part that is refreshed brings its forms anew, so whoever is inside is listened to from outside.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.matches("[data-evidence]")) {
    event.preventDefault();
    guarded(() => handIn(form));
  }
  if (form.matches("[data-share]")) {
    event.preventDefault();
    guarded(async () => {
      const { purpose, days } = form.elements;
      const { token } = await ask(form.dataset.share, { purpose: purpose.value, days: Number(days.value) });
      const place = document.querySelector("[data-shared]");
      place.hidden = false;
      const shown = place.querySelector("input");
      shown.value = `${location.origin}${location.pathname}?link=${token}`;
      shown.focus();
      shown.select();
    });
  }
});

ready("[data-share] button");
