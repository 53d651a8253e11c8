// The visitor's wallet: found as EIP-6963 says, asked as EIP-1193 says. Keys never come here.

const announced = new Map();
const REMEMBERED = "escrow.wallet";

window.addEventListener("eip6963:announceProvider", ({ detail }) => {
  if (detail?.info?.uuid && detail.provider?.request) announced.set(detail.info.rdns, detail);
});
window.dispatchEvent(new Event("eip6963:requestProvider"));

function known() {
  const found = [...announced.values()];
  if (!found.length && window.ethereum?.request) {
    found.push({ info: { name: "Browser wallet", rdns: "injected" }, provider: window.ethereum });
  }
  return found;
}

// The one wallet, or the one that the visitor picks; remembered for this tab.
export async function choose() {
  const wallets = known();
  if (!wallets.length) {
    throw new Error("No wallet was found in this browser. Install one, or use a phone: see the codes on the page.");
  }
  const last = sessionStorage.getItem(REMEMBERED);
  const found = wallets.find((one) => one.info.rdns === last);
  const chosen = found ?? (wallets.length === 1 ? wallets[0] : await pick(wallets));
  sessionStorage.setItem(REMEMBERED, chosen.info.rdns);
  return chosen.provider;
}

export const forget = () => sessionStorage.removeItem(REMEMBERED);

function pick(wallets) {
  return new Promise((resolve, reject) => {
    const dialog = document.createElement("dialog");
    dialog.setAttribute("aria-labelledby", "pick-wallet");
    const title = document.createElement("h2");
    title.id = "pick-wallet";
    title.textContent = "Which wallet?";
    const list = document.createElement("div");
    list.className = "row";
    for (const wallet of wallets) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = wallet.info.name;
      button.addEventListener("click", () => {
        dialog.returnValue = "picked";
        dialog.close();
        resolve(wallet);
      });
      list.append(button);
    }
    dialog.append(title, list);
    dialog.addEventListener("close", () => {
      dialog.remove();
      if (dialog.returnValue !== "picked") reject(new Error("No wallet was chosen."));
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

// The account to act with: `wanted` where one is, else the wallet's first.
export async function account(provider, wanted) {
  const accounts = await provider.request({ method: "eth_requestAccounts" });
  if (!accounts?.length) throw new Error("The wallet shows no account to this page.");
  if (!wanted) return accounts[0];
  const found = accounts.find((one) => one.toLowerCase() === wanted.toLowerCase());
  if (!found) {
    throw new Error(`The wallet does not show ${wanted}. Choose that account in the wallet and try again.`);
  }
  return found;
}

// Have the wallet on this network; offers to add it where the wallet does not know it.
export async function onNetwork(provider, network) {
  const now = await provider.request({ method: "eth_chainId" });
  if (Number(now) === Number(network.chainId)) return;
  const chain = { chainId: network.chainId };
  try {
    await provider.request({ method: "wallet_switchEthereumChain", params: [chain] });
  } catch (error) {
    const unknown = error.code === 4902 || error.data?.originalError?.code === 4902;
    if (!unknown) throw error;
    await provider.request({ method: "wallet_addEthereumChain", params: [network] });
  }
  const after = await provider.request({ method: "eth_chainId" });
  if (Number(after) !== Number(network.chainId)) {
    throw new Error(`The wallet is on another network; switch it to ${network.chainName}.`);
  }
}

export const signTyped = (provider, signer, typedData) =>
  provider.request({ method: "eth_signTypedData_v4", params: [signer, JSON.stringify(typedData)] });

export const signText = (provider, signer, text) => {
  const bytes = new TextEncoder().encode(text);
  const hex = "0x" + Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return provider.request({ method: "personal_sign", params: [hex, signer] });
};

export const send = (provider, transaction) =>
  provider.request({ method: "eth_sendTransaction", params: [transaction] });
