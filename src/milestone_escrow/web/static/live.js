// Follows an agreement: whatever happens, the part of the page that shows it is fetched again.

const part = document.querySelector("[data-live]");
const html = window.trustedTypes
  ? window.trustedTypes.createPolicy("escrow", { createHTML: (text) => text })
  : { createHTML: (text) => text };

let fetching = false;
let again = false;

async function refresh() {
  if (fetching) {
    again = true;
    return;
  }
  fetching = true;
  try {
    const answer = await fetch(part.dataset.live + location.search);
    if (answer.ok) swap(await answer.text());
  } finally {
    fetching = false;
    if (again) {
      again = false;
      refresh();
    }
  }
}

// What the visitor had opened stays open.
function swap(text) {
  const opened = [...part.querySelectorAll("details")].map((one) => one.open);
  const fresh = new DOMParser().parseFromString(html.createHTML(text), "text/html");
  part.replaceChildren(...fresh.body.childNodes);
  part.querySelectorAll("details").forEach((one, at) => { one.open = opened[at] ?? false; });
  part.dispatchEvent(new CustomEvent("escrow:refreshed", { bubbles: true }));
}

if (part) {
  const events = new EventSource(`/v1/stream?agreement=${part.dataset.agreement}`);
  events.onmessage = refresh;
  events.addEventListener("change", refresh);
  events.addEventListener("reset", refresh);
}
