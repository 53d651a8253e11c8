// Pieces of a page, with text that is never read as markup.

export function element(name, text, className) {
  const made = document.createElement(name);
  if (text) made.textContent = text;
  if (className) made.className = className;
  return made;
}

// Nothing where there are no items.
export function list(title, items) {
  if (!items?.length) return [];
  const made = element("ul");
  for (const item of items) made.append(element("li", item));
  return [element("h3", title), made];
}
