// Searching and filtering the list, as it is typed.

import { ready } from "./notice.js";

const search = document.querySelector("[data-search]");
const role = document.querySelector("[data-role]");

function filter() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const row of document.querySelectorAll("[data-row]")) {
    const fits = words.every((word) => row.dataset.row.includes(word));
    row.hidden = !fits || (role.value && row.dataset.own !== role.value);
  }
}

search?.addEventListener("input", filter);
role?.addEventListener("change", filter);
ready("[data-search], [data-role]");
