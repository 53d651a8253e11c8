// The codes for a phone's wallet follow what is ticked: the service makes them, so that they say
// what `escrow fund --link` says.

import { say, sentence } from "./notice.js";
import { ask } from "./service.js";

const form = document.querySelector("[data-act]");
const list = document.querySelector("[data-codes]");
let turn = 0;

function shown(code) {
  const item = document.createElement("li");
  const says = document.createElement("p");
  says.textContent = code.says;
  const image = document.createElement("img");
  image.src = code.image;
  image.alt = "QR code of the link below it";
  image.width = image.height = 240;
  const link = document.createElement("a");
  link.href = link.textContent = code.uri;
  const below = document.createElement("p");
  below.className = "hash";
  below.append(link);
  item.append(says, image, below);
  return item;
}

async function refresh() {
  turn += 1;
  const mine = turn;
  // A code of another amount than is ticked must not be scanned meanwhile.
  list.replaceChildren();
  const wanted = new URLSearchParams(location.search);
  wanted.set("milestones", new FormData(form).getAll("milestones").join(","));
  try {
    const found = await ask(`/web/a/${form.dataset.agreement}/codes?${wanted}`);
    if (mine === turn) list.replaceChildren(...found.codes.map(shown));
  } catch (error) {
    if (mine === turn) say(sentence(error), "bad");
  }
}

if (list) {
  const ticks = () => [...form.querySelectorAll("[name=milestones]")];
  form.addEventListener("change", (event) => {
    if (event.target.name === "milestones") refresh();
  });
  // A browser that comes back to the page may have kept other ticks than the page was made with.
  if (ticks().some((one) => one.checked !== one.defaultChecked)) refresh();
}
