// Requests to this service; nothing else is ever asked.

export class Refused extends Error {}

export async function ask(path, body, method = body === undefined ? "GET" : "POST") {
  const options = { method, headers: { Accept: "application/json", "X-Escrow-Request": "1" } };
  if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Refused("The service does not answer. Check your connection and try again.");
  }
  const text = await answer.text();
  const found = text ? JSON.parse(text) : null;
  if (!answer.ok) {
    const hint = found?.hint ? `; ${found.hint}` : "";
    throw new Refused((found?.detail || `the service answered ${answer.status}`) + hint);
  }
  return found;
}
