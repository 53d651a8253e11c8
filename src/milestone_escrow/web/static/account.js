// Signing in and out with a wallet (EIP-4361).

import { hush, ready, say, sentence } from "./notice.js";
import { ask } from "./service.js";
import { account, choose, forget, signText } from "./wallet.js";

async function signIn() {
  const provider = await choose();
  const address = await account(provider);
  const { message } = await ask("/v1/login/nonce", { account: address });
  say("Your wallet asks you to sign in. That costs nothing.");
  const signature = await signText(provider, address, message);
  await ask("/v1/login", { message, signature, session: "cookie" });
  hush();
  location.reload();
}

async function signOut() {
  await ask("/v1/session", undefined, "DELETE");
  forget();
  location.reload();
}

async function guarded(button, act) {
  button.disabled = true;
  try {
    await act();
  } catch (error) {
    say(sentence(error), "bad");
  } finally {
    button.disabled = false;
  }
}

for (const button of document.querySelectorAll("[data-sign-in]")) {
  button.addEventListener("click", () => guarded(button, signIn));
}
for (const button of document.querySelectorAll("[data-sign-out]")) {
  button.addEventListener("click", () => guarded(button, signOut));
}

ready("[data-sign-in], [data-sign-out]");
