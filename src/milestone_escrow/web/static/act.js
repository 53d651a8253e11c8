// Acting with a wallet: the service says what comes next, the wallet signs or sends it, until done.
// What was signed and sent is kept in this tab, so that a reload in the middle goes on.

import { element } from "./elements.js";
import { hush, ready, say, sentence } from "./notice.js";
import { ask } from "./service.js";
import { account, choose, onNetwork, send, signTyped } from "./wallet.js";

const form = document.querySelector("[data-act]");
const place = document.querySelector("[data-steps]");
const key = `escrow.act.${location.pathname}`;
const PAUSES = [300, 600, 1000, 2000, 4000];

const kept = () => JSON.parse(sessionStorage.getItem(key) || "null");
const keep = (wish) => sessionStorage.setItem(key, JSON.stringify(wish));
const drop = () => sessionStorage.removeItem(key);

function fields() {
  const found = {};
  for (const [name, value] of new FormData(form)) {
    found[name] = found[name] ? `${found[name]},${value}` : value;
  }
  return found;
}

function show(step, act) {
  place.replaceChildren();
  place.append(element("h2", step.title));
  for (const line of step.lines) place.append(element("p", line));
  if (step.kind === "done") {
    const back = element("a", "Back to the agreement", "button");
    back.href = `/a/${form.dataset.agreement}${location.search}`;
    place.append(back);
    return;
  }
  const details = element("details");
  details.append(element("summary", step.kind === "sign" ? "Exactly what will be signed" : "Exactly what will be sent"));
  details.append(readable(step));
  place.append(details);
  const button = element("button", step.kind === "sign" ? "Sign in my wallet" : "Send with my wallet");
  button.type = "button";
  button.dataset.go = step.name;
  button.addEventListener("click", () => act(button));
  place.append(button);
}

function readable(step) {
  const list = element("dl", "", "pairs");
  const add = (name, value) => {
    list.append(element("dt", name), element("dd", typeof value === "object" ? JSON.stringify(value) : String(value), "hash"));
  };
  if (step.kind === "sign") {
    for (const [name, value] of Object.entries(step.data.domain)) add(`domain ${name}`, value);
    for (const [name, value] of Object.entries(step.data.message)) add(name, value);
  } else {
    for (const [name, value] of Object.entries(step.data)) add(name, value);
  }
  return list;
}

async function next(wish) {
  keep(wish);
  const path = `/web/a/${form.dataset.agreement}/step${location.search}`;
  const { verb, milestone, account: who, fields: typed, signed, held } = wish;
  const step = await ask(path, { verb, milestone, account: who, fields: typed, signed, held });
  if (step.kind === "done") drop();
  show(step, (button) => guarded(button, () => perform(wish, step)));
}

async function perform(wish, step) {
  const network = JSON.parse(form.dataset.network);
  const provider = await choose();
  const who = await account(provider, wish.account);
  await onNetwork(provider, network);
  if (step.kind === "sign") {
    say("Your wallet shows what it will sign. Compare it with the page.");
    const signature = await signTyped(provider, who, step.data);
    wish.signed[step.name] = signature;
    wish.held[step.name] = step.held;
  } else {
    say("Your wallet shows what it will send.");
    wish.sent = { name: step.name, hash: await send(provider, step.data), title: step.title };
    keep(wish);
    if (!(await follow(wish))) return;
  }
  hush();
  await next(wish);
}

// Wait until a transaction is in a block. Another one may have taken its place: what counts is what
// is true afterwards, so the service is asked again whichever it was.
async function follow(wish) {
  const { hash, name } = wish.sent;
  let unknown = 0;
  for (let turn = 0; ; turn += 1) {
    const { state, depth, link } = await ask(`/web/tx/${hash}`);
    if (state === "mined") break;
    if (state === "refused") {
      delete wish.sent;
      keep(wish);
      throw new Error(`The transaction ${hash} was refused by the contract; nothing moved.`);
    }
    unknown = state === "unknown" ? unknown + 1 : 0;
    if (unknown > 8) {
      say("The transaction was replaced or dropped in your wallet. Looking at what is true now …");
      break;
    }
    say(`Sent: ${hash.slice(0, 12)}… waits for a block.${link ? ` ${link}` : ""}${depth ? ` ${depth} deep` : ""}`);
    await new Promise((resolve) => setTimeout(resolve, PAUSES[Math.min(turn, PAUSES.length - 1)]));
  }
  delete wish.sent;
  if (name !== "allowance") {
    drop();
    say("It is in a block.", "good");
    const done = { kind: "done", title: "Done", lines: [`Transaction ${hash}`] };
    show(done, () => {});
    return false;
  }
  keep(wish);
  return true;
}

async function guarded(button, act) {
  if (button) button.disabled = true;
  try {
    await act();
  } catch (error) {
    say(sentence(error), "bad");
  } finally {
    if (button) button.disabled = false;
  }
}

async function start() {
  hush();
  let who = form.dataset.account;
  if (!who) {
    const provider = await choose();
    who = await account(provider);
  }
  const index = form.dataset.milestone;
  await next({
    verb: form.dataset.verb,
    milestone: ["fund", "sign"].includes(form.dataset.verb) || index === undefined ? null : Number(index),
    account: who,
    fields: fields(),
    signed: {},
    held: {},
  });
}

form?.addEventListener("submit", (event) => {
  event.preventDefault();
  guarded(event.submitter, start);
});

ready("[data-act] button[type=submit]");

const before = form && kept();
if (before) {
  guarded(null, async () => {
    if (before.sent) {
      if (await follow(before)) await next(before);
    } else {
      await next(before);
    }
  });
}
