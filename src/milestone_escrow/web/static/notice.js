// One place for what the page has to say; screen readers are told.

const place = () => document.querySelector("[data-notice]");

export function say(text, kind = "wait") {
  const notice = place();
  notice.textContent = text;
  notice.dataset.kind = kind;
  notice.hidden = !text;
}

export const hush = () => say("");

// A wallet's or the service's error as one sentence.
export function sentence(error) {
  if (error?.code === 4001) return "You refused in the wallet. Nothing was sent.";
  if (error?.code === -32002) return "The wallet is asking already: open it and answer there.";
  return error?.message || String(error);
}

// What needs a script can be used once its script is there, not before.
export function ready(selector) {
  for (const one of document.querySelectorAll(selector)) one.disabled = false;
}
