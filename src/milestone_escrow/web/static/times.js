// Beside every time of an agreement, the reader's own: a time always says its offset.

const TIME = /(\d{1,2}) ([A-Z][a-z]{2}) (\d{4}), (\d\d):(\d\d) UTC(?:([+-])(\d\d):(\d\d))?/g;
const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");
const LEFT_ALONE = "time, textarea, pre, script, style, option, [aria-live]";

const two = (number) => String(number).padStart(2, "0");

function moment([, day, month, year, hour, minute, sign, hours = "0", minutes = "0"]) {
  const offset = (sign === "-" ? -1 : 1) * (Number(hours) * 60 + Number(minutes));
  const there = Date.UTC(year, MONTHS.indexOf(month), day, hour, minute);
  return { at: new Date(there - offset * 60_000), offset };
}

function own(at) {
  const day = `${at.getDate()} ${MONTHS[at.getMonth()]} ${at.getFullYear()}`;
  return `${day}, ${two(at.getHours())}:${two(at.getMinutes())}`;
}

function mark(node) {
  const pieces = [];
  let end = 0;
  for (const found of node.data.matchAll(TIME)) {
    const { at, offset } = moment(found);
    if (Number.isNaN(at.getTime()) || !MONTHS.includes(found[2])) continue;
    const time = document.createElement("time");
    time.dateTime = at.toISOString();
    time.textContent = found[0];
    pieces.push(node.data.slice(end, found.index), time);
    end = found.index + found[0].length;
    if (-at.getTimezoneOffset() !== offset) pieces.push(` (${own(at)} for you)`);
  }
  if (pieces.length) node.replaceWith(...pieces, node.data.slice(end));
}

function read(root) {
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  const nodes = [];
  while (walker.nextNode()) nodes.push(walker.currentNode);
  for (const node of nodes) if (!node.parentElement?.closest(LEFT_ALONE)) mark(node);
}

read(document.body);
new MutationObserver((changes) => {
  for (const { addedNodes } of changes) {
    for (const node of addedNodes) {
      if (node.isConnected) read(node.nodeType === Node.TEXT_NODE ? node.parentNode : node);
    }
  }
}).observe(document.body, { childList: true, subtree: true });
